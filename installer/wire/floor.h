/*
 * floor: what a cluster remembers of the releases that it had, so that an old one, however validly signed, does not
 * come back unnoticed. Both ends of the wire keep and compare the same records; nothing here reads or writes a file.
 *
 * A record is the newest release of one product and profile: {product, profile, channel, version, epoch, sequence,
 * digest ("sha256:..."), root, issued, rollbackTo: [{epoch, sequence}], kubernetes?}. `root` is the highest version of
 * a root document of the product that was seen, the same in all its records; `issued` the latest time; both only grow.
 * Records stand in a map under "PRODUCT/PROFILE". The rules: bundles/README.md, "What an installer remembers".
 */
#pragma once
#include "doc/doc.h"

enum { FLOOR_STEP_MAX = 10000, FLOOR_BYTES_MAX = 1 << 20 };

/* ERR_UNTRUSTED unless it is a map of records in this form, each under its name. */
struct err *floor_check_form(const struct doc *map) ERR_MUST;
/* The record for the product and profile of `like` (a record, or a release's predicate), or NULL; borrowed. */
const struct doc *floor_find(const struct doc *map, const struct doc *like);
/* "0.12": epoch and sequence of a record. */
void floor_position(char ret[48], const struct doc *record);
/* Below, at or above 0 as position `a` is below, at or above `b`; both are records, or releases' predicates. */
int floor_compare(const struct doc *a, const struct doc *b);
/* The latest `issued` of all records, in seconds since 1970; 0 when there is none. */
int64_t floor_newest(const struct doc *map);

/*
 * Whether release `next` (a record) may follow what `map` has of its product and profile. `allow`: positions {epoch,
 * sequence} to which the operator allows a return. ERR_UNTRUSTED: E_ROLLBACK (lower, and not allowed by the operator
 * and by the record; or the same position with another digest), E_FASTFORWARD (too far above), and as
 * floor_check_root().
 */
struct err *floor_check(const struct doc *map, const struct doc *next, const struct doc *allow) ERR_MUST;
/* The same for one of several that remember, who may have missed some: how far above it is does not matter. */
struct err *floor_check_not_back(const struct doc *map, const struct doc *next, const struct doc *allow) ERR_MUST;
/* ERR_UNTRUSTED (E_ROOT_CHAIN) when a record of its product, of whatever profile, has a newer root document. */
struct err *floor_check_root(const struct doc *map, const struct doc *next) ERR_MUST;
/* True when `next` is the release that `seen` is, and says nothing newer. */
bool floor_is_same(const struct doc *seen, const struct doc *next);
/* Puts `next`, which may follow, into the place of what was seen of its product and profile. */
void floor_set(struct doc *map, const struct doc *next);
/*
 * Takes over from `more` what is higher than in `map`: what several remember is the highest of all. ERR_UNTRUSTED
 * (E_ROLLBACK) when they remember different releases of one position; what comes behind that is not taken over.
 */
struct err *floor_merge(struct doc *map, const struct doc *more) ERR_MUST;
