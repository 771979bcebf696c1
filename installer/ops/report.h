/* report: the tree that plan prints and apply ends with. */
#pragma once
#include "ops/fleet.h"
#include "ops/objects.h"

/* {release, hosts: [diff and what was done], cluster: {apply, prune}, changes}. */
struct doc *report_new(const struct fleet *f, const struct objects *o);
