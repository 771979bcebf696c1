/* lock: what a profile's payloads are, byte for byte. bundles/PUBLISHING.md, "The lock", has the schema. */
#pragma once
#include "base/buf.h"
#include "doc/doc.h"

enum {
    LOCK_FILE_MAX = 16 << 20, /* bytes of the file itself */
    LOCK_ENTRIES_MAX = 4096,
    LOCK_URL_MAX = 2048,
};

/*
 * Reads a lock and checks all of it; `file` is for the words. ERR_UNTRUSTED, "E_LOCK: FILE:LINE:COL: ..." for what is
 * no JSON, else with the number and id of the entry: unknown keys and kinds, digests, sizes and addresses of another
 * form, entries that are there twice, not sorted by id or for another platform, files out of an archive that is not
 * there.
 */
struct err *lock_parse(struct doc **ret, const char *file, const void *p, size_t n) ERR_MUST;
/* The same from a file, whose bytes are in *ret_text. ERR_USAGE when it cannot be read. */
struct err *lock_load(struct doc **ret, struct buf *ret_text, const char *path) ERR_MUST;
/* Replaces the file by this lock in canonical form, unless it is that already; its folder is made when it is missing.
 */
struct err *lock_save(const struct doc *lock, const char *path) ERR_MUST;

/* The entry of that id, or NULL; borrowed. */
const struct doc *lock_entry(const struct doc *lock, const char *id);
/*
 * The entry for the file `name` (kind "file" or "archive") or the image `name` (kind "oci") of a component, or NULL;
 * borrowed.
 */
const struct doc *lock_find(const struct doc *lock, const char *kind, const char *component, const char *version,
                            const char *name);
/* ERR_USAGE unless `url` is plain and begins with oci:// (kind "oci") or https:// (the others). */
struct err *lock_check_url(const char *url, const char *kind) ERR_MUST;
