/* leftovers: what outlives stopped services: processes out of our packages with all their children, and mounts. */
#pragma once
#include "base/str.h"
#include "doc/doc.h"

struct node;

/*
 * Kills, until none is left, every process whose program lies in a package of this node, its descendants, and those
 * in a cgroup one of whose path parts is in `cgroups` (a list of names, may be NULL).
 */
struct err *leftovers_kill(const struct doc *cgroups) ERR_MUST;
/* Unmounts everything mounted below the absolute `paths`, innermost first; a path that is a mount itself stays one. */
struct err *leftovers_unmount(const struct node *n, const struct strs *paths) ERR_MUST;
/* Deletes the cgroups of these names, and what is below them, at the top of every hierarchy; no process is in them. */
struct err *leftovers_cgroups_drop(const struct doc *cgroups) ERR_MUST;
