/* preflight: what must hold on a machine before anything is changed on it; every check has an id and a way
 * out. */
#pragma once
#include "ops/fleet.h"

/* Checks the hosts that have no generation yet. ERR_REFUSED with all failed checks in the text. */
struct err *preflight_fresh(struct fleet *f) ERR_MUST;
