#include "doc/doc.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p)
{
    if (!p) {
        (void)fputs("caisson: out of memory\n", stderr);
        _exit(1);
    }
    return p;
}

static struct doc *doc_new(enum doc_kind kind, const char *text)
{
    struct doc *d = must(calloc(1, sizeof *d));
    d->kind = kind;
    d->text = text ? must(strdup(text)) : NULL;
    return d;
}

struct doc *doc_new_map(void)
{
    return doc_new(DOC_MAP, NULL);
}

struct doc *doc_new_list(void)
{
    return doc_new(DOC_LIST, NULL);
}

struct doc *doc_new_text(const char *s)
{
    return doc_new(DOC_STRING, s);
}

struct doc *doc_new_int(int64_t v)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)v);
    struct doc *d = doc_new(DOC_INT, text);
    d->num = v;
    return d;
}

struct doc *doc_new_bool(bool v)
{
    struct doc *d = doc_new(DOC_BOOL, v ? "true" : "false");
    d->num = v;
    return d;
}

struct doc *doc_new_null(void)
{
    return doc_new(DOC_NULL, "null");
}

struct doc *doc_add(struct doc *list, struct doc *v)
{
    v->next = NULL;
    if (list->last)
        list->last->next = v;
    else
        list->child = v;
    list->last = v;
    return v;
}

struct doc *doc_add_text(struct doc *list, const char *s)
{
    return doc_add(list, doc_new_text(s));
}

struct doc *doc_set_texts(struct doc *map, const char *key, const struct strs *texts)
{
    struct doc *list = doc_set(map, key, doc_new_list());
    for (size_t i = 0; i < texts->n; i++)
        doc_add_text(list, texts->at[i]);
    return list;
}

void doc_remove(struct doc *map, const char *key)
{
    struct doc *before = NULL;
    for (struct doc *v = map->child; v; before = v, v = v->next) {
        if (!str_eq(v->key, key))
            continue;
        if (before)
            before->next = v->next;
        else
            map->child = v->next;
        if (map->last == v)
            map->last = before;
        doc_free(v);
        return;
    }
}

struct doc *doc_set(struct doc *map, const char *key, struct doc *v)
{
    char *copy = must(strdup(key)); /* first: `key` may be the older value's own */
    doc_remove(map, key);
    free(v->key);
    v->key = copy;
    return doc_add(map, v);
}

struct doc *doc_set_text(struct doc *map, const char *key, const char *s)
{
    return doc_set(map, key, doc_new_text(s));
}

struct doc *doc_set_fmt(struct doc *map, const char *key, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    must(n < 0 ? NULL : text);
    struct doc *v = doc_set_text(map, key, text);
    free(text);
    return v;
}

struct doc *doc_set_int(struct doc *map, const char *key, int64_t v)
{
    return doc_set(map, key, doc_new_int(v));
}

struct doc *doc_set_bool(struct doc *map, const char *key, bool v)
{
    return doc_set(map, key, doc_new_bool(v));
}

struct doc *doc_get(const struct doc *map, const char *key)
{
    if (!map || map->kind != DOC_MAP)
        return NULL;
    for (struct doc *v = map->child; v; v = v->next)
        if (strcmp(v->key, key) == 0)
            return v;
    return NULL;
}

struct doc *doc_path(const struct doc *d, const char *path)
{
    char part[128];
    const struct doc *at = d;
    for (;;) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof part)
            return NULL;
        memcpy(part, path, n);
        part[n] = '\0';
        struct doc *v = doc_get(at, part);
        if (!v || !path[n])
            return v;
        at = v;
        path += n + 1;
    }
}

const char *doc_text(const struct doc *d, const char *path)
{
    const struct doc *v = doc_path(d, path);
    return v && v->kind != DOC_NULL ? v->text : NULL;
}

int64_t doc_int(const struct doc *d, const char *path, int64_t otherwise)
{
    const struct doc *v = doc_path(d, path);
    return v && (v->kind == DOC_INT || v->kind == DOC_BOOL) ? v->num : otherwise;
}

bool doc_bool(const struct doc *d, const char *path, bool otherwise)
{
    return doc_int(d, path, otherwise) != 0;
}

size_t doc_len(const struct doc *d)
{
    size_t n = 0;
    DOC_EACH (v, d)
        n++;
    return n;
}

struct doc *doc_find(const struct doc *list, const char *path, const char *text)
{
    DOC_EACH (v, list)
        if (text && str_eq(doc_text(v, path), text))
            return v;
    return NULL;
}

bool doc_list_has(const struct doc *list, const char *text)
{
    DOC_EACH (v, list)
        if (str_eq(v->text, text))
            return true;
    return false;
}

static bool maps_equal(const struct doc *a, const struct doc *b)
{
    if (doc_len(a) != doc_len(b))
        return false;
    DOC_EACH (v, a)
        if (!doc_equal(v, doc_get(b, v->key)))
            return false;
    return true;
}

bool doc_equal(const struct doc *a, const struct doc *b)
{
    if (!a || !b || a->kind != b->kind)
        return a == b;
    if (a->kind == DOC_MAP)
        return maps_equal(a, b);
    if (a->kind != DOC_LIST)
        return str_eq(a->text, b->text);
    const struct doc *x = a->child, *y = b->child;
    for (; x && y; x = x->next, y = y->next)
        if (!doc_equal(x, y))
            return false;
    return x == y;
}

struct err *doc_err(enum err_kind kind, const struct doc *d, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    must(n < 0 ? NULL : text);
    struct err *e = err_new(kind, "%s", text);
    free(text);
    if (d && d->file && d->line)
        return err_wrap(e, "%s:%u:%u", d->file, d->line, d->col);
    return d && d->file ? err_wrap(e, "%s", d->file) : e;
}

struct doc *doc_clone(const struct doc *d)
{
    struct doc *c = doc_new(d->kind, d->text);
    c->num = d->num;
    c->line = d->line;
    c->col = d->col;
    DOC_EACH (v, d) {
        struct doc *k = doc_add(c, doc_clone(v));
        k->key = v->key ? must(strdup(v->key)) : NULL;
        k->key_line = v->key_line;
        k->key_col = v->key_col;
    }
    return c;
}

/* An empty map that stands where `d` stands. */
static struct doc *map_at(const struct doc *d)
{
    struct doc *map = doc_new_map();
    map->line = d->line;
    map->col = d->col;
    return map;
}

void doc_merge(struct doc *into, const struct doc *over)
{
    DOC_EACH (v, over) {
        struct doc *old = doc_get(into, v->key);
        if (v->kind == DOC_NULL) {
            doc_remove(into, v->key);
        } else if (v->kind == DOC_MAP) {
            /* also into a new map, so that nulls below it are not taken over as values (RFC 7396) */
            if (!old || old->kind != DOC_MAP)
                old = doc_set(into, v->key, map_at(v));
            doc_merge(old, v);
        } else {
            doc_set(into, v->key, doc_clone(v));
        }
    }
}

void doc_free(struct doc *d)
{
    if (!d)
        return;
    for (struct doc *v = d->child, *next; v; v = next) {
        next = v->next;
        doc_free(v);
    }
    free(d->key);
    free(d->text);
    free(d->own_file);
    free(d);
}
