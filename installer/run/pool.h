/* pool: the same straight-line work for many hosts, a bounded number of threads at a time. */
#pragma once
#include "base/err.h"

#include <stddef.h>

#define POOL_DEFAULT 64 /* nodes in flight */

/*
 * Calls fn(arg, i) for every i in [0, n), at most `limit` at a time, and waits for all. Every call is made
 * whatever others return. errors[i] is what call i returned (the caller frees them).
 */
void pool_run(size_t n, size_t limit, struct err *(*fn)(void *arg, size_t i), void *arg, struct err *errors[]);

/*
 * One error for many: NULL when all are NULL; the only failure as it is; several become one text that names
 * each (kind of the first). `names(arg, i)` gives what to call them. Takes the errors.
 */
struct err *pool_join(struct err *errors[], size_t n, const char *(*name)(const void *arg, size_t i), const void *arg)
    ERR_MUST;
