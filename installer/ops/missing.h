/*
 * missing: what a host needs and neither it nor a bundle has. Only a delta can lack something: with full bundles nobody
 * is asked and nothing is found.
 */
#pragma once
#include "ops/fleet.h"

/*
 * Asks every host in reach which packages it has; what is lacking there and in all bundles goes into its `missing`,
 * with images likewise. A host that stops answering has `error`, as one that was never reached.
 */
struct err *missing_find(struct fleet *f) ERR_MUST;
/* The same, and ERR_UNTRUSTED (E_MISSING) naming hosts, packages, images and digests when something is lacking. */
struct err *missing_check(struct fleet *f) ERR_MUST;
/* Appends the first of what `m` lacks, and how many more there are. */
struct err *missing_text(struct buf *out, const struct member *m) ERR_MUST;
/* What the operator can do about it. */
#define MISSING_HINT                                                                                                   \
    "make the full bundle, caisson bundle join DELTA --base OLDER-BUNDLE --out FILE, and name that in cluster.yaml; "  \
    "or make the delta against a newer list of caisson bundle held"
