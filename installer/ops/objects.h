/*
 * objects: what caisson keeps in the Kubernetes API: the release's manifests with their inventory, and labels and
 * taints of nodes. Reached through a control-plane host's SSH connection.
 */
#pragma once
#include "kube/inventory.h"
#include "ops/fleet.h"

#define OBJECTS_ROSTER "caisson-hosts" /* ConfigMap of kube-system */

struct objects {
    struct kube *kube;     /* NULL: no control plane runs yet */
    struct doc *apply;     /* list of objects that differ from what was applied */
    struct doc *inventory; /* what will be true afterwards */
    struct doc *before;    /* the inventory in the cluster */
    struct doc *roster;    /* the hosts that the cluster knows (cluster/roster.h); empty without a cluster */
    struct doc *nodes;     /* list of patches: nodes whose labels or taints differ */
};

/* Compares objects and nodes with what the cluster has; without a running control plane everything is to be made. */
struct err *objects_compare(struct objects *o, struct fleet *f) ERR_MUST;
/* Waits until an API server of the cluster serves; o->kube leads to it. */
struct err *objects_reach(struct objects *o, struct fleet *f) ERR_MUST;
/*
 * Waits until all hosts are registered as nodes; sets labels and taints, applies what differs, waits until it works and
 * all nodes are Ready, prunes what left, records the inventory.
 */
struct err *objects_apply(struct objects *o, struct fleet *f) ERR_MUST;
/* Waits until all nodes of cluster.yaml are Ready and every object of the release is what it should be (K8S-10). */
struct err *objects_wait(struct objects *o, const struct fleet *f) ERR_MUST;
/* {apply: [name], prune: [name], nodes: [name], changes} for people and machines. */
struct doc *objects_report(const struct objects *o);
void objects_done(struct objects *o);
