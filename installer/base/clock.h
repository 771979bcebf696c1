/* clock: time. Monotonic milliseconds for deadlines and durations, wall clock only for people and
 * certificates. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_ms(void);
/* Seconds, and milliseconds, since 1970. */
int64_t clock_wall_s(void);
int64_t clock_wall_ms(void);
/* "2026-11-21T14:03:05Z" of `wall_s` into `ret`. */
void clock_rfc3339(char ret[32], int64_t wall_s);
/* Seconds since 1970 of "2026-11-21T14:03:05Z", in exactly that form; false when it is no such time. */
bool clock_parse(const char *s, int64_t *ret);
/* Sleeps `ms` milliseconds. Use cancel_sleep() where a person may press Ctrl-C. */
void clock_sleep_ms(int64_t ms);
