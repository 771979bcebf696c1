#include "plan/settings.h"

#include "doc/schema.h"
#include "plan/template.h"

#include <string.h>

static struct err *unknown(const struct doc *v, const char *what, const struct doc *known)
{
    const char *words[256];
    size_t n = 0;
    OWN_BUF struct buf all = {0};
    DOC_EACH (k, known)
        if (n < ARRAY_LEN(words)) {
            words[n++] = k->key;
            TRY(buf_fmt(&all, "%s%s", all.len ? ", " : "", k->key));
        }
    const char *near = schema_nearest(v->key, words, n);
    struct doc at = {.file = v->file, .line = v->key_line, .col = v->key_col}; /* the key is what is wrong */
    struct err *e = doc_err(ERR_USAGE, &at, "unknown %s \"%s\"", what, v->key);
    return near ? err_hint(e, "did you mean \"%s\"?", near) : err_hint(e, "there are: %s", buf_text(&all));
}

/* The character that is in the way, for an error: never a raw control character or half of a longer one. */
static struct err *bad_character(const struct doc *v, unsigned char c)
{
    struct err *e = c > 0x20 && c < 0x7f ? doc_err(ERR_USAGE, v, "%s: the character '%c' is not accepted", v->key, c)
                                         : doc_err(ERR_USAGE, v, "%s: the byte 0x%02x is not accepted", v->key, c);
    return err_hint(e, "letters, digits and any of _ . : / , = @ + %% -");
}

static struct err *wrong_type(const struct doc *v, const char *want, const char *example)
{
    return err_hint(doc_err(ERR_USAGE, v, "%s must be %s", v->key, want), "%s", example);
}

/* A type that is neither int nor bool is text, with the rule for text. */
static struct err *check_type(const struct doc *v, const char *type)
{
    if (str_eq(type, "int"))
        return v->kind == DOC_INT ? NULL : wrong_type(v, "a whole number", "write a number such as 10, without quotes");
    if (str_eq(type, "bool"))
        return v->kind == DOC_BOOL ? NULL : wrong_type(v, "true or false", "write true or false, without quotes");
    if (v->kind != DOC_STRING && v->kind != DOC_INT)
        return wrong_type(v, "text", "write one text, in quotes when it looks like something else");
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/,=@+%-";
    size_t n = strspn(v->text, plain);
    if (!*v->text)
        return err_hint(doc_err(ERR_USAGE, v, "%s: empty", v->key), "write the value, or take the line out");
    return v->text[n] ? bad_character(v, (unsigned char)v->text[n]) : NULL;
}

/* With the type of the table: 10 for a text setting is the text "10". */
static struct doc *typed(const struct doc *v, const char *type)
{
    return str_eq(type, "int") || str_eq(type, "bool") ? doc_clone(v) : doc_new_text(v->text);
}

static struct err *add_defaults(struct doc *vars, const struct doc *component)
{
    DOC_EACH (group, doc_get(component, "settings")) {
        struct doc *values = doc_get(vars, group->key);
        if (!values)
            values = doc_set(vars, group->key, doc_new_map());
        DOC_EACH (s, group) {
            const struct doc *fallback = doc_get(s, "default");
            struct doc *filled = doc_new_null();
            if (fallback) {
                doc_free(filled);
                TRY(template_tree(&filled, fallback, component)); /* ${version} */
            }
            doc_set(values, s->key, filled);
        }
    }
    return NULL;
}

/* The table row of a setting, wherever its group is. */
static const struct doc *setting_row(const struct release *r, const char *group, const char *name)
{
    DOC_EACH (c, r->components) {
        const struct doc *row = doc_get(doc_get(doc_get(c, "settings"), group), name);
        if (row)
            return row;
    }
    return NULL;
}

static struct err * override(struct doc *vars, const struct release *r, const struct doc *group,
                             const struct doc *known)
{
    struct doc *values = doc_get(vars, group->key);
    if (!doc_get(known, group->key))
        return unknown(group, "component in overrides:", known);
    if (group->kind != DOC_MAP)
        return wrong_type(group, "a map of settings", "write {setting: value}");
    DOC_EACH (v, group) {
        const struct doc *row = setting_row(r, group->key, v->key);
        if (!row)
            return unknown(v, "setting", values);
        const char *type = doc_text(row, "type");
        TRY(check_type(v, type));
        doc_set(values, v->key, typed(v, type));
    }
    return NULL;
}

struct err *settings_add(struct doc *vars, const struct release *r, const struct cluster *c)
{
    OWN_DOC struct doc *known = doc_new_map();
    DOC_EACH (d, r->components) {
        TRY(add_defaults(vars, d));
        DOC_EACH (group, doc_get(d, "settings"))
            doc_set_bool(known, group->key, true);
    }
    DOC_EACH (group, doc_path(c->doc, "spec.overrides"))
        TRY(override(vars, r, group, known));
    return NULL;
}
