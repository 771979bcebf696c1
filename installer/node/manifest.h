/*
 * manifest: what a generation of this node is: canonical JSON whose sha256 is its identity. Everything in it is
 * checked against one table before anything is done with it.
 */
#pragma once
#include "doc/doc.h"

/* ERR_USAGE unless the map is a manifest: known keys, sound names, digests, uids and probes. */
struct err *manifest_check(const struct doc *m) ERR_MUST;
/* The unit named so, or NULL; borrowed. */
const struct doc *manifest_unit(const struct doc *m, const char *name);
/* Loads and checks generations/<n>/manifest.json below `dir`; ret_digest (65 bytes, may be NULL) gets its identity. */
struct err *manifest_load(struct doc **ret, char *ret_digest, int dir, int64_t generation) ERR_MUST;
/*
 * The note beside a generation's manifest: {state: pending, done or failed, previous, at, release, epoch}. Loading
 * leaves *ret NULL when there is none.
 */
struct err *activation_load(struct doc **ret, int dir, int64_t generation) ERR_MUST;
struct err *activation_store(int dir, int64_t generation, const struct doc *note) ERR_MUST;
/* Number of the generation that `current` points to, 0 for none. */
struct err *generation_current(int64_t *ret, int dir) ERR_MUST;
