/* objects_diff: what the Kubernetes API has against what it should have. Pure: nobody is asked. */
#pragma once
#include "cluster/cluster.h"

/* ERR_USAGE, with the place, when two of the manifests' objects are one in the API: same group, kind, namespace and
 * name. */
struct err *objects_unique(const struct doc *all) ERR_MUST;
/*
 * Appends to `apply` copies of those objects of `all` that the inventory `before` has not, or with another digest; to
 * `inventory` what it will be afterwards.
 */
struct err *objects_diff(struct doc *apply, struct doc *inventory, const struct doc *before, const struct doc *all)
    ERR_MUST;
/*
 * Appends {name, body} to `patches` when the live node (NULL: none yet) lacks labels or taints that `h` should have, or
 * still has those that its roster entry `old` (NULL: none) names and `h` does not want any more: `body` is a merge
 * patch, but for its taints, which are only ours; those to be taken off have "gone".
 */
void objects_diff_node(struct doc *patches, const struct host *h, const struct doc *old, const struct doc *live);
/*
 * The merge patch for the node as it is now; new memory. Taints are one list to the API, so those that others put on
 * the node are in it, and the resourceVersion that it was made from.
 */
struct doc *objects_node_patch(const struct doc *patch, const struct doc *live);
