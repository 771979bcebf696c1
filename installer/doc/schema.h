/*
 * schema: what a map may hold, as a table. Unknown keys (with the nearest known one), missing keys and wrong
 * types are answered at their place, "file:line:col".
 */
#pragma once
#include "doc/doc.h"

struct field {
    const char *key;    /* NULL ends a table; "*" stands for any key that no other row names */
    enum doc_kind kind; /* DOC_NULL: any kind */
    bool required;
    const struct field *map; /* DOC_MAP: rows of the map; DOC_LIST: rows of each element, which is a map */
    enum doc_kind elem;      /* DOC_LIST without `map`: kind of the elements (DOC_NULL: any) */
    struct err *(*check)(const struct doc *v)ERR_MUST; /* further rule for the value, or NULL */
};

/* Checks `map` against the table, recursively. ERR_USAGE. */
struct err *schema_check(const struct doc *map, const struct field *fields) ERR_MUST;
/* The word of `words` (n of them) nearest to `s` by edit distance, or NULL when none is near. */
const char *schema_nearest(const char *s, const char *const words[], size_t n);
