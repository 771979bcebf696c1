/* preflight: what must hold on a machine before anything is changed on it; every check has an id and a way
 * out. The same checks for the verb and inside `apply`; facts are overridden (README.md) for the verb alone. */
#pragma once
#include "ops/fleet.h"

/* Checks the hosts that have no generation yet. ERR_REFUSED with all failed checks in the text. */
struct err *preflight_fresh(struct fleet *f) ERR_MUST;
