/* reset: everything of caisson off one machine. */
#pragma once
#include "ops/fleet.h"

/* Fills m->done with what was removed. The cluster is told nothing. */
struct err *reset_member(struct fleet *f, struct member *m) ERR_MUST;
