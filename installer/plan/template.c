#include "plan/template.h"

#include "base/str.h"

#include <string.h>

enum { NAME_LEN_MAX = 120 };

/* Length of "${name}" at `s`, its name into `ret`; 0 when none begins here. */
static size_t reference(char ret[NAME_LEN_MAX + 1], const char *s)
{
    if (s[0] != '$' || s[1] != '{')
        return 0;
    size_t n = strspn(s + 2, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
    if (n == 0 || n > NAME_LEN_MAX || s[2 + n] != '}')
        return 0;
    memcpy(ret, s + 2, n);
    ret[n] = '\0';
    return n + 3;
}

static bool is_scalar(const struct doc *v)
{
    return v && v->kind != DOC_MAP && v->kind != DOC_LIST && v->kind != DOC_NULL;
}

static struct err *add_value(struct buf *out, const char *name, const struct doc *v, const struct doc *at)
{
    if (is_scalar(v))
        return buf_str(out, v->text);
    if (!v || v->kind != DOC_LIST)
        return doc_err(ERR_USAGE, at, "${%s} has no value", name);
    DOC_EACH (e, v) {
        if (!is_scalar(e))
            return doc_err(ERR_USAGE, at, "${%s} is no list of plain values", name);
        TRY(buf_str(out, e->text));
        if (e->next)
            TRY(buf_str(out, ","));
    }
    return NULL;
}

struct err *template_text(struct buf *out, const char *text, const struct doc *vars, const struct doc *at)
{
    char name[NAME_LEN_MAX + 1];
    while (*text) {
        size_t n = reference(name, text);
        if (n) {
            TRY(add_value(out, name, doc_path(vars, name), at));
        } else if (str_starts(text, "$${")) {
            n = 3;
            TRY(buf_str(out, "${"));
        } else if (str_starts(text, "${")) {
            return err_hint(doc_err(ERR_USAGE, at, "\"%.*s\" is no ${group.name}", (int)strcspn(text, "}\n"), text),
                            "$${ stands for a plain ${");
        } else {
            n = 1 + strcspn(text + 1, "$");
            TRY(buf_add(out, text, n));
        }
        text += n;
    }
    return NULL;
}

/* The name when the whole text is one reference. */
static bool is_reference(char ret[NAME_LEN_MAX + 1], const struct doc *d)
{
    return d->kind == DOC_STRING && *d->text && reference(ret, d->text) == strlen(d->text);
}

/* *ret stays NULL when the value is missing. */
static struct err *fill(struct doc **ret, const struct doc *d, const struct doc *vars)
{
    char name[NAME_LEN_MAX + 1];
    if (is_reference(name, d)) {
        const struct doc *v = doc_path(vars, name);
        *ret = v && v->kind != DOC_NULL ? doc_clone(v) : NULL;
        return NULL;
    }
    return template_tree(ret, d, vars);
}

static void put(struct doc *into, const struct doc *from, struct doc *v)
{
    if (into->kind == DOC_MAP) {
        doc_set(into, from->key, v);
        return;
    }
    if (v->kind != DOC_LIST || from->kind == DOC_LIST) {
        doc_add(into, v);
        return;
    }
    for (struct doc *e = v->child, *next; e; e = next) { /* ${list} in a list */
        next = e->next;
        doc_add(into, e);
    }
    v->child = v->last = NULL;
    doc_free(v);
}

struct err *template_tree(struct doc **ret, const struct doc *tree, const struct doc *vars)
{
    if (tree->kind == DOC_STRING) {
        OWN_BUF struct buf text = {0};
        TRY(template_text(&text, tree->text, vars, tree));
        *ret = doc_new_text(buf_text(&text));
        return NULL;
    }
    if (tree->kind != DOC_MAP && tree->kind != DOC_LIST) {
        *ret = doc_clone(tree);
        return NULL;
    }
    OWN_DOC struct doc *copy = tree->kind == DOC_MAP ? doc_new_map() : doc_new_list();
    DOC_EACH (v, tree) {
        struct doc *filled = NULL;
        TRY(fill(&filled, v, vars));
        if (filled)
            put(copy, v, filled);
    }
    *ret = TAKE(copy);
    return NULL;
}
