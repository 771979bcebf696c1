/*
 * render: the wanted generation of a node, and the cluster's objects, out of the spec, the release and the
 * cluster's identity. Pure: equal inputs give equal bytes (no time, counter or random value enters).
 */
#pragma once
#include "cluster/cluster.h"
#include "crypt/digest.h"
#include "plan/release.h"

/* What the vault gives: authorities' certificates, and the secrets that nodes share. Texts are borrowed. */
struct identity {
    const struct doc *authorities;      /* map: name -> certificate PEM */
    const struct doc *shared;           /* map: serviceAccountKey (PEM), encryptionKey (base64) */
    const char *service_account_public; /* PEM */
    const char *digest_key;             /* keys the digests of secrets: HMAC-SHA-256 */
};

struct generation {
    const struct host *host;
    struct doc *manifest; /* contract in node/: files, trees, units, leafs, sysctl, modules, images, owned */
    struct doc *texts;    /* map: sha256 -> text, for files and units */
    struct doc *secrets;  /* map: id -> text */
    struct doc *leafs;    /* map: name -> {ca, cn, orgs, dns, ips, usages, owner, description} */
    struct doc *runtime;  /* map: name -> text: what changes without a generation */
    struct doc *initial;  /* the same for an empty node only: never compared again */
    char digest[DIGEST_HEX];
};

/* Variables that do not depend on a node, checked overrides included. ERR_USAGE. */
struct err *render_vars(struct doc **ret, const struct cluster *c, const struct release *r, const struct identity *id)
    ERR_MUST;
/* The generation of `h`. `vars` is from render_vars() and is left as it was. */
struct err *render_generation(struct generation *ret, const struct cluster *c, const struct release *r,
                              const struct identity *id, const struct doc *vars, const struct host *h) ERR_MUST;
/* All objects of the manifests, in the order of the profile, as a list. */
struct err *render_objects(struct doc **ret, const struct release *r, const struct doc *vars) ERR_MUST;
void generation_done(struct generation *g);
