/* libFuzzer target: the YAML reader. Corpus: corpus/yaml. */
#include "input.h"

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    yaml_input(p, n);
    return 0;
}
