/* sigs: the raw signatures of one document, each under the id of its key. Shared with supply/, which makes them. */
#pragma once
#include "base/buf.h"
#include "bundle/format.h"

struct sig {
    char keyid[65]; /* what its file's name says: it finds the signature and decides nothing */
    unsigned char bytes[FORMAT_SIG_BYTES_MAX];
    size_t len;
};

struct sigs {
    struct sig at[FORMAT_SIGS_MAX]; /* sorted by key id, one for each */
    size_t n;
};

/* Appends. ERR_UNTRUSTED: E_LIMIT when there are too many or it is too long, E_ORDER when `keyid` does not sort behind.
 */
struct err *sigs_add(struct sigs *s, const char *keyid, const void *p, size_t n) ERR_MUST;
/* Puts one where it sorts, in the place of an older one under that key id. ERR_REFUSED (E_LIMIT) when there are too
 * many. */
struct err *sigs_put(struct sigs *s, const char *keyid, const void *p, size_t n) ERR_MUST;
/* The signature under that key id, or NULL; borrowed. */
const struct sig *sigs_find(const struct sigs *s, const char *keyid);
