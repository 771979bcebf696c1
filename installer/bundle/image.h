/* image: some of a bundle's images as one OCI image layout in a tar stream, as `ctr images import -` reads it. */
#pragma once
#include "base/str.h"
#include "bundle/bundle.h"

/*
 * Writes the archive to `out_fd`: oci-layout, an index.json with these images (names as in release.json), and each
 * blob that they need once. Digests are checked while copying. ERR_FAILED when a name is not in the bundle.
 */
struct err *bundle_images_write(const struct bundle *b, const char *const names[], size_t n, int out_fd) ERR_MUST;
/* Exact size in bytes of what bundle_images_write() writes. */
struct err *bundle_images_size(uint64_t *ret, const struct bundle *b, const char *const names[], size_t n) ERR_MUST;
/* Manifest digest ("sha256:...") of an image by its name, or NULL; borrowed. */
const char *bundle_image_digest(const struct bundle *b, const char *name);
/* The first blob (hex, borrowed) of the image that is left out of `b`, which is a delta then; NULL: it has them all. */
struct err *bundle_image_lack(const char **ret, const struct bundle *b, const char *name) ERR_MUST;
/* Digests ("sha256:...") of all blobs of an image (manifest, config, layers), appended to `out` without repeats. */
struct err *bundle_image_blobs(struct strs *out, const struct bundle *b, const char *name) ERR_MUST;
