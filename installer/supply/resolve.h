/*
 * resolve: makes the lock of a profile: finds where each file and image that it needs is published, fetches it once and
 * notes what it is. Nothing else resolves anything; who builds or fetches takes what the lock says or nothing.
 */
#pragma once
#include "doc/doc.h"
#include "net/net.h"
#include "supply/build.h"

struct resolve_opts {
    const char *profile;     /* profiles/<name>.yaml */
    const char *bundles_dir; /* folder of the component definitions */
    const char *cache;       /* all that is fetched comes to blobs/sha256 in it */
    const char *lock;        /* the lock; what is pinned in it stays as it is */
    bool update;             /* unless this is set: then all is looked up again */
    const char *platform;    /* "linux/amd64" */
    const char *auth;        /* logins for registries (credentials.h), or NULL */
    const struct net_opts *net;
};

/*
 * Writes the lock, when all of it is known, and tells what is new in it: *ret is {path, profile, platform, entries
 * (their number), kept, added: [...], changed: [...], removed: [...]}, whose elements are {id, sha256, size}; of a
 * changed one also `was`, the same of before. ERR_USAGE for the files, with line and column; ERR_UNTRUSTED for E_LOCK
 * and what download(), registry_pull(), attest() refuse; ERR_UNREACHABLE, ERR_CANCELLED. After an error the lock is as
 * it was.
 */
struct err *bundle_lock(struct doc **ret, const struct resolve_opts *o, build_progress progress, void *self) ERR_MUST;
