/*
 * memory: which releases this cluster had. The control-plane nodes remember it (and workers that were such), and
 * .caisson/floors.json beside cluster.yaml; the highest counts. So an old bundle is refused on an admin host that is
 * new, too. Form and rules: wire/floor.h.
 */
#pragma once
#include "ops/fleet.h"

/* Reads .caisson/floors.json into x->floors, which is empty when there is none. ERR_FAILED when it is damaged. */
struct err *memory_load(struct context *x) ERR_MUST;
/*
 * x->now, the time for dates: the clock, unless a release was issued later. A clock that is behind is said (E_CLOCK),
 * again only when a later release has become known since.
 */
struct err *memory_now(struct context *x) ERR_MUST;
/* What that time says against the bundle (bundle_dates()): warnings, or with x->enforce_dates ERR_UNTRUSTED. */
struct err *memory_dates(const struct context *x, const struct bundle *b) ERR_MUST;
/*
 * ERR_UNTRUSTED (E_ROLLBACK, E_FASTFORWARD, E_ROOT_CHAIN) unless all bundles may follow what is remembered, and each
 * has the newest root document of its product among them.
 */
struct err *memory_check(const struct context *x) ERR_MUST;
/*
 * Adds what the hosts remember, and checks again. Nothing was changed so far; ERR_FAILED when one's record is damaged.
 * Of what the cluster has never had, the trust store (pins.h), where it is asked, knows what this account has installed
 * elsewhere. ERR_UNTRUSTED (E_ROLLBACK) also when two remember different releases of one position.
 */
struct err *memory_ask(struct fleet *f) ERR_MUST;
/* The bundles are to be used: the trust store follows their root documents. */
struct err *memory_accept(const struct context *x) ERR_MUST;
/* What is to be written onto nodes: list of {release: "PRODUCT/PROFILE", from?, to}. */
struct doc *memory_report(const struct fleet *f);
/* Writes what will be true from now on, onto the hosts that remember and then here. Lowers it when that was allowed. */
struct err *memory_keep(struct fleet *f) ERR_MUST;
/* Forgets what is remembered here: for a cluster that is gone. */
struct err *memory_forget(const struct context *x) ERR_MUST;
