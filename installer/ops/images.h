/* images: the container images that a node's generation names, in its runtime. */
#pragma once
#include "ops/fleet.h"

/* Asks the running runtime which images are complete; for images_is_complete(). */
struct err *images_complete(struct doc **ret, struct fleet *f, struct member *m) ERR_MUST;
/* The runtime prints a name a line; what stands behind it does not matter. */
bool images_is_complete(const struct doc *reply, const char *name);
/* Imports missing images into the running runtime and checks that all are complete there; once in a run. */
struct err *images_import(struct fleet *f, struct member *m) ERR_MUST;
/*
 * images_import(), then unpins those that left, so that the kubelet's image collection may take them, and lets the node
 * record what it has.
 */
struct err *images_deliver(struct fleet *f, struct member *m) ERR_MUST;
