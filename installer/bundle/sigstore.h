/*
 * sigstore: a release's signature once more, in the form that sigstore's tools read (cosign verify-blob-attestation):
 * a sigstore bundle of version 0.3, which is a DSSE envelope and the id of a key. Shared with supply/, which writes it.
 */
#pragma once
#include "base/buf.h"
#include "bundle/sigs.h"

/* Appends the sigstore bundle of one signature of release.json, whose bytes are `release`. Equal inputs, equal bytes.
 */
struct err *sigstore_make(struct buf *out, const struct buf *release, const struct sig *sig) ERR_MUST;
/* Writes it as the `n`-th of a bundle, counted from 0. */
struct err *sigstore_write(int fd, size_t n, int64_t mtime, const struct buf *text) ERR_MUST;
