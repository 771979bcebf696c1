#include "peer_input.inc"

#include <signal.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)signal(SIGPIPE, SIG_IGN);
    peer_input_run(data, size);
    return 0;
}
