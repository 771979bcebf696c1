/* pieces: the sources that are files: a bundle in one of them, or in parts (`parts`). */
#pragma once
#include "bundle/source.h"

struct sha256;

/* source_open() of a file or a list of parts. */
struct err *pieces_open(struct source **ret, const char *path) ERR_MUST;

/*
 * The digests of parts, checked behind somebody who reads them. All zero to begin with; of a source that is not in
 * parts it does nothing.
 */
struct part_check {
    size_t next; /* the part not yet complete */
    uint64_t at; /* bytes that are hashed */
    struct sha256 *hash;
};

/* Hashes on to `offset` and compares each part that is complete by then. ERR_UNTRUSTED (E_PART). */
struct err *part_check_to(struct part_check *c, const struct source *s, uint64_t offset) ERR_MUST;
void part_check_done(struct part_check *c);
