/*
 * output: a new file that has its name only when it is complete and on the disk. Until then it has none, so that
 * nothing is left of a killed run; where the file system cannot do that (FAT, NFS) it is NAME.new, which takes the
 * place of what such a run left there, and goes away when it is not completed. A file that was there is replaced in one
 * step: for that moment the complete new one is NAME.new.
 */
#pragma once
#include "base/err.h"
#include "base/own.h"

#include <stdbool.h>
#include <stdint.h>

struct output {
    int fd;     /* to write to */
    char *path; /* another one of its file system may be put in its place until output_commit() */
    char *tmp;  /* by which it can be read meanwhile */
    bool named;
};

/*
 * Starts a file of `bytes` bytes at `path`. ERR_USAGE when it cannot be created, ERR_FAILED (E_SPACE) when its file
 * system has less room.
 */
struct err *output_open(struct output *o, const char *path, uint64_t bytes) ERR_MUST;
/* Gives it its name, for everybody to read, in place of what has that name. */
struct err *output_commit(struct output *o) ERR_MUST;
/* After output_open(), whether that succeeded or not. */
void output_done(struct output *o);
#define OWN_OUTPUT OWN(output_done)

/* ERR_FAILED (E_SPACE) unless the file system of `fd` has room for `bytes`; `path` is for the words. */
struct err *output_space(int fd, const char *path, uint64_t bytes) ERR_MUST;
