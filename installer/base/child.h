/* child: other programs, by argument vector only; never a shell line. */
#pragma once
#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"

#include <stdint.h>

struct child_opts {
    const void *input; /* bytes for standard input, or NULL for /dev/null */
    size_t input_len;
    int input_fd;           /* used as standard input when > 0 and input is NULL; borrowed */
    struct buf *output;     /* standard output is appended here; NULL: /dev/null */
    struct buf *errors;     /* standard error; NULL: the last lines go into the error text */
    int64_t timeout_ms;     /* 0: none; at the end of it the child and what it started are killed */
    const char *const *env; /* NULL: inherited */
    const struct cancel *cancel;
};

/*
 * Runs argv[0] (looked up in PATH) and waits. NULL when it exits 0. *ret_status (may be NULL) is its exit
 * status, or 128 + signal. A status other than 0 is ERR_FAILED with the end of its standard error. The
 * process must ignore SIGPIPE when it gives `input`: a child may end without reading all of it, which is no
 * error here.
 */
struct err *child_run(const char *const argv[], const struct child_opts *o, int *ret_status) ERR_MUST;
