/* file: whole files, durable replacement, directory trees; all below a directory descriptor where it matters.
 */
#pragma once
#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* Writes all `n` bytes, retrying short writes and EINTR. */
struct err *fd_write_all(int fd, const void *p, size_t n) ERR_MUST;
/*
 * The same to a socket whose other side may stop reading: ERR_UNREACHABLE when nothing could be written for `idle_ms`
 * (negative: no limit), ERR_CANCELLED when `c` (may be NULL) is set.
 */
struct err *socket_write_all(int fd, const void *p, size_t n, int64_t idle_ms, const struct cancel *c) ERR_MUST;
/* Reads to the end of file into `out` (its ceiling rules). */
struct err *fd_read_all(int fd, struct buf *out) ERR_MUST;
/* Reads exactly `n` bytes; *ret_eof (may be NULL) is set when the file ended before the first byte. */
struct err *fd_read_exact(int fd, void *p, size_t n, bool *ret_eof) ERR_MUST;
/* Reads `n` bytes from `offset` on; *ret is less only where the file ends. The file's own place stays. */
struct err *fd_read_at(size_t *ret, int fd, void *p, size_t n, uint64_t offset) ERR_MUST;

/* Appends the file's bytes to `out`. `dirfd` may be AT_FDCWD. Does not follow a symbolic link in the last
 * part. */
struct err *file_read(struct buf *out, int dirfd, const char *name) ERR_MUST;
/* The same of a file that a person named, `what` for the words: links are followed, and of a pipe, as the shell's
 * <(COMMAND) gives one, what is written into it is awaited. ERR_USAGE when it cannot be read. */
struct err *file_read_named(struct buf *out, const char *what, const char *path) ERR_MUST;
/*
 * Atomically and durably replaces `name` (write NAME.new, fsync, rename, fsync of the folder): CRASH-5. Several at
 * once, of any process, do it one after the other.
 */
struct err *file_replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode) ERR_MUST;
/*
 * For each name in the open folder but "." and "..", in no order; stops at the first error, its own or the visitor's.
 */
typedef struct err *(*folder_visit)(void *self, const char *name);
struct err *folder_each(int fd, folder_visit visit, void *self) ERR_MUST;
/* Creates `path` and missing parents with `mode`; existing folders are left as they are. */
struct err *file_mkdirs(int dirfd, const char *path, mode_t mode) ERR_MUST;
/* fsync of the folder that holds `name` below `dirfd`. */
struct err *file_sync_parent(int dirfd, const char *name) ERR_MUST;
/*
 * Deletes a file or a whole tree; nothing there is fine. Does not follow links; stops with an error at a
 * mount (bind mounts too) below `name`.
 */
struct err *file_remove_tree(int dirfd, const char *name) ERR_MUST;
bool file_exists(int dirfd, const char *name);
