/* fleet: the cluster's hosts in reach, each with what it is and what separates it from its wanted generation.
 */
#pragma once
#include "ops/context.h"
#include "run/node.h"

struct member {
    const struct host *host;
    const struct generation *want; /* NULL without context_full() */
    struct node *node;             /* NULL when it could not be reached */
    struct doc *state;             /* the helper's answer to "state" */
    struct doc *diff;              /* diff_node(), NULL without `want` */
    struct doc *done;              /* what a run did here: {restarted, started, stopped} */
    struct doc *missing;           /* by missing_find(): what it lacks and no bundle has, as texts; else NULL */
    bool imported;                 /* its images, by this run */
    bool finished;                 /* it has all that the run wanted of it */
    struct err *error;             /* why it could not be reached */
    bool chosen;                   /* by the verbs that work on some hosts only */
};

struct fleet {
    struct context *x;
    struct member *at; /* in the order of cluster.yaml */
    size_t n;
};

/* Connects all hosts at once, and asks each for its state. An unreachable host has `error`; the call itself
 * succeeds. */
struct err *fleet_connect(struct fleet *f, struct context *x) ERR_MUST;
/* The same for hosts that cluster.yaml does not have (any more); `hosts` is borrowed, nothing is wanted of them. */
struct err *fleet_connect_others(struct fleet *f, struct context *x, const struct host *hosts, size_t n) ERR_MUST;
/* ERR_UNREACHABLE... when a host could not be reached (takes the members' errors). */
struct err *fleet_require_all(struct fleet *f) ERR_MUST;
/* Runs `fn` for every member at once; one error for all. */
struct err *fleet_each(struct fleet *f, struct err *(*fn)(struct fleet *f, struct member *m)) ERR_MUST;
/* No generation has ever become active on it: it is empty, or its first activation was cut off. */
bool member_is_new(const struct member *m);
/* All its units were active when it was asked. */
bool member_is_active(const struct member *m);
/*
 * A reachable control-plane host that is not new, one whose units are all active if there is one. NULL: there is no
 * cluster yet, or none in reach.
 */
struct member *fleet_control_plane(struct fleet *f);
void fleet_done(struct fleet *f);
#define OWN_FLEET OWN(fleet_done)
