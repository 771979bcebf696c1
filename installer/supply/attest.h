/* attest: what upstream publishes beside its files to prove them: lists of digests, signatures. Private to supply/. */
#pragma once
#include "doc/doc.h"
#include "net/net.h"

struct attest {
    const struct doc *evidence; /* of the definition (upstream.c has the form), or NULL: there is none */
    const char *bundles_dir;    /* the keyring's folder */
    const char *cache;          /* where lists and signatures are kept, as blobs */
    const char *url, *path;     /* the file: its address, and here */
    const char *sha256;
    struct net *net;
};

/*
 * Checks the file and makes the lock's `upstream` of it: type, ref, sha256, key. ERR_UNTRUSTED (E_LOCK) when the list
 * has not the file, or another digest, or no good signature; ERR_UNREACHABLE when the evidence cannot be had.
 */
struct err *attest(struct doc **ret, const struct attest *a) ERR_MUST;

/* The digest of `name` in a list as sha256sum writes it, or of a list that is one digest alone. E_LOCK. */
struct err *attest_sum(char ret[65], const char *list, size_t n, const char *name) ERR_MUST;
