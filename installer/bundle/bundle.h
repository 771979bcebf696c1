/*
 * bundle: one signed release file, opened against trusted keys. Immutable after bundle_open(), and after
 * bundle_verify() of one that is read once: every function with a const struct bundle may be called from many threads
 * at once. Refusals are ERR_UNTRUSTED; their text has a stable word (E_DIGEST, ...; the list is in bundles/README.md),
 * the member's name and its offset in the file.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "bundle/source.h"
#include "doc/doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bundle;

/*
 * Opens `path` and checks its head: order and form of the members; the root documents, from the first one that `trust`
 * (n_trust files, at least one: public keys in PEM, root documents) vouches for to the last; the release's signatures
 * by release keys of the last; release.json and index.json. Bodies of blobs are not read: see bundle_verify().
 * ERR_USAGE when a file cannot be opened or `trust` is empty; ERR_UNTRUSTED for every refusal.
 */
struct err *bundle_open(struct bundle **ret, const char *path, const char *const trust[], size_t n_trust) ERR_MUST;
/* The same, but it may be a delta: a bundle without some of its release's blobs (bundle_blob() says which it has). */
struct err *bundle_open_delta(struct bundle **ret, const char *path, const char *const trust[], size_t n_trust)
    ERR_MUST;
/* What else than a full bundle with all its signatures is accepted. */
enum bundle_accept { BUNDLE_FULL, BUNDLE_DELTA, BUNDLE_TO_SIGN };
/*
 * The same from any source, which it takes, also on an error. Of a source with one pass only the head can be read again
 * and all else once, from front to back.
 */
struct err *bundle_open_source(struct bundle **ret, struct source *source, enum bundle_accept accept,
                               const char *const trust[], size_t n_trust) ERR_MUST;
bool bundle_is_delta(const struct bundle *b);
/* For those who copy bytes and trust nobody: ERR_UNTRUSTED unless the bytes begin with the head of a bundle. */
struct err *bundle_look(const struct source *s) ERR_MUST;
struct root_raw; /* bundle/root.h */
/* The root documents of the bundle at `path` as they came, for who is to be asked about them: nothing is verified. The
 * caller frees each one's bytes, and the array. */
struct err *bundle_roots(struct root_raw **ret, size_t *ret_n, const char *path) ERR_MUST;
/* The same for who adds a signature: one is enough here, however many the root document asks for. */
struct err *bundle_open_to_sign(struct bundle **ret, const char *path, const char *const trust[], size_t n_trust)
    ERR_MUST;
void bundle_free(struct bundle *b);
OWN_DEFINE(bundle, bundle)
#define OWN_BUNDLE OWN(bundle_freep)

/* Called now and then with bytes done and in all (0: not known); return false to stop (ERR_CANCELLED). */
typedef bool (*bundle_progress)(void *self, uint64_t done, uint64_t total);

/*
 * Reads every byte behind the head once: each member's header, size, digest and padding, the end mark, the end of
 * the file; then walks index.json: every image and artifact complete, no blob without a use (not for a delta, which
 * cannot know). `progress` may be NULL. Of a source with one pass it is that pass: what the walk needs is kept, 64 MiB
 * at most (else ERR_FAILED, E_LIMIT), and which blobs a delta has is known behind it.
 */
struct err *bundle_verify(struct bundle *b, bundle_progress progress, void *self) ERR_MUST;

/* release.json, checked against its schema; borrowed. What matters is below "predicate". */
const struct doc *bundle_release(const struct bundle *b);
/* index.json; borrowed. */
const struct doc *bundle_index(const struct bundle *b);
/* sha256 (hex) of release.json's bytes: the identity of the release; borrowed. */
const char *bundle_digest(const struct bundle *b);
/* Ids of the release keys whose signatures hold; borrowed. */
const struct strs *bundle_signers(const struct bundle *b);
/* The last root document, which says whose signatures count; borrowed. */
const struct doc *bundle_root(const struct bundle *b);
/* Its bytes; borrowed. */
const struct buf *bundle_root_bytes(const struct bundle *b);
/* Digests (hex) of the root documents from the one that is trusted to the last; borrowed. */
const struct strs *bundle_chain(const struct bundle *b);
/* The path it was opened with; borrowed. */
const char *bundle_path(const struct bundle *b);

/* Digests below are 64 hex digits, with or without "sha256:" in front. */

/* True when the bundle has the blob; its size into *ret_size (may be NULL). */
bool bundle_blob(const struct bundle *b, const char *digest, uint64_t *ret_size);
/* Appends a whole blob (at most 16 MiB), its digest checked. ERR_FAILED when there is no such blob. */
struct err *bundle_read(struct buf *out, const struct bundle *b, const char *digest) ERR_MUST;
/* Streams a blob to `out_fd`; its digest is checked at the end: on an error what was written must be thrown away. */
struct err *bundle_copy(const struct bundle *b, const char *digest, int out_fd) ERR_MUST;
/* Called for each block of a blob as it is read. */
typedef source_sink bundle_sink;
/* The same, block by block to `sink`. */
struct err *bundle_stream(const struct bundle *b, const char *digest, bundle_sink sink, void *self) ERR_MUST;

/* ---- for who writes a bundle out of bundles ---- */

/* Bytes of the head, up to the header of index.json. */
uint64_t bundle_head_size(const struct bundle *b);
/* Writes the head as it is, but for its second member: that of a delta or of a full bundle. */
struct err *bundle_head_write(const struct bundle *b, bool delta, int out_fd) ERR_MUST;
/* The time of every member. */
int64_t bundle_time(const struct bundle *b);

/*
 * What the clock (`now`, seconds since 1970) says against it: issued in the future (E_CLOCK), the release or the last
 * root document expired (E_EXPIRED). Off the net nobody can renew in time, so by default these are sentences for
 * `warnings`; with `warnings` NULL the first of them is ERR_UNTRUSTED.
 */
struct err *bundle_dates(const struct bundle *b, int64_t now, struct strs *warnings) ERR_MUST;
/*
 * What a verification established, for people and for the record: path (absolute), release digest, product, profile,
 * version, root version, signers, members, bytes; of a delta also how many members are missing.
 */
struct doc *bundle_receipt(const struct bundle *b);
