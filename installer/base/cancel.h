/* cancel: one flag that ends every wait: an eventfd to poll beside any other descriptor. */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct cancel {
    int fd; /* eventfd, readable once cancelled; never read */
};

struct err *cancel_init(struct cancel *c) ERR_MUST;
/* Sets the flag; async-signal-safe. */
void cancel_set(const struct cancel *c);
bool cancel_is_set(const struct cancel *c);
/* ERR_CANCELLED when the flag is set, else NULL. */
struct err *cancel_check(const struct cancel *c) ERR_MUST;
void cancel_done(struct cancel *c);

/*
 * Waits until `fd` shows one of `events` (POLLIN...), the deadline (clock_ms(), negative: none) passes or `c`
 * (may be NULL) is set. NULL when ready; ERR_UNREACHABLE "timed out" at the deadline; ERR_CANCELLED.
 */
struct err *wait_fd(int fd, short events, int64_t deadline_ms, const struct cancel *c) ERR_MUST;
/* Sleeps, or ERR_CANCELLED at once when `c` is set meanwhile. */
struct err *cancel_sleep(const struct cancel *c, int64_t ms) ERR_MUST;
