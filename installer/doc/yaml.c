/* libyaml's events to our tree. We build the tree, so that limits, duplicate keys and places are ours to
 * check. */
#include "doc/doc.h"

#include "base/str.h"

#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 64 };

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    const char *file;
    const unsigned char *input;
};

static void reader_done(struct reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
}

static struct err *fail_at(const struct reader *r, const yaml_mark_t *m, const char *what)
{
    return err_new(ERR_USAGE, "%s:%zu:%zu: %s", r->file, m->line + 1, m->column + 1, what);
}

/* Bytes that are no text are reported by their offset alone. Columns count characters, as libyaml's do. */
static yaml_mark_t mark_of_byte(const struct reader *r)
{
    yaml_mark_t m = {0};
    for (size_t i = 0; i < r->parser.problem_offset; i++) {
        unsigned char c = r->input[i];
        m.column = c == '\n' ? 0 : m.column + ((c & 0xc0) != 0x80);
        m.line += c == '\n';
    }
    return m;
}

static struct err *next(struct reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = false;
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        const char *what = r->parser.problem ? r->parser.problem : "not valid YAML";
        yaml_mark_t m = r->parser.error == YAML_READER_ERROR ? mark_of_byte(r) : r->parser.problem_mark;
        return fail_at(r, &m, what);
    }
    r->has_event = true;
    return NULL;
}

static void place(const struct reader *r, struct doc *d)
{
    d->line = (unsigned)r->event.start_mark.line + 1;
    d->col = (unsigned)r->event.start_mark.column + 1;
    d->file = r->file;
}

/* The type of a plain scalar; quoted ones are always text. */
static struct doc *plain(const char *s)
{
    int64_t v;
    if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
        return doc_new_bool(*s == 't');
    if (!*s || strcmp(s, "null") == 0 || strcmp(s, "~") == 0)
        return doc_new_null();
    if (str_int(s, INT64_MIN, INT64_MAX, &v) && (strcmp(s, "0") == 0 || s[*s == '-'] != '0'))
        return doc_new_int(v);
    return doc_new_text(s);
}

static struct err *check_event(const struct reader *r)
{
    const yaml_event_t *e = &r->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_ALIAS_EVENT)
        return fail_at(r, &e->start_mark, "aliases (*name) are not accepted; write the value out");
    if (e->type == YAML_SCALAR_EVENT)
        anchor = e->data.scalar.anchor, tag = e->data.scalar.tag;
    else if (e->type == YAML_SEQUENCE_START_EVENT)
        anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
    else if (e->type == YAML_MAPPING_START_EVENT)
        anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
    if (anchor)
        return fail_at(r, &e->start_mark, "anchors (&name) are not accepted; write the value out");
    if (tag)
        return fail_at(r, &e->start_mark, "tags (!name) are not accepted");
    return NULL;
}

static struct err *read_value(struct doc **ret, struct reader *r, int depth);

static struct err *read_scalar(struct doc **ret, const struct reader *r, bool is_key)
{
    const char *s = (const char *)r->event.data.scalar.value;
    if (strlen(s) != r->event.data.scalar.length)
        return fail_at(r, &r->event.start_mark, "a NUL byte in text");
    bool typed = !is_key && r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE; /* a key "~" is not "null" */
    *ret = typed ? plain(s) : doc_new_text(s);
    place(r, *ret);
    return NULL;
}

static struct err *read_list(struct doc **ret, struct reader *r, int depth)
{
    OWN_DOC struct doc *list = doc_new_list();
    place(r, list);
    for (;;) {
        TRY(next(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        struct doc *v = NULL;
        TRY(read_value(&v, r, depth + 1));
        doc_add(list, v);
    }
    *ret = TAKE(list);
    return NULL;
}

static struct err *read_map(struct doc **ret, struct reader *r, int depth)
{
    OWN_DOC struct doc *map = doc_new_map();
    place(r, map);
    for (;;) {
        TRY(next(r));
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        TRY(check_event(r));
        if (r->event.type != YAML_SCALAR_EVENT)
            return fail_at(r, &r->event.start_mark, "a key must be plain text");
        OWN_DOC struct doc *key = NULL;
        TRY(read_scalar(&key, r, true));
        const struct doc *twin = doc_get(map, key->text);
        if (twin)
            return err_hint(
                doc_err(ERR_USAGE, key, "duplicate key \"%s\" (first on line %u)", key->text, twin->key_line),
                "keep one of the two");
        TRY(next(r));
        struct doc *v = NULL;
        TRY(read_value(&v, r, depth + 1));
        v->key_line = key->line, v->key_col = key->col;
        doc_set(map, key->text, v);
    }
    *ret = TAKE(map);
    return NULL;
}

static struct err *read_value(struct doc **ret, struct reader *r, int depth)
{
    if (depth > DEPTH_MAX)
        return fail_at(r, &r->event.start_mark, "more than 64 levels");
    TRY(check_event(r));
    if (r->event.type == YAML_SCALAR_EVENT)
        return read_scalar(ret, r, false);
    if (r->event.type == YAML_SEQUENCE_START_EVENT)
        return read_list(ret, r, depth);
    return read_map(ret, r, depth);
}

static struct err *reader_init(struct reader *r, struct doc *root, const char *file, const void *p, size_t n)
{
    if (!yaml_parser_initialize(&r->parser))
        return err_new(ERR_FAILED, "out of memory");
    root->own_file = strdup(file);
    root->file = root->own_file;
    r->file = root->own_file ? root->own_file : "";
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    /* the mark some editors put in front; with a set encoding libyaml would take it for text */
    size_t skip = n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    r->input = p ? (const unsigned char *)p + skip : (const unsigned char *)""; /* libyaml aborts on NULL */
    yaml_parser_set_input_string(&r->parser, r->input, n - skip);
    TRY(next(r)); /* stream start */
    return next(r);
}

struct err *doc_yaml_all(struct doc **ret, const char *file, const void *p, size_t n)
{
    OWN_DOC struct doc *all = doc_new_list();
    OWN(reader_done) struct reader r = {0};
    TRY(reader_init(&r, all, file, p, n));
    while (r.event.type != YAML_STREAM_END_EVENT) {
        TRY(next(&r)); /* past document start */
        struct doc *v = NULL;
        TRY(read_value(&v, &r, 0));
        if (v->kind == DOC_NULL)
            doc_free(v);
        else
            doc_add(all, v);
        TRY(next(&r)); /* document end */
        TRY(next(&r));
    }
    *ret = TAKE(all);
    return NULL;
}

struct err *doc_yaml(struct doc **ret, const char *file, const void *p, size_t n)
{
    OWN_DOC struct doc *all = NULL;
    TRY(doc_yaml_all(&all, file, p, n));
    if (!all->child)
        return err_new(ERR_USAGE, "%s: empty", file);
    if (all->child->next)
        return doc_err(ERR_USAGE, all->child->next, "a second document; this file holds one");
    struct doc *only = all->child;
    all->child = all->last = NULL;
    only->own_file = TAKE(all->own_file);
    *ret = only;
    return NULL;
}
