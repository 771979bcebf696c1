/* str: small text helpers: formatted strings, hex, lists of strings. */
#pragma once
#include "base/err.h"
#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Formatted string in new memory, or NULL without memory. */
char *str_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Same as strcmp() == 0; NULL equals only NULL. */
bool str_eq(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Decimal integer in [min, max] and nothing else. */
bool str_int(const char *s, int64_t min, int64_t max, int64_t *ret);
/* Makes A-Z lower-case, whatever the locale. */
void str_lower(char *s);
/* Lower-case hex of `n` bytes into `ret` (2n + 1 bytes). */
void str_hex(char *ret, const void *p, size_t n);
/* True when `s` is exactly 64 lower-case hex digits: a sha256 digest. */
bool str_is_sha256(const char *s);
/* Bytes as people read them, "12.3 MB" (powers of ten), into `ret`. */
void str_size(char ret[24], uint64_t bytes);

/* strs: an owned list of owned strings. */
struct strs {
    char **at;
    size_t n;
};

/* Appends a copy of `s`. */
struct err *strs_add(struct strs *l, const char *s) ERR_MUST;
bool strs_has(const struct strs *l, const char *s);
void strs_sort(struct strs *l);
void strs_done(struct strs *l);

#define OWN_STRS OWN(strs_done)
