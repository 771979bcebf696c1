/*
 * layer: what is in a layer of an image, for whoever describes it. Nothing is unpacked, and nothing that is said here
 * decides what runs: the runtime on the node has its own reader.
 */
#pragma once
#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

enum { LAYER_ENTRIES_MAX = 1000000 };
/* Bytes of all files together, unpacked. */
#define LAYER_BYTES_MAX (UINT64_C(64) << 30)

struct layer_entry {
    const char *path; /* relative, UTF-8, without "." and ".." */
    mode_t mode;      /* permission bits, set-user-id and the like */
    uint64_t size;
    const char *link; /* target of a symbolic or hard link: there are no bytes; else NULL */
};

/* `fd` stands at the beginning of the file's bytes, which end where it ends; -1 for a link. */
typedef struct err *(*layer_visit)(void *self, const struct layer_entry *e, int fd);

/*
 * Reads a tar archive, plain or in gzip or zstd, from `in_fd` and visits regular files and links in their order. Each
 * file's bytes go through `scratch`, a file open for reading and writing. Folders, devices and whiteouts (marks for
 * what a lower layer had) are passed over. ERR_UNTRUSTED: E_LAYER for what is no such archive, is cut off, or has a
 * name that is not relative, leads out or is no UTF-8; E_LIMIT.
 */
struct err *layer_read(int in_fd, int scratch, layer_visit visit, void *self) ERR_MUST;
