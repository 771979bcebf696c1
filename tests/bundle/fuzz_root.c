/* libFuzzer target: a root document behind its signature, and the signatures of one behind it. */
#include "bundle/root.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct err *read_root(const struct buf *text, const uint8_t *p, size_t n)
{
    OWN_DOC struct doc *root = NULL, *next = NULL;
    OWN_STRS struct strs who = {0};
    struct sigs sigs = {0};
    TRY(root_parse(&root, 1, text));
    TRY(sigs_add(&sigs, doc_get(root, "keys")->child->key, p, n < 72 ? n : 72));
    TRY(root_signers(&who, root, "release", &sigs, FORMAT_RELEASE_PAYLOAD, text));
    struct root_raw raw = {.bytes = *text};
    return root_follow(&next, root, &raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    OWN_BUF struct buf text = {0};
    struct err *e = buf_add(&text, p, n);
    if (!e)
        e = read_root(&text, p, n);
    if (!e || err_kind(e) != ERR_UNTRUSTED)
        abort();
    err_free(e);
    return 0;
}
