/* change: everything that separates a cluster from its cluster.yaml: what plan prints is what apply carries out. */
#pragma once
#include "ops/leave.h"
#include "ops/objects.h"

struct change {
    struct context context;
    struct fleet fleet;
    struct objects objects;
    struct leave leave;
};

struct run;

/*
 * Verifies, connects, compares; changes nothing. Every host of cluster.yaml must be in reach. `lock`: as in struct
 * context, or NULL.
 */
struct err *change_find(struct change *c, const struct run *r, int *lock) ERR_MUST;
/* {release, hosts: [diff_node() and what was done], leave, cluster, floor: memory_report(), changes}. */
struct doc *change_report(struct change *c);
void change_done(struct change *c);
#define OWN_CHANGE OWN(change_done)
