/*
 * source: a bundle's bytes by their offset: one file, or parts in their order, which are read as one file and never
 * joined. Immutable after source_open(): any thread may read.
 */
#pragma once
#include "base/err.h"
#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source;

/*
 * Opens a bundle's file, or its parts when `path` is their list (NAME.parts.json). ERR_USAGE when the file or the list
 * cannot be opened; ERR_UNTRUSTED (E_PART) when a part is missing, has another size, or is one too many.
 */
struct err *source_open(struct source **ret, const char *path) ERR_MUST;
void source_free(struct source *s);
OWN_DEFINE(source, source)
#define OWN_SOURCE OWN(source_freep)

/* The path it was opened with; borrowed. */
const char *source_path(const struct source *s);
/* Bytes in all, when it was opened. */
uint64_t source_size(const struct source *s);
/* Reads exactly `n` bytes at `offset`. ERR_UNTRUSTED: E_TRUNCATED when it ends before, E_PART when a part does. */
struct err *source_read(const struct source *s, void *p, size_t n, uint64_t offset) ERR_MUST;
/* True into *ret when there is no byte at `offset` or behind it. */
struct err *source_ends(bool *ret, const struct source *s, uint64_t offset) ERR_MUST;
/* Tells the kernel that it will be read from front to back. */
void source_sequential(const struct source *s);
/* True when it is the file at `path`, or its list is. */
bool source_is_file(const struct source *s, const char *path);

/* The digests of parts, checked behind somebody who reads them. All zero to begin with; for one file it does nothing.
 */
struct part_check {
    size_t next; /* the part not yet complete */
    uint64_t at; /* bytes that are hashed */
    struct sha256 *hash;
};

/* Hashes on to `offset` and compares each part that is complete by then. ERR_UNTRUSTED (E_PART). */
struct err *part_check_to(struct part_check *c, const struct source *s, uint64_t offset) ERR_MUST;
void part_check_done(struct part_check *c);
/*
 * For a refusal of what was read: when a part is not as the list says, the error that names that part instead. Reads
 * all of it. Takes `e` and returns an error; NULL stays NULL.
 */
struct err *source_blame(const struct source *s, struct err *e) ERR_MUST;
