#include "bundle/sigs.h"

#include <string.h>

struct err *sigs_add(struct sigs *s, const char *keyid, const void *p, size_t n)
{
    if (s->n == FORMAT_SIGS_MAX)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: more than %d signatures", FORMAT_SIGS_MAX);
    if (n > FORMAT_SIG_BYTES_MAX)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: a signature of %zu bytes, at most %d are allowed", n,
                       FORMAT_SIG_BYTES_MAX);
    if (s->n && strcmp(s->at[s->n - 1].keyid, keyid) >= 0)
        return err_new(ERR_UNTRUSTED, "E_ORDER: signatures are sorted by key id, one for each key");
    struct sig *sig = &s->at[s->n++];
    memcpy(sig->keyid, keyid, sizeof sig->keyid);
    if (n)
        memcpy(sig->bytes, p, n);
    sig->len = n;
    return NULL;
}

const struct sig *sigs_find(const struct sigs *s, const char *keyid)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->at[i].keyid, keyid) == 0)
            return &s->at[i];
    return NULL;
}
