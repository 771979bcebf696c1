/*
 * leave: hosts that are in the cluster but not in cluster.yaml any more, known from the roster that the cluster keeps
 * (ConfigMap kube-system/caisson-hosts).
 */
#pragma once
#include "ops/fleet.h"
#include "ops/objects.h"

struct leave {
    struct doc *leaving; /* entries of o->roster that cluster.yaml has not */
    struct host *hosts;  /* the same as hosts */
    struct fleet fleet;  /* the same, connected where they can be */
};

/* Finds and connects the hosts that leave; `o` is compared already. Without a cluster nobody leaves. */
struct err *leave_compare(struct leave *l, struct fleet *f, struct objects *o) ERR_MUST;
/* Records all hosts, those that leave included, before anything is done to one: an interrupted run forgets nobody. */
struct err *leave_record(struct fleet *f, struct objects *o) ERR_MUST;
/* Records the hosts of cluster.yaml and nothing else, once all has been done. */
struct err *leave_settle(struct fleet *f, struct objects *o) ERR_MUST;
/*
 * The lost ones (out of reach, or no machine of this cluster any more), before others join: etcd takes no member while
 * one is down. ERR_REFUSED when Kubernetes says after a while that such a host still runs.
 */
struct err *leave_lost(struct leave *l, struct fleet *f, struct objects *o) ERR_MUST;
/* The living ones, after everything else: drained, out of etcd, reset, forgotten. One at a time. */
struct err *leave_living(struct leave *l, struct fleet *f, struct objects *o) ERR_MUST;
/* List of {host, lost, done} for people and machines. */
struct doc *leave_report(const struct leave *l);
void leave_done(struct leave *l);
