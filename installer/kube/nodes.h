/* nodes: Node objects. */
#pragma once
#include "doc/doc.h"

/* A Node object of that name, to be looked up or deleted; new memory. */
struct doc *kube_node(const char *name);
/* Whether its kubelet reports and says Ready; false for NULL. */
bool kube_node_ready(const struct doc *node);
