/*
 * inventory: what this installer has put into the cluster, so that what a newer release no longer has can be removed
 * (K8S-9). A list of {apiVersion, kind, namespace, name, digest} in the order of installation, kept in the ConfigMap
 * kube-system/caisson-inventory. The list is the authority, not labels.
 */
#pragma once
#include "kube/kube.h"

/* Appends an entry for `object`; `digest` (may be NULL) is the caller's digest of it. */
void inventory_add(struct doc *list, const struct doc *object, const char *digest);
/* The entry of the same object (group, kind, namespace, name: any version of the group), or NULL; borrowed. */
const struct doc *inventory_find(const struct doc *list, const struct doc *entry);

/* The stored list; an empty one when there is none yet. ERR_FAILED when it is damaged. */
struct err *kube_inventory_get(struct kube *k, struct doc **ret) ERR_MUST;
struct err *kube_inventory_put(struct kube *k, const struct doc *list) ERR_MUST;

enum prune_allow {
    PRUNE_NAMESPACES = 1,
    PRUNE_CRDS = 2,
    PRUNE_VOLUME_CLAIMS = 4,
};

/*
 * Pure: what of `before` is not in `after`, last installed first: list of entries with "action" ("delete" or "keep")
 * and, when kept, "reason". Namespaces, CRDs and PersistentVolumeClaims are kept unless `allow` (enum prune_allow bits)
 * names them: deleting one takes data along.
 */
struct doc *prune_plan(const struct doc *before, const struct doc *after, unsigned allow);

/*
 * Does what prune_plan() said and marks each entry with what became of it; call it only once all of `after` is Current.
 * An object that another owner has taken over since (its managers no longer include ours) is kept.
 */
struct err *kube_prune(struct kube *k, struct doc *plan) ERR_MUST;
