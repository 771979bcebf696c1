/* delta: what a release has and older ones lack, as a file of its own, and back (bundles/README.md, "Delta"). */
#pragma once
#include "doc/doc.h"
#include "supply/build.h"

struct delta_opts {
    const char *file;         /* the new bundle; for bundle_join() the delta */
    const char *const *bases; /* older bundles; deltas too, for what they have. For bundle_delta() also lists of
                                 what clusters hold (bundle/held.h); of several lists, what all of them hold */
    size_t n_bases;           /* at least one */
    const char *const *trust; /* public key files; all bundles are checked against them */
    size_t n_trust;
    const char *out; /* file to write; replaced atomically */
};

/*
 * Writes the new release's head and the blobs that no base has. *ret: {path, digest (of the release), bytes, members
 * (in the file), missing}. ERR_UNTRUSTED as bundle_open() says, and for a blob with other bytes than signed; ERR_FAILED
 * (E_SPACE) before the first byte; ERR_CANCELLED when `progress` (may be NULL) wants no more. After an error, `out` is
 * as it was.
 */
struct err *bundle_delta(struct doc **ret, const struct delta_opts *o, build_progress progress, void *self) ERR_MUST;

/*
 * The full bundle again, byte for byte, from a delta and the bases. Each blob is checked while it is written. *ret:
 * {path, digest, bytes, members, reused (out of bases)}. Errors as above; ERR_UNTRUSTED (E_MISSING) with the digests of
 * blobs that nobody has.
 */
struct err *bundle_join(struct doc **ret, const struct delta_opts *o, build_progress progress, void *self) ERR_MUST;
