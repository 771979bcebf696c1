/*
 * chain: a folder of root documents: NNNN/root.json with its signatures NNNN/<keyid>.sig, from 0001 on. It is what a
 * publisher keeps, hands from officer to officer, and builds into bundles.
 */
#pragma once
#include "bundle/root.h"
#include "crypt/key.h"

struct chain {
    struct root_raw *raw;
    struct doc **doc; /* parsed, as many */
    size_t n;
};

/*
 * Reads the folder. Each document continues the one before and has all signatures; only the last may lack some.
 * ERR_USAGE when there is no chain or a number is left out, ERR_UNTRUSTED for documents and signatures that are wrong.
 */
struct err *chain_load(struct chain *ret, const char *dir) ERR_MUST;
/* A chain of one document, signed by `key`. */
struct err *chain_of(struct chain *ret, const struct doc *root, const struct key *key) ERR_MUST;
/*
 * The root documents of a bundle, or one root.json. Nobody vouches for them: the first is signed by its own keys (a
 * single document not even that), each later one as a chain asks. For showing them to a person.
 */
struct err *chain_of_file(struct chain *ret, const char *path) ERR_MUST;
void chain_done(struct chain *c);
#define OWN_CHAIN OWN(chain_done)
/* The last document; borrowed. */
const struct doc *chain_last(const struct chain *c);
/* NULL when the last document has all its signatures; else ERR_REFUSED. */
struct err *chain_complete(const struct chain *c) ERR_MUST;
/*
 * {path, complete, documents: [{version, digest, product, epoch, expires?, deny, signers, roles: [{name, threshold,
 * keys:
 * [{id, scheme, signed}]}], needs: [{version, have, threshold}]}]}: `needs` is whose root keys have to sign it.
 */
struct err *chain_show(struct doc **ret, const char *dir) ERR_MUST;

/* The i-th document as chain_show() shows it, into the empty map `to`. */
struct err *chain_describe(struct doc *to, const struct chain *c, size_t i) ERR_MUST;

/* What a new document says; what is not given stays as it was, but for `expires`, which is stated anew each time. */
struct chain_change {
    const char *product; /* of a new chain; NULL: "caisson" */
    const char *expires; /* a time, or NULL */
    int64_t epoch;       /* or -1 */
    struct chain_role {
        const char *const *keys; /* public key files */
        size_t n;
        int64_t threshold; /* 0: as it was; 1 for a role that has one key */
    } root, release;
    const char *const *deny; /* "sha256:<hex>" of releases to add */
    size_t n_deny;
};

/* Writes version 1, or the version behind the last, unsigned. ERR_REFUSED when there is one, or the last is not
 * complete. */
struct err *chain_create(const char *dir, const struct chain_change *change) ERR_MUST;
struct err *chain_rotate(const char *dir, const struct chain_change *change) ERR_MUST;
/* Adds a signature to the last document. ERR_REFUSED (E_KEY_ROLE) when no signature of this key is asked for. */
struct err *chain_sign(const char *dir, const struct key *key) ERR_MUST;
