/* statement: the two documents that get signed. Private to supply/. */
#pragma once
#include "crypt/key.h"
#include "supply/assemble.h"

/*
 * release.json for what was assembled, as canonical JSON. `index` is the bytes of index.json; `required` (may be NULL)
 * the element of `requires`, which is cloned.
 */
struct err *statement_release(struct buf *out, const struct recipe *r, const struct assembly *a,
                              const struct buf *index, const struct doc *required) ERR_MUST;
/* The root document, version 1: one key for each role. The same keys and product give the same bytes. */
struct err *statement_root(struct buf *out, const struct build_opts *o, const struct key *root,
                           const struct key *release) ERR_MUST;
