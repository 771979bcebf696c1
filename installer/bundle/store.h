/*
 * store: a folder of releases whose blobs are shared (bundles/README.md, "Store"). A release in it, the folder
 * STORE/releases/DIGEST, is taken wherever a bundle's path is. What is listed is complete and on the disk. Two that
 * write into one store at once are refused (ERR_REFUSED). Errors of the folder itself: ERR_FAILED, E_SPACE or E_STORE.
 */
#pragma once
#include "bundle/bundle.h"

struct store_opts {
    const char *store;        /* its folder; made when it is not there */
    const char *const *trust; /* what `b` was opened with: it is opened once more, as it lies in the store */
    size_t n_trust;
    bundle_progress progress; /* may be NULL; called by one thread at a time */
    void *self;
};

/*
 * Takes a release into the store, in one pass over `b`, which may be a delta. Space is checked first; each blob has its
 * digest checked before it has its name; what the store has already is hashed again and not read, or replaced when it
 * is corrupt. Then what index.json reaches is walked in the store, all is put on the disk, and the release is listed,
 * in place of the same one, of which only a head with more root documents stays.
 * On an error what was complete stays, for the next run, and nothing else.
 *
 * Into *ret goes what was written as receipt.json: bundle_receipt() of the release, its `path` in the store, `store`,
 * `source`, `time`, and of blobs `taken`, `takenBytes`, `kept` and `replaced` (digests of corrupt ones). ERR_UNTRUSTED
 * as bundle_verify() says, E_MISSING also for blobs that neither a delta nor the store has.
 */
struct err *store_ingest(struct doc **ret, const struct bundle *b, const struct store_opts *o) ERR_MUST;

/*
 * What the store at `path` holds: {store, releases: [receipts, oldest first], blobs, bytes, unused: {blobs, bytes}}.
 * Unused are blobs of no release: of an ingest that did not end. A folder that is not there is an empty store.
 */
struct err *store_list(struct doc **ret, const char *path) ERR_MUST;

/*
 * Takes a release (64 hex digits, with or without "sha256:") out of the store, and the blobs that no other release has:
 * {digest, blobs, bytes}. ERR_USAGE when it is not there.
 */
struct err *store_remove(struct doc **ret, const char *path, const char *digest) ERR_MUST;
/* Removes the blobs that no release has: {blobs, bytes}. */
struct err *store_remove_unused(struct doc **ret, const char *path) ERR_MUST;
