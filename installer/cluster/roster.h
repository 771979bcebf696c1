/*
 * roster: the hosts that a cluster has, as it remembers them itself. Hosts that left cluster.yaml are known from it
 * alone: how to reach them, and what they were.
 */
#pragma once
#include "cluster/cluster.h"

/*
 * The hosts of cluster.yaml as a list of {name, address, user, port, key, hostKey, controlPlane, worker, labels,
 * taints}; labels and taints are all that the node gets, those of its roles included.
 */
struct doc *roster_new(const struct cluster *c);
/* The entries of `before` whose names `c` has not, in new memory. */
struct doc *roster_leaving(const struct doc *before, const struct cluster *c);
/* `before` with the hosts of `c` added and brought up to date: no host is forgotten, and no label or taint. */
struct doc *roster_join(const struct doc *before, const struct cluster *c);
/*
 * ERR_USAGE, at the host's roles, when a host became one of the control plane or ceased to be one in place: its etcd
 * member comes and goes with the machine.
 */
struct err *roster_check(const struct doc *before, const struct cluster *c) ERR_MUST;
/*
 * An entry as a host; its strings are borrowed from the entry, `key` included (do not free it). ERR_FAILED when the
 * entry is damaged. ERR_USAGE when a host of `c` has its address under another name.
 */
struct err *roster_host(struct host *ret, const struct doc *entry, const struct cluster *c) ERR_MUST;
