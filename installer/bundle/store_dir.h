/* store_dir: the folder of a store, held by one at a time. Private to bundle/. */
#pragma once
#include "bundle/stored.h"

struct store_dir {
    const char *path; /* borrowed */
    int fd;           /* the folder */
    int lock;
    int blobs, releases, tmp;
};

#define STORE_DIR_INIT                                                                                                 \
    {                                                                                                                  \
        .fd = -1, .lock = -1, .blobs = -1, .releases = -1, .tmp = -1                                                   \
    }

/* Behind the digits of a release that is in tmp while another one takes its place. */
#define STORE_OLD ".old"

/*
 * Opens the store at `path` to write into it, and empties tmp; a release whose place stayed empty goes back. `make`: a
 * store that is not there is made.
 */
struct err *store_dir_open(struct store_dir *s, const char *path, bool make) ERR_MUST;
/* Empties tmp again and lets go. */
void store_dir_done(struct store_dir *s);
/* Says of what went wrong in the store which word it is: E_SPACE, E_STORE. NULL stays NULL. */
struct err *store_fault(const char *path, struct err *e) ERR_MUST;
/* A new file in a folder of the store. */
struct err *store_create(int *ret_fd, int dirfd, const char *name) ERR_MUST;
