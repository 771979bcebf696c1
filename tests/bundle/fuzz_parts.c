/* libFuzzer target: lists of parts. Whatever is accepted must be what the writer makes of it. */
#include "bundle/parts.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    OWN_BUF struct buf again = {0};
    struct parts parts;
    struct err *e = parts_parse(&parts, "list", p, n);
    if (e ? err_kind(e) != ERR_UNTRUSTED : parts_write(&again, &parts) || again.len != n || memcmp(again.at, p, n) != 0)
        abort();
    err_free(e);
    return 0;
}
