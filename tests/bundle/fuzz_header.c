/* libFuzzer target: tar headers. Whatever is accepted must be what the encoder writes. */
#include "pack/ustar.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct ustar_entry e;
    unsigned char block[USTAR_BLOCK] = {0}, again[USTAR_BLOCK];
    memcpy(block, p, n < USTAR_BLOCK ? n : USTAR_BLOCK);
    if (n > USTAR_BLOCK) { /* one byte more: the fuzzer need not guess checksums */
        unsigned sum = 0;
        memset(block + 148, ' ', 8);
        for (size_t i = 0; i < USTAR_BLOCK; i++)
            sum += block[i];
        for (int i = 5; i >= 0; i--, sum >>= 3)
            block[148 + i] = (unsigned char)('0' + (sum & 7));
        block[154] = '\0';
    }
    struct err *bad = ustar_decode(&e, block);
    if (!bad && (ustar_encode(again, &e) != NULL || memcmp(again, block, USTAR_BLOCK) != 0))
        abort();
    err_free(bad);
    return 0;
}
