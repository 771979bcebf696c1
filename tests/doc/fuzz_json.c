/* libFuzzer target: the JSON reader. Corpus: corpus/json. */
#include "input.h"

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    json_input(p, n);
    return 0;
}
