/* delta: bundles without some of their release's blobs. Private to bundle/. */
#pragma once
#include "bundle/release.h"
#include "bundle/source.h"
#include "bundle/walk.h"

/*
 * Where a delta has its members: goes over its headers and corrects the offsets in `m`, 0 for what is left out. The
 * order is that of release.json, index.json is there. ERR_UNTRUSTED: E_ORDER, E_EXTRA, E_SIZE, and what walk_next()
 * refuses.
 */
struct err *delta_places(struct members *m, const struct source *source, int64_t mtime) ERR_MUST;
/* From the release's *i-th member on, the one that `w` stands at, into *i. ERR_UNTRUSTED: E_ORDER, E_EXTRA, E_SIZE. */
struct err *delta_find(size_t *i, const struct members *m, const struct walk *w) ERR_MUST;
