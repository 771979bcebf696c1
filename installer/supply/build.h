/* build: a profile, component definitions, a lock and a cache of bytes in; one signed bundle out. Offline. */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doc;
struct keys_ask; /* supply/keys.h */

struct build_opts {
    const char *profile;        /* profiles/<name>.yaml */
    const char *bundles_dir;    /* folder of the component definitions */
    const char *lock;           /* <cache>/lock/<profile>.lock.json */
    const char *cache;          /* has blobs/sha256/<hex>; packages/ is made here */
    const char *key;            /* private key (PEM, 0600) that signs the release */
    const char *root;           /* folder of root documents (chain.h), which then state product and epoch; or NULL */
    const char *root_key;       /* without `root`: private key that signs the root document; NULL: `key` */
    const struct keys_ask *ask; /* for passphrases of keys; NULL: nobody */
    const char *out;            /* file to write; replaced atomically */
    const char *product;        /* NULL: "caisson" */
    const char *channel;        /* NULL: "stable" */
    const char *version;        /* of the release; NULL: the profile's `version` */
    const char *expires;        /* a time; NULL: never */
    uint32_t epoch;
    uint64_t sequence;             /* of releases of this product and profile, growing; below 2^53 */
    const struct doc *rollback_to; /* list of {epoch, sequence}: older releases to which this one allows a return; or
                                      NULL */
    int64_t source_date_epoch;     /* every time in the bundle: seconds since 1970 */
    const char *requires;          /* for an add-on profile: the bundle it needs; else NULL */
    const char *const *trust;      /* for bundle_open() of `requires`; NULL: the root key or documents of this build */
    size_t n_trust;
};

/* The product that the options name, or "caisson"; borrowed. */
static inline const char *build_product(const struct build_opts *o)
{
    return o->product ? o->product : "caisson";
}

/* Called with what is being done ("pack etcd", "write"), and bytes done and in all of that; false stops the build. */
typedef bool (*build_progress)(void *self, const char *what, uint64_t done, uint64_t total);

struct build_result {
    char digest[65];              /* of release.json */
    uint64_t bytes;               /* of the file */
    uint64_t members;             /* in the release */
    size_t signatures, threshold; /* of the release: made, and asked for by the last root document */
};

/*
 * Builds the bundle. Equal inputs give an equal release.json and equal members on any machine (only ECDSA signatures
 * differ from build to build). ERR_USAGE for definitions, profile and lock, with file and line; ERR_UNTRUSTED when a
 * byte in the cache is not what the lock says, or `root` is wrong; ERR_REFUSED when root documents lack signatures or
 * `key` is none of their release keys; ERR_CANCELLED when `progress` (which may be NULL) wants no more. Nothing is left
 * at `out` or beside it after an error.
 */
struct err *bundle_build(struct build_result *ret, const struct build_opts *o, build_progress progress, void *self)
    ERR_MUST;
