/* sign: one more officer's signature for a bundle that is built. */
#pragma once
#include "bundle/bundle.h"
#include "crypt/key.h"

struct sign_opts {
    const char *path;         /* the bundle; replaced atomically */
    const struct key *key;    /* who signs */
    const char *const *trust; /* for bundle_open(); NULL: the public half of `key` */
    size_t n_trust;
    bundle_progress progress; /* of the verification; may be NULL */
    void *self;
};

/*
 * Verifies the bundle, every byte, and puts the key's signature of its release into it; nothing else in the file
 * changes. Into *ret (path, digest, signers, threshold, added: false when the key has signed already). ERR_UNTRUSTED
 * for a bundle that is not good, ERR_REFUSED (E_KEY_ROLE) when its last root document gives the key no release role.
 */
struct err *sign_bundle(struct doc **ret, const struct sign_opts *o) ERR_MUST;
