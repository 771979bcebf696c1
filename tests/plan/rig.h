/* rig: the real definitions of the profile "minimal" with made-up digests and keys, and clusters written as text. */
#pragma once
#include "check.h"
#include "plan/diff.h"
#include "plan/render.h"

/* What must never be seen outside of `secrets`. */
#define CANARY_KEY "CANARY-service-account-key"
#define CANARY_ENCRYPTION "Q0FOQVJZLWVuY3J5cHRpb24ta2V5"
#define CANARY_DIGEST_KEY "CANARY-digest-key"

/* Three control-plane hosts and two workers; rig_cluster() puts `more` below "spec". */
#define RIG_HOSTS                                                                                                      \
    "  hosts:\n"                                                                                                       \
    "    - {name: cp1, roles: [control-plane], ssh: {address: 10.9.0.11}}\n"                                           \
    "    - {name: cp2, roles: [control-plane], ssh: {address: 10.9.0.12}}\n"                                           \
    "    - {name: cp3, roles: [control-plane, worker], ssh: {address: 10.9.0.13}}\n"                                   \
    "    - {name: w1, roles: [worker], ssh: {address: 10.9.0.21}}\n"                                                   \
    "    - {name: w2, roles: [worker], ssh: {address: 10.9.0.22}}\n"

struct rig {
    struct release release;
    struct doc *authorities, *shared;
    struct identity id;
};

void rig_init(struct rig *g);
void rig_done(struct rig *g);
#define OWN_RIG OWN(rig_done)

/* A cluster.yaml of `more`: lines below "spec", indented by two. Its first line is line 8 of the file. */
struct cluster *rig_cluster(const char *more);

/* One cluster with everything that is rendered for it. */
struct rendering {
    struct cluster *cluster;
    struct doc *vars, *objects;
    struct generation *of; /* one a host, in their order */
};

/* Renders all; the cluster passes to the rendering. */
void rig_render(struct rendering *ret, const struct rig *g, struct cluster *c);
void rendering_done(struct rendering *x);
#define OWN_RENDERING OWN(rendering_done)
const struct generation *rendering_of(const struct rendering *x, const char *host);

/* Canonical JSON of a tree, or of all parts of a generation, in new memory. */
char *rig_json(const struct doc *d);
char *rig_bytes(const struct generation *g);
/* The text of the file `name` of the generation, secret or not; borrowed, NULL when there is none. */
const char *rig_file(const struct generation *g, const char *name);
/* The `key` of each element of a list, sorted, with ' ' between them; in new memory. */
char *rig_names(const struct doc *list, const char *key);
/* Names of those units whose `inputs` differ, or that only one of the two has; as rig_names(). */
char *rig_changed_units(const struct generation *a, const struct generation *b);
/* What the helper answers to "state" when it is exactly as wanted; certificates end at `not_after`. */
struct doc *rig_state(const struct generation *g, int64_t not_after);
