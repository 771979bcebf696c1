/* diff: what separates a node from its wanted generation, as a tree that is printed, saved and carried out.
 */
#pragma once
#include "plan/render.h"

/* Leaf certificates are renewed when half of their life is over (PKI-2). */
#define LEAF_LIFE_S ((int64_t)365 * 24 * 3600)

/*
 * Compares. `state` is the helper's answer to "state", `now_s` the time that certificates are judged by. The
 * result: {host, from, to, fresh, activate, units: [{name, action}], leafs: [{name, reason}], images: [name@digest],
 * unpin: [name], runtime: [name], changes}. `images` are to be imported, `unpin` are left to the kubelet's image
 * collection. changes is 0 when the node is as wanted.
 */
struct doc *diff_node(const struct generation *want, const struct doc *state, int64_t now_s);
/* The name in "name@digest"; new memory, NULL without any. */
char *image_name(const char *image);
/* One line for each change, for people, appended to `out`. */
struct err *diff_text(struct buf *out, const struct doc *diff) ERR_MUST;
