#include "doc/doc.h"

#include "base/str.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static struct doc *from_json(const json_t *j);

static struct doc *from_object(const json_t *j)
{
    struct doc *map = doc_new_map();
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)j, key, v)
    {
        struct doc *d = doc_add(map, from_json(v)); /* keys are unique: no need to look for an older value */
        d->key = strdup(key);
    }
    return map;
}

static struct doc *from_real(double v)
{
    char text[40];
    int n = snprintf(text, sizeof text, "%.17g", v);
    if (n > 0 && !strpbrk(text, ".e")) /* 1.0 stays a real when it is read again */
        (void)snprintf(text + n, sizeof text - (size_t)n, ".0");
    struct doc *d = doc_new_text(text);
    d->kind = DOC_REAL;
    return d;
}

static struct doc *from_json(const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return from_object(j);
    case JSON_ARRAY: {
        struct doc *list = doc_new_list();
        for (size_t i = 0; i < json_array_size(j); i++)
            doc_add(list, from_json(json_array_get(j, i)));
        return list;
    }
    case JSON_STRING:
        return doc_new_text(json_string_value(j));
    case JSON_INTEGER:
        return doc_new_int(json_integer_value(j));
    case JSON_REAL:
        return from_real(json_real_value(j));
    case JSON_TRUE:
    case JSON_FALSE:
        return doc_new_bool(json_is_true(j));
    case JSON_NULL:
        break;
    }
    return doc_new_null();
}

struct err *doc_json(struct doc **ret, const char *what, const void *p, size_t n)
{
    json_error_t why;
    if (n && memchr(p, '\0', n)) /* jansson takes one behind the value for the end and ignores what follows */
        return err_new(ERR_USAGE, "%s: a NUL byte", what);
    json_t *j = json_loadb(n ? p : "", n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!j)
        return err_new(ERR_USAGE, "%s:%d:%d: %s", what, why.line, why.column, why.text);
    *ret = from_json(j);
    json_decref(j);
    return NULL;
}

static struct err *write_string(struct buf *out, const char *s)
{
    TRY(buf_str(out, "\""));
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            TRY(buf_fmt(out, "\\%c", c));
        else if (c == '\n')
            TRY(buf_str(out, "\\n"));
        else if (c < 0x20)
            TRY(buf_fmt(out, "\\u%04x", c));
        else
            TRY(buf_add(out, s, 1));
    }
    return buf_str(out, "\"");
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(const struct doc *const *)a)->key, (*(const struct doc *const *)b)->key);
}

static struct err *write_map(struct buf *out, const struct doc *d)
{
    size_t n = doc_len(d), i = 0;
    OWN_FREE const struct doc **sorted = calloc(n + 1, sizeof(struct doc *));
    if (!sorted)
        return err_new(ERR_FAILED, "out of memory");
    DOC_EACH (v, d)
        sorted[i++] = v;
    qsort(sorted, n, sizeof(struct doc *), by_key);
    TRY(buf_str(out, "{"));
    for (i = 0; i < n; i++) {
        TRY(buf_str(out, i ? "," : ""));
        TRY(write_string(out, sorted[i]->key));
        TRY(buf_str(out, ":"));
        TRY(doc_json_write(out, sorted[i]));
    }
    return buf_str(out, "}");
}

static struct err *write_list(struct buf *out, const struct doc *d)
{
    TRY(buf_str(out, "["));
    DOC_EACH (v, d) {
        TRY(doc_json_write(out, v));
        if (v->next)
            TRY(buf_str(out, ","));
    }
    return buf_str(out, "]");
}

struct err *doc_json_write(struct buf *out, const struct doc *d)
{
    if (d->kind == DOC_MAP)
        return write_map(out, d);
    if (d->kind == DOC_LIST)
        return write_list(out, d);
    return d->kind == DOC_STRING ? write_string(out, d->text) : buf_str(out, d->text);
}
