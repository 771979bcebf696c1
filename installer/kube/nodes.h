/* nodes: Node objects. */
#pragma once
#include "kube/kube.h"

/* A Node object of that name, to be looked up or deleted; new memory. */
struct doc *kube_node(const char *name);
/* Whether its kubelet reports and says Ready; false for NULL. */
bool kube_node_ready(const struct doc *node);
/*
 * Merge patch (RFC 7396): maps key by key, null takes a key away, lists are replaced whole. *ret_known says whether the
 * API has such a node; NULL: it is an error when not.
 */
struct err *kube_node_patch(struct kube *k, const char *name, const struct doc *patch, bool *ret_known) ERR_MUST;
