/*
 * download: one file out of the net onto the disk, from the first of its sources that has it, going on where an earlier
 * run was stopped. It has its name only when its bytes were checked; until then it is PATH.part.
 */
#pragma once
#include "net/net.h"

struct download {
    const char *path;          /* the file; its folder exists */
    const struct strs *urls;   /* sources in the order to try them: net_sources() */
    uint64_t size;             /* of the file; 0: not known */
    uint64_t max;              /* with size 0: at most so many bytes; 0: no limit */
    const char *sha256;        /* its digest, 64 hex digits; NULL: not known */
    const char *authorization; /* value of that header, or NULL */
    /* Called with bytes that came, negative when some are thrown away; from any thread. NULL: nobody listens. */
    void (*progress)(void *self, int64_t bytes);
    void *self;
};

struct download_result {
    char sha256[65];
    uint64_t size;
    uint64_t kept;   /* bytes that an earlier run had fetched */
    const char *url; /* where it came from; borrowed from `urls` */
};

/*
 * Of sources that fail, the error is that of net_worse(): ERR_UNTRUSTED (E_DIGEST) when one gives other bytes, else
 * ERR_UNREACHABLE as http_range() says. What no other source can mend ends it at once: ERR_FAILED (E_SPACE and the
 * disk's errors), ERR_REFUSED when another run fetches the same file, ERR_CANCELLED. What came is kept beside `path`
 * for the next run when the digest is known, so that it can be gone on with.
 */
struct err *download(struct download_result *ret, const struct download *d, struct net *n) ERR_MUST;
