/* probe: is a unit that runs also ready? One look, no waiting beyond a second. */
#pragma once
#include "doc/doc.h"
#include "node/units.h"

struct node;

/*
 * NULL when the unit with `status` meets `ready` (of the manifest; NULL: being active is enough). Otherwise an error
 * that says what is missing: ask again later.
 */
struct err *probe_ready(const struct node *n, const struct doc *ready, const struct unit_status *status) ERR_MUST;
/* Connects to a numeric address within the time; the caller closes *ret_fd (non-blocking). */
struct err *probe_connect(int *ret_fd, const char *address, int port, int64_t timeout_ms) ERR_MUST;
