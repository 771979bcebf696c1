/* split: cuts a bundle into parts (bundles/README.md, "Parts"). Bytes are copied; nobody's word is needed. */
#pragma once
#include "doc/doc.h"
#include "supply/build.h"

struct split_opts {
    const char *file; /* the bundle, or a list of parts: then it is cut anew */
    const char *out;  /* folder, which exists */
    uint64_t size;    /* most bytes of a part */
};

/*
 * Writes NAME.000 ... and, last of all, NAME.parts.json. What an earlier cut of that name left in the folder goes away
 * first; after an error nothing is left, and a run that was killed leaves parts without a list, which nobody reads.
 * *ret: {path, size, bytes, parts: [{path, size, sha256}]}. ERR_USAGE for more than 256 parts, ERR_UNTRUSTED for a file
 * that is no bundle, ERR_FAILED (E_SPACE) before anything is touched, ERR_CANCELLED when `progress` (may be NULL) wants
 * no more.
 */
struct err *bundle_split(struct doc **ret, const struct split_opts *o, build_progress progress, void *self) ERR_MUST;
