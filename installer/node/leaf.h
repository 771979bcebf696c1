/* leaf: certificates of this node, for the state. */
#pragma once
#include "doc/doc.h"

/* Adds {name: {description, notAfter, serial}} for every installed pair below `dir`. */
struct err *leaf_states(struct doc *leafs, int dir) ERR_MUST;
