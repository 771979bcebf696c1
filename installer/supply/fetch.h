/* fetch: fills a cache with what a lock names, out of the net. */
#pragma once
#include "doc/doc.h"
#include "net/net.h"

struct fetch_opts {
    const char *lock;
    const char *cache; /* made when it is missing */
    struct net *net;
    const char *auth; /* logins for registries (credentials.h), or NULL */
};

enum fetch_state { FETCH_RUNS, FETCH_DONE, FETCH_FAILED };

/* Told what happens to the entry `id`, or to all of them (NULL), with bytes done and in all. From any thread. */
typedef void (*fetch_says)(void *self, enum fetch_state state, const char *id, const char *text, uint64_t done,
                           uint64_t total);

/*
 * Looks at every entry of the lock, by its digest; fetches those that the cache lacks or has damaged, a few at a time,
 * takes files out of archives and images out of registries, by the digests of the lock. *ret (also beside an error):
 * {lock, cache, entries, present, fetched, bytes (that came), files: [{id, sha256, size, url, kept}], missing: [{id,
 * sha256, size, way}]}. What one entry lacks does not keep others from being fetched. ERR_UNREACHABLE when sources fail
 * (http/range.h has the words); ERR_UNTRUSTED (E_LOCK) for the lock, and when a source's bytes are not those of the
 * lock; ERR_FAILED (E_MISSING) when entries have no source, E_SPACE before the first byte (of an image: before its
 * first layer); ERR_CANCELLED. A run that was killed is gone on with by the next.
 */
struct err *bundle_fetch(struct doc **ret, const struct fetch_opts *o, fetch_says says, void *self) ERR_MUST;
