/*
 * doc: one tree for YAML and JSON. Every node knows where it stood ("file:line:col" for YAML), so that a
 * wrong value can be named where the operator wrote it. Builders end the process when memory runs out (they
 * make small trees, and there is nothing sensible left to do); parsers have limits and return errors.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum doc_kind { DOC_NULL, DOC_BOOL, DOC_INT, DOC_REAL, DOC_STRING, DOC_LIST, DOC_MAP };

struct doc {
    enum doc_kind kind;
    char *key;                  /* in a map; else NULL */
    char *text;                 /* scalars: the text as written ("true", "42", ...), never NULL for them */
    int64_t num;                /* DOC_INT and DOC_BOOL */
    unsigned line, col;         /* from 1; 0 when the tree was built or came from JSON */
    unsigned key_line, key_col; /* of the key, in a map from YAML; else 0 */
    const char *file;           /* borrowed from the root, NULL when unknown */
    char *own_file;             /* root only */
    struct doc *child, *last, *next;
};

/* ---- parse and write ---- */

/*
 * One YAML document. Refused with file:line:col: tags, anchors, aliases, duplicate keys, more than 64 levels,
 * text after the document. Plain true/false are booleans, plain decimal integers integers, plain null, ~ and
 * nothing null; all else is text. ERR_USAGE.
 */
struct err *doc_yaml(struct doc **ret, const char *file, const void *p, size_t n) ERR_MUST;
/* The same for a stream of documents; the result is a list (empty documents are left out). */
struct err *doc_yaml_all(struct doc **ret, const char *file, const void *p, size_t n) ERR_MUST;
/* One JSON value; duplicate keys, text after the end and invalid UTF-8 are refused. `what` names it in
 * errors. */
struct err *doc_json(struct doc **ret, const char *what, const void *p, size_t n) ERR_MUST;
/* Canonical JSON: keys sorted by bytes, no white space, so that equal trees give equal bytes. */
struct err *doc_json_write(struct buf *out, const struct doc *d) ERR_MUST;

/* ---- read ---- */

/* The value of `key` in a map, or NULL (also when `map` is NULL or no map); borrowed. */
struct doc *doc_get(const struct doc *map, const char *key);
/* doc_get along "a.b.c". */
struct doc *doc_path(const struct doc *d, const char *path);
/* Text of a scalar at doc_path(), or NULL when absent or null; borrowed. */
const char *doc_text(const struct doc *d, const char *path);
/* Integer or boolean at the path, or `otherwise`. */
int64_t doc_int(const struct doc *d, const char *path, int64_t otherwise);
bool doc_bool(const struct doc *d, const char *path, bool otherwise);
/* Number of children; 0 for NULL. */
size_t doc_len(const struct doc *d);
/*
 * The first map of the list (or value of the map) whose text at `path` is `text`; borrowed. NULL when none is; a
 * `text` of NULL is no map's.
 */
struct doc *doc_find(const struct doc *list, const char *path, const char *text);
/* True when the list holds a scalar with that text. */
bool doc_list_has(const struct doc *list, const char *text);
bool doc_equal(const struct doc *a, const struct doc *b);
/* An error at the place of `d`: "file:line:col: text". */
struct err *doc_err(enum err_kind kind, const struct doc *d, const char *fmt, ...) ERR_MUST
    __attribute__((format(printf, 3, 4)));

#define DOC_EACH(v, d) for (struct doc *v = (d) ? (d)->child : NULL; v; v = v->next)

/* ---- build ---- */

struct doc *doc_new_map(void);
struct doc *doc_new_list(void);
struct doc *doc_new_text(const char *s);
struct doc *doc_new_int(int64_t v);
struct doc *doc_new_bool(bool v);
struct doc *doc_new_null(void);
/* Puts `v` (ownership passes) under `key`, replacing an older value; returns `v`. */
struct doc *doc_set(struct doc *map, const char *key, struct doc *v);
struct doc *doc_set_text(struct doc *map, const char *key, const char *s);
struct doc *doc_set_fmt(struct doc *map, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
struct doc *doc_set_int(struct doc *map, const char *key, int64_t v);
struct doc *doc_set_bool(struct doc *map, const char *key, bool v);
/* Appends `v` (ownership passes); returns `v`. */
struct doc *doc_add(struct doc *list, struct doc *v);
struct doc *doc_add_text(struct doc *list, const char *s);
/* Sets `key` of the map to a list of these texts, which is the result. */
struct doc *doc_set_texts(struct doc *map, const char *key, const struct strs *texts);
/* Takes `key` out of the map and frees it; nothing there is fine. */
void doc_remove(struct doc *map, const char *key);
struct doc *doc_clone(const struct doc *d);
/* Structural merge: maps key by key, everything else replaced; null in `over` removes the key. */
void doc_merge(struct doc *into, const struct doc *over);
void doc_free(struct doc *d);
OWN_DEFINE(doc, doc)

#define OWN_DOC OWN(doc_freep)
