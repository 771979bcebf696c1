#include "plan/settings.h"

#include "doc/schema.h"
#include "plan/template.h"

#include <string.h>

static struct err *unknown(const struct doc *v, const char *what, const struct doc *known)
{
    const char *words[256];
    size_t n = 0;
    DOC_EACH (k, known)
        if (n < ARRAY_LEN(words))
            words[n++] = k->key;
    const char *near = schema_nearest(v->key, words, n);
    struct doc at = {.file = v->file, .line = v->key_line, .col = v->key_col}; /* the key is what is wrong */
    struct err *e = doc_err(ERR_USAGE, &at, "unknown %s \"%s\"", what, v->key);
    return near ? err_hint(e, "did you mean \"%s\"?", near) : e;
}

/* The character that is in the way, for an error: never a raw control character or half of a longer one. */
static struct err *bad_character(const struct doc *v, unsigned char c)
{
    struct err *e = c > 0x20 && c < 0x7f ? doc_err(ERR_USAGE, v, "%s: the character '%c' is not accepted", v->key, c)
                                         : doc_err(ERR_USAGE, v, "%s: the byte 0x%02x is not accepted", v->key, c);
    return err_hint(e, "letters, digits and any of _ . : / , = @ + %% -");
}

/* A type that is neither int nor bool is text, with the rule for text. */
static struct err *check_type(const struct doc *v, const char *type)
{
    if (str_eq(type, "int"))
        return v->kind == DOC_INT ? NULL : doc_err(ERR_USAGE, v, "%s must be a whole number", v->key);
    if (str_eq(type, "bool"))
        return v->kind == DOC_BOOL ? NULL : doc_err(ERR_USAGE, v, "%s must be true or false", v->key);
    if (v->kind != DOC_STRING && v->kind != DOC_INT)
        return doc_err(ERR_USAGE, v, "%s must be text", v->key);
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/,=@+%-";
    size_t n = strspn(v->text, plain);
    if (!*v->text)
        return doc_err(ERR_USAGE, v, "%s: empty", v->key);
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
        return doc_err(ERR_USAGE, group, "%s must be a map of settings", group->key);
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
