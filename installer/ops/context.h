/*
 * context: what every verb that touches a cluster starts from: the checked spec, the verified bundles with their
 * definitions, the vault, the wanted generation of each host. Nothing here contacts a machine.
 */
#pragma once
#include "base/cancel.h"
#include "bundle/bundle.h"
#include "cluster/cluster.h"
#include "ops/identity.h"
#include "plan/diff.h"
#include "run/event.h"

struct context {
    struct cluster *cluster;
    struct bundle **bundles; /* the release's, then one for each add-on */
    size_t n_bundles;
    struct release release; /* what all of them say */
    struct vault *vault;
    struct doc *vars;
    struct generation *wanted; /* one a host, in the order of cluster.yaml */
    struct doc *objects;
    char *known_hosts;
    struct strs trust;       /* files: public keys and root documents that the bundles are checked against */
    struct doc *floors;      /* releases that this cluster had (memory.h); by context_full() what is known here */
    const struct doc *allow; /* as in struct run; borrowed */
    bool enforce_dates;
    int64_t now; /* for dates, by memory_now(); 0 before */
    int *lock; /* of a verb that changes the cluster: where context_full() leaves what hold_cluster() gives, or NULL */
    const struct events *events;
    const struct cancel *cancel;
};

/* Reads cluster.yaml only. */
struct err *context_spec(struct context *x, const char *path) ERR_MUST;
/*
 * Then everything: keeps other runs out (`lock`), verifies all bundles (every byte, before any machine is contacted),
 * opens the vault, renders. ERR_UNTRUSTED for a bundle, ERR_USAGE for files.
 */
struct err *context_full(struct context *x, const char *path) ERR_MUST;
/* The bundle that has the blob (hex digest), or NULL; borrowed. */
const struct bundle *context_bundle(const struct context *x, const char *digest);
void context_done(struct context *x);
#define OWN_CONTEXT OWN(context_done)
