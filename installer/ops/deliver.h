/* deliver: brings to one node what its wanted generation needs. Each function asks first and sends what is
 * missing. */
#pragma once
#include "ops/fleet.h"

/* Packages, secrets, certificates, runtime files and the generation itself; nothing that runs is touched. */
struct err *deliver_generation(struct fleet *f, struct member *m) ERR_MUST;
/* Writes one runtime file: what changes without a generation. */
struct err *deliver_runtime(struct fleet *f, struct member *m, const char *name, const char *text) ERR_MUST;
/*
 * Activates the delivered generation and waits until its units are ready; meanwhile missing images are imported, from
 * the moment on at which the runtime is ready. Fills m->done.
 */
struct err *deliver_activate(struct fleet *f, struct member *m) ERR_MUST;
