/*
 * parts: the list of a bundle cut into parts, NAME.parts.json beside NAME.000, NAME.001, ... (bundles/README.md,
 * "Parts"). It is read before any signature, so by no JSON parser: it has one form, and its text is compared with it.
 */
#pragma once
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { PARTS_MAX = 256, PARTS_BYTES_MAX = 64 << 10 };

#define PARTS_SUFFIX ".parts.json"

struct part {
    uint64_t size;
    char hex[65]; /* of its sha256 */
};

struct parts {
    struct part at[PARTS_MAX];
    size_t n;
    uint64_t size; /* of all together */
};

/* Reads a list. ERR_UNTRUSTED (E_PART) with the byte at which it is none; `what` names it. */
struct err *parts_parse(struct parts *ret, const char *what, const void *p, size_t n) ERR_MUST;
/* Appends the list's one form. */
struct err *parts_write(struct buf *out, const struct parts *parts) ERR_MUST;
/* True when a file of that name is a list. */
bool parts_is_list(const char *path);
/* The i-th part's path, beside the list (a path that parts_is_list()); in new memory, NULL without memory. */
char *parts_path(const char *list, size_t i);
