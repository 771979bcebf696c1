#include "doc/schema.h"

#include "base/str.h"

#include <string.h>

/* How a value of each kind is written. */
static const char *const kind_examples[] = {
    [DOC_NULL] = "leave it empty",
    [DOC_BOOL] = "write true or false, without quotes",
    [DOC_INT] = "write a number such as 22, without quotes",
    [DOC_REAL] = "write a number such as 0.5, without quotes",
    [DOC_STRING] = "write one text; put it in quotes when it looks like a number or like true",
    [DOC_LIST] = "write [one, another]",
    [DOC_MAP] = "write {key: value}",
};

static const char *const kind_names[] = {
    [DOC_NULL] = "nothing", [DOC_BOOL] = "true or false", [DOC_INT] = "a whole number", [DOC_REAL] = "a number",
    [DOC_STRING] = "text",  [DOC_LIST] = "a list",        [DOC_MAP] = "a map",
};

/* Edit distance; words longer than the table are never near. */
static size_t distance(const char *a, const char *b)
{
    enum { MAX = 48 };
    size_t n = strlen(a), m = strlen(b), row[MAX + 1];
    if (n > MAX || m > MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *schema_nearest(const char *s, const char *const words[], size_t n)
{
    const char *best = NULL;
    size_t least = strlen(s) / 3 + 2; /* "near" grows with the word */
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(s, words[i]);
        if (d < least)
            best = words[i], least = d;
    }
    return best;
}

static const struct field *field_named(const struct field *fields, const char *key)
{
    const struct field *any = NULL;
    for (; fields->key; fields++) {
        if (strcmp(fields->key, key) == 0)
            return fields;
        if (strcmp(fields->key, "*") == 0)
            any = fields;
    }
    return any;
}

static struct err *unknown_key(const struct doc *v, const struct field *fields)
{
    const char *words[128];
    size_t n = 0;
    OWN_BUF struct buf known = {0};
    for (; fields->key && n < ARRAY_LEN(words); fields++) {
        words[n++] = fields->key;
        TRY(buf_fmt(&known, "%s%s", known.len ? ", " : "", fields->key));
    }
    const char *near = schema_nearest(v->key, words, n);
    struct doc at = *v; /* the key is what is wrong, not its value, which may stand on another line */
    if (v->key_line)
        at.line = v->key_line, at.col = v->key_col;
    struct err *e = doc_err(ERR_USAGE, &at, "unknown key \"%s\"", v->key);
    return near ? err_hint(e, "did you mean \"%s\"?", near) : err_hint(e, "known here: %s", buf_text(&known));
}

static struct err *wrong_kind(const struct doc *v, enum doc_kind want)
{
    const char *name = v->key ? v->key : "each entry";
    return err_hint(doc_err(ERR_USAGE, v, "%s must be %s, not %s", name, kind_names[want], kind_names[v->kind]), "%s",
                    kind_examples[want]);
}

static struct err *check_list(const struct doc *list, const struct field *f)
{
    DOC_EACH (v, list) {
        enum doc_kind want = f->map ? DOC_MAP : f->elem;
        if (want != DOC_NULL && v->kind != want)
            return wrong_kind(v, want);
        if (f->map)
            TRY(schema_check(v, f->map));
    }
    return NULL;
}

static struct err *check_field(const struct doc *v, const struct field *f)
{
    if (f->kind != DOC_NULL && v->kind != f->kind)
        return wrong_kind(v, f->kind);
    if (f->kind == DOC_MAP && f->map)
        TRY(schema_check(v, f->map));
    if (f->kind == DOC_LIST)
        TRY(check_list(v, f));
    return f->check ? f->check(v) : NULL;
}

struct err *schema_check(const struct doc *map, const struct field *fields)
{
    if (map->kind != DOC_MAP)
        return wrong_kind(map, DOC_MAP);
    DOC_EACH (v, map) {
        const struct field *f = field_named(fields, v->key);
        if (!f)
            return unknown_key(v, fields);
        TRY(check_field(v, f));
    }
    for (const struct field *f = fields; f->key; f++)
        if (f->required && !doc_get(map, f->key))
            return err_hint(doc_err(ERR_USAGE, map, "\"%s\" is missing", f->key), "add `%s:`, which is %s", f->key,
                            kind_names[f->kind]);
    return NULL;
}
