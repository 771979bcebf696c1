/*
 * pins: the trust store of this account, $XDG_CONFIG_HOME/caisson/trust/<product>/: root.json is the root document that
 * a person compared with the publisher, or a later one that follows from it; state.json is what was seen since: {root:
 * version, floors: (wire/floor.h)}. Both 0600. A root document never goes back. Where cluster.yaml has `trust`,
 * the store is not asked, but by `bundle verify` for the time.
 */
#pragma once
#include "bundle/bundle.h"
#include "cluster/cluster.h"
#include "supply/chain.h"

/* Folder of the product, in new memory. */
char *pins_folder(const char *product);
/*
 * Appends the root.json of `product`, or of all products when it is NULL. ERR_USAGE when there is none;
 * ERR_UNTRUSTED (E_ROOT_CHAIN) when one is older than what was seen.
 */
struct err *pins_files(struct strs *ret, const char *product) ERR_MUST;
/* The files that bundles are checked against: those of cluster.yaml, or else of the store. `c` may be NULL: the store.
 */
struct err *pins_trust(struct strs *ret, const struct cluster *c) ERR_MUST;
/* What was seen of the product's releases, from state.json; an empty map when nothing was. */
struct err *pins_floors(struct doc **ret, const char *product) ERR_MUST;
/* The latest time that floor_newest() knows of any product; 0 when nothing was seen. */
struct err *pins_newest(int64_t *ret) ERR_MUST;

enum pins_result { PINS_NEW, PINS_SAME, PINS_NEXT };
/*
 * What the last document of `c` would be to the store: a first one; the one that is there; a later one that follows
 * from it. ERR_UNTRUSTED: E_ROOT_CHAIN (an older one), E_ROOT_PIN (another one: what is pinned is never replaced).
 */
struct err *pins_look(enum pins_result *ret, const struct chain *c) ERR_MUST;
/*
 * Makes the last document of `c` the pinned one, if it is what pins_look() says still; a first one only when a person
 * `compared` it. ERR_UNTRUSTED as pins_look(), and E_ROOT_CHAIN when a later one was seen; ERR_REFUSED.
 */
struct err *pins_put(const struct chain *c, bool compared) ERR_MUST;
/*
 * Takes over the last root document of an accepted bundle. `floors` (may be NULL): what is installed now; the highest
 * is kept. ERR_UNTRUSTED (E_ROOT_PIN) when a document is pinned meanwhile from which it does not follow.
 */
struct err *pins_accept(const struct bundle *b, const struct doc *floors) ERR_MUST;
