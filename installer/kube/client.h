/* client: what the files of this room share beside kube.h. */
#pragma once
#include "kube/kube.h"

/* kube_call() that tries again for `retry_ms` only: where 429 is an answer and no sign of overload. */
struct err *kube_call_for(struct kube *k, int64_t retry_ms, const char *method, const char *path, const char *type,
                          const struct doc *body, long *ret_status, struct doc **ret) ERR_MUST;
/* One GET of a health path, not repeated; its text is the list of checks. */
struct err *kube_probe(struct kube *k, const char *path, long *ret_status, struct buf *text) ERR_MUST;
/* The cancel flag the client was made with, or NULL. */
const struct cancel *kube_cancel(const struct kube *k);
