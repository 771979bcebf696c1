/* member: one file out of an archive, as those who publish programs pack them. */
#pragma once
#include "base/err.h"

#include <stdint.h>

enum { MEMBER_ENTRIES_MAX = 100000 };
/* Bytes of all that is in the archive together, unpacked. */
#define MEMBER_BYTES_MAX (UINT64_C(64) << 30)

/*
 * Writes the regular file `name` (a plain relative path; "./" in front of names in the archive does not count) out of
 * the tar archive at `in_fd`, plain or in gzip, xz or zstd, to `out_fd`. All of the archive is read. ERR_UNTRUSTED,
 * E_ARCHIVE: no such archive, cut off, no such member, one that is no regular file, has 0 or more than `max` bytes or
 * is there twice; E_LIMIT: an archive with too much in it.
 */
struct err *member_extract(int in_fd, const char *name, uint64_t max, int out_fd) ERR_MUST;
