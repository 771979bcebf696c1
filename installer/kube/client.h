/* client: what the files of this room share beside kube.h. */
#pragma once
#include "kube/kube.h"

/* One GET of a health path, not repeated; its text is the list of checks. */
struct err *kube_probe(struct kube *k, const char *path, long *ret_status, struct buf *text) ERR_MUST;
/* The cancel flag the client was made with, or NULL. */
const struct cancel *kube_cancel(const struct kube *k);
