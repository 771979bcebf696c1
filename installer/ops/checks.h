/* checks: what must hold on one machine, asked of the facts about it. No I/O. */
#pragma once
#include "ops/fleet.h"

/* The request for the helper's "facts": what the release's components declare. */
struct doc *checks_request(const struct fleet *f);
/*
 * All checks of `m`, whose facts are in m->done, as {id, result: pass|warn|fail, value, want, fix} into the list. A
 * host that could not be reached (m->error) has the one check that says why. ERR_FAILED when the bundle cannot be read.
 */
struct err *checks_of(struct doc *into, const struct fleet *f, const struct member *m) ERR_MUST;
