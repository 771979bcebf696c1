/* marks: the labels and taints that a host's node has in Kubernetes, those of its roles included. */
#pragma once
#include "cluster/cluster.h"

/* A map of texts; new memory. */
struct doc *host_labels(const struct host *h);
/* A list of {key, value, effect}; new memory. A control-plane host takes no other work unless it is a worker too. */
struct doc *host_taints(const struct host *h);
/* The taint of the list with the key and effect of `taint`, by which the API tells them apart; NULL if none; borrowed.
 */
const struct doc *taint_find(const struct doc *list, const struct doc *taint);
