/*
 * tree: a node package: a small directory tree as one ustar archive in one zstd frame. tree_pack() is for the
 * machine that builds a bundle (tree_pack.c), tree_unpack() for the node that receives it (tree_unpack.c).
 */
#pragma once
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The decoder needs no more memory than this window: 8 MiB (the size that every zstd decoder must support). */
enum { TREE_WINDOW_LOG_MAX = 23 };

struct tree_file {
    const char *path;   /* inside the tree, relative, no "..": "bin/etcd" */
    mode_t mode;        /* permission bits only: 0755; nothing for a link */
    const char *source; /* file whose bytes it gets, or NULL for a link */
    const char *sha256; /* hex digest that the bytes must have, checked while reading; NULL: any */
    const char *link;   /* target of a symbolic link, relative, inside the tree; or NULL */
};

struct tree_info {
    uint64_t size;       /* of the compressed archive */
    char digest[65];     /* sha256 of it, hex */
    uint64_t raw_size;   /* of the archive inside */
    char raw_digest[65]; /* sha256 of it, hex */
};

/* ERR_FAILED, "E_PATH: ...", unless `path` is relative, of plain parts without "." and "..", and not empty. */
struct err *tree_check_path(const char *path) ERR_MUST;
/* The same for a symbolic link at `path` with `target`: relative, and not leading out of the tree. */
struct err *tree_check_link(const char *path, const char *target) ERR_MUST;

/*
 * Writes the package to `out_fd` (at its end nothing is synced). Equal files, whatever their order here, their
 * times, owners and places on this machine, give equal bytes with the same version of zstd. `level` is zstd's: 1 to 19.
 * ERR_UNTRUSTED when a source has another digest, ERR_FAILED for paths, modes and duplicates.
 */
struct err *tree_pack(struct tree_info *ret, int out_fd, const struct tree_file files[], size_t n, int level) ERR_MUST;

/* Name, version and way of what compresses: with another of these, equal files may give other bytes. */
const char *tree_codec(void);

/*
 * Reads a package from `in_fd` (to its end) into the empty folder `dirfd`. Regular files, folders and symbolic links
 * that stay inside are made with their modes; they belong to the caller's user. Everything is on the disk when this
 * returns. At most `raw_max` bytes are accepted from the decoder, and no frame that needs a larger window.
 * ERR_UNTRUSTED for anything else (E_DECODE, E_LIMIT, E_TYPE, E_PATH, E_TRAILING in the text), ERR_FAILED for this
 * machine's own trouble. After an error the folder holds a part: the caller deletes it.
 */
struct err *tree_unpack(int in_fd, int dirfd, uint64_t raw_max) ERR_MUST;
