/*
 * registry: images out of OCI registries (distribution-spec, pull): manifests by tag or digest, tokens, redirects,
 * mirrors. An index for many platforms is kept whole, byte for byte; of the images in it only the one that is wanted is
 * fetched.
 *
 *   E_REG_NOTFOUND  no such image or tag                    ERR_FAILED
 *   E_REG_AUTH      it refuses us, also with a login        ERR_FAILED
 *   E_REG_BUSY      it says so, or is broken (429, 5xx)     ERR_UNREACHABLE
 *   E_REG_HTTP      another status, or too many redirects   ERR_UNREACHABLE
 *   E_SRC_...       the way there: http/range.h             ERR_UNREACHABLE
 *   E_DIGEST, E_SIZE, E_LIMIT, E_OCI, E_PLATFORM            ERR_UNTRUSTED
 */
#pragma once
#include "base/own.h"
#include "net/imageref.h"
#include "net/net.h"

struct registry;

/* `auth` is a file with logins (credentials.h), or NULL. `net` is borrowed. For one thread at a time. */
struct err *registry_new(struct registry **ret, struct net *net, const char *auth) ERR_MUST;
void registry_free(struct registry *r);
OWN_DEFINE(registry, registry)
#define OWN_REGISTRY OWN(registry_freep)

struct registry_pull {
    const char *ref;      /* as imageref_parse() reads it */
    const char *platform; /* "linux/amd64" */
    const char *sha256;   /* the manifest that it must be, or NULL: what the tag or digest in `ref` says */
    const char *index;    /* with `sha256`: the index that it stands in, or NULL: in none */
    const char *cache;    /* folder with blobs/sha256/: all comes there */
    /*
     * Called with bytes of layers, as download() does, and with the sum of all before the first; then again when
     * another source is tried: what was said of the one before does not count. NULL: nobody listens.
     */
    void (*begin)(void *self, uint64_t bytes);
    void (*progress)(void *self, int64_t bytes);
    void *self;
};

struct registry_image {
    char sha256[65]; /* of the manifest */
    uint64_t size;
    char index[65]; /* of the index it stands in, or "" */
    uint64_t index_size;
};

/*
 * Fetches the image, from a mirror first when there is one. What is in the cache and has its digest is not fetched
 * again. The manifest comes last into the cache: an image whose manifest is there is whole. A mirror may be http when
 * the digest is known, and gets no login then (else ERR_USAGE). Of mirrors that fail, the error is net_worse()'s; what
 * none can mend (E_SPACE, the disk) ends it at once.
 */
struct err *registry_pull(struct registry_image *ret, struct registry *r, const struct registry_pull *want) ERR_MUST;
