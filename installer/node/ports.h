/* ports: who listens where on this machine. */
#pragma once
#include "doc/doc.h"

/* Adds {"6443": "process name"} for each of `ports` (a list of numbers) that some socket listens on; "?" when unknown.
 */
void ports_in_use(struct doc *map, const struct doc *ports);
