/*
 * drain: empties a node before it leaves, by the eviction API, so that PodDisruptionBudgets hold (K8S-3).
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/ and what kubectl drain leaves alone.
 */
#pragma once
#include "kube/kube.h"

/*
 * Pure: what a drain does with each pod of a PodList: list of {namespace, name, action, reason} with action "evict",
 * "leave" (DaemonSet and static pods, finished ones) or "refuse" (no controller would start it elsewhere).
 */
struct doc *drain_plan(const struct doc *pods);

/*
 * Cordons the node and evicts its pods until none is left that must go. A node that the API does not know is drained.
 * ERR_REFUSED, with nothing changed, when a pod has no controller; ERR_FAILED at the deadline (clock_ms()) with the
 * pods still there and what the API server said of each. `note`, may be NULL, hears how many are left.
 */
struct err *kube_drain(struct kube *k, const char *node, int64_t deadline_ms, void (*note)(void *arg, size_t left),
                       void *arg) ERR_MUST;
