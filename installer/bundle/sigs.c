#include "bundle/sigs.h"

#include <string.h>

static void fill(struct sig *sig, const char *keyid, const void *p, size_t n)
{
    memcpy(sig->keyid, keyid, sizeof sig->keyid);
    if (n)
        memcpy(sig->bytes, p, n);
    sig->len = n;
}

struct err *sigs_add(struct sigs *s, const char *keyid, const void *p, size_t n)
{
    if (s->n == FORMAT_SIGS_MAX)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: more than %d signatures", FORMAT_SIGS_MAX);
    if (n > FORMAT_SIG_BYTES_MAX)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: a signature of %zu bytes, at most %d are allowed", n,
                       FORMAT_SIG_BYTES_MAX);
    if (s->n && strcmp(s->at[s->n - 1].keyid, keyid) >= 0)
        return err_new(ERR_UNTRUSTED, "E_ORDER: signatures are sorted by key id, one for each key");
    fill(&s->at[s->n++], keyid, p, n);
    return NULL;
}

struct err *sigs_put(struct sigs *s, const char *keyid, const void *p, size_t n)
{
    size_t i = 0;
    while (i < s->n && strcmp(s->at[i].keyid, keyid) < 0)
        i++;
    bool there = i < s->n && strcmp(s->at[i].keyid, keyid) == 0;
    if (n > FORMAT_SIG_BYTES_MAX || (!there && s->n == FORMAT_SIGS_MAX))
        return err_new(ERR_REFUSED, "E_LIMIT: there are %d signatures already", FORMAT_SIGS_MAX);
    if (!there)
        memmove(&s->at[i + 1], &s->at[i], (s->n++ - i) * sizeof s->at[0]);
    fill(&s->at[i], keyid, p, n);
    return NULL;
}

const struct sig *sigs_find(const struct sigs *s, const char *keyid)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->at[i].keyid, keyid) == 0)
            return &s->at[i];
    return NULL;
}
