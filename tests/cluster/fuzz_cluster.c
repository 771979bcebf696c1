#include "cluster_input.h"

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/fuzz-cluster.%d.yaml", (int)getpid());
    cluster_input_run(path, data, size);
    (void)unlink(path);
    return 0;
}
