/* statement: the two documents that get signed. Private to supply/. */
#pragma once
#include "bundle/bundle.h"
#include "crypt/key.h"
#include "supply/assemble.h"

/*
 * release.json for what was assembled, as canonical JSON. `index` is the bytes of index.json; `required` the
 * bundle that an add-on needs, or NULL.
 */
struct err *statement_release(struct buf *out, const struct recipe *r, const struct assembly *a,
                              const struct buf *index, const struct bundle *required) ERR_MUST;
/* A root document of schema 1 without keys. */
struct doc *statement_root(const char *product, int64_t version, int64_t epoch);
/*
 * Makes `keys` (n of them) the keys of a role that asks for `threshold` of them, in the place of those it had.
 * ERR_USAGE for a key that cannot sign releases, one that is there twice, a threshold out of reach.
 */
struct err *statement_role(struct doc *root, const char *role, int64_t threshold, struct key *const keys[], size_t n)
    ERR_MUST;
