/*
 * held: the list of what a cluster's hosts hold, by which a delta is made on the other side of the gap
 * (bundles/README.md, "What a cluster holds"). It is not signed and need not be: it only says what may be left out.
 */
#pragma once
#include "base/buf.h"
#include "bundle/bundle.h"

/*
 * Parses a list: canonical JSON, with or without a newline behind it. {cluster, images: [{blobs, digest, name, role}],
 * packages: [{digest, name, role}], schema}. ERR_UNTRUSTED: E_LIMIT, E_JSON, E_SCHEMA. `what` names it in errors.
 */
struct err *held_parse(struct doc **ret, const char *what, const struct buf *bytes) ERR_MUST;
/* A file that begins as a list does, and as no bundle. */
bool held_is_list(const char *path);
/* Reads and parses a list. Errors as above, and ERR_USAGE when it cannot be read. */
struct err *held_load(struct doc **ret, const char *path) ERR_MUST;

/*
 * Sets left_out[i] for the i-th member of the release when each of the `n` lists allows it: packages that all hosts of
 * their roles hold, and layers of such images, unless an image that is not held everywhere needs them too. Manifests,
 * indexes and configs of images stay, and all that is neither package nor image. The rest of `left_out` is not touched.
 */
struct err *held_leave_out(bool *left_out, const struct bundle *b, const struct doc *const lists[], size_t n) ERR_MUST;
