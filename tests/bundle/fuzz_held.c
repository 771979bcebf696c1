/* libFuzzer target: lists of what a cluster holds. Whatever is accepted is in canonical form, but for one newline. */
#include "bundle/held.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool is_canonical(const struct doc *d, const uint8_t *p, size_t n)
{
    OWN_BUF struct buf again = {0};
    if (p[n - 1] == '\n')
        n--;
    return !doc_json_write(&again, d) && again.len == n && memcmp(again.at, p, n) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    OWN_BUF struct buf text = {0};
    OWN_DOC struct doc *d = NULL;
    if (buf_add(&text, p, n))
        abort();
    struct err *e = held_parse(&d, "list", &text);
    if (e ? err_kind(e) != ERR_UNTRUSTED || !err_hint_text(e) : !is_canonical(d, p, n))
        abort();
    err_free(e);
    return 0;
}
