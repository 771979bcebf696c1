/* nodes: Node objects. */
#pragma once
#include "kube/kube.h"

/* A Node object of that name, to be looked up or deleted; new memory. */
struct doc *kube_node(const char *name);
/* Whether its kubelet reports and says Ready; false for NULL. */
bool kube_node_ready(const struct doc *node);
/*
 * Merge patch (RFC 7396): maps key by key, null takes a key away, lists are replaced whole. *ret_other says whether the
 * answer had the HTTP status `other`, which is no error then: 404 for a node that is not there, 409 for one that is no
 * longer at the patch's resourceVersion.
 */
struct err *kube_node_patch(struct kube *k, const char *name, const struct doc *patch, long other, bool *ret_other)
    ERR_MUST;
