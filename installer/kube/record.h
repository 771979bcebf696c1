/*
 * record: what caisson must remember of a cluster beside its own files: lists, each in a ConfigMap of kube-system,
 * which no kubelet may write.
 */
#pragma once
#include "kube/kube.h"

/* The list in ConfigMap kube-system/`name`; an empty one when there is none yet. ERR_FAILED when it is damaged. */
struct err *kube_record_get(struct kube *k, struct doc **ret, const char *name) ERR_MUST;
struct err *kube_record_put(struct kube *k, const char *name, const struct doc *list) ERR_MUST;
