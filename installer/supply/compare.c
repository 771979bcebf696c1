#include "supply/compare.h"

#include "base/str.h"
#include "supply/show.h"

#include <string.h>

/* Lists whose elements are known by their name; every other list is one value. */
static const struct {
    const char *key, *one;
} named[] = {{"components", "component"}, {"packages", "package"}, {"images", "image"}, {"files", "file"}};

static const char *one_of(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        if (strcmp(named[i].key, key) == 0)
            return named[i].one;
    return NULL;
}

/* A later format may have other things under these names: those are values. */
static bool is_named(const struct doc *list)
{
    DOC_EACH (v, list)
        if (!doc_text(v, "name"))
            return false;
    return !list || list->kind == DOC_LIST;
}

static bool same(const struct doc *a, const struct doc *b)
{
    return a && b ? doc_equal(a, b) : a == b;
}

static void add_value(struct doc *to, const char *prefix, const char *key, const struct doc *a, const struct doc *b)
{
    struct doc *v = doc_add(doc_get(to, "values"), doc_new_map());
    doc_set_fmt(v, "key", "%s%s", prefix, key);
    doc_set(v, "from", a ? doc_clone(a) : doc_new_null());
    doc_set(v, "to", b ? doc_clone(b) : doc_new_null());
}

static void compare_maps(struct doc *to, const char *prefix, const struct doc *a, const struct doc *b);

/* A difference to be filled: `values` first. */
static struct doc *difference_new(void)
{
    struct doc *d = doc_new_map();
    doc_set(d, "values", doc_new_list());
    return d;
}

static bool is_empty(const struct doc *difference)
{
    return doc_len(difference) == 1 && !doc_len(doc_get(difference, "values"));
}

static void add_whole(struct doc *list, const char *change, const struct doc *thing)
{
    struct doc *d = doc_add(list, doc_new_map());
    doc_set_text(d, "name", doc_text(thing, "name"));
    doc_set_text(d, "change", change);
    doc_set(d, "thing", doc_clone(thing));
}

static void add_changed(struct doc *list, const struct doc *a, const struct doc *b)
{
    OWN_DOC struct doc *d = difference_new();
    compare_maps(d, "", a, b);
    if (is_empty(d))
        return;
    doc_set_text(d, "name", doc_text(a, "name"));
    doc_set_text(d, "change", "changed");
    doc_add(list, TAKE(d));
}

static void compare_named(struct doc *to, const char *key, const struct doc *a, const struct doc *b)
{
    OWN_DOC struct doc *list = doc_new_list();
    DOC_EACH (v, a) {
        const struct doc *other = doc_find(b, "name", doc_text(v, "name"));
        if (other)
            add_changed(list, v, other);
        else
            add_whole(list, "removed", v);
    }
    DOC_EACH (v, b)
        if (!doc_find(a, "name", doc_text(v, "name")))
            add_whole(list, "added", v);
    if (doc_len(list))
        doc_set(to, key, TAKE(list));
}

static void compare_key(struct doc *to, const char *prefix, const char *key, const struct doc *a, const struct doc *b)
{
    OWN_FREE char *inner = NULL;
    if (one_of(key) && is_named(a) && is_named(b))
        compare_named(to, key, a, b);
    else if (a && b && a->kind == DOC_MAP && b->kind == DOC_MAP && (inner = str_fmt("%s%s.", prefix, key)))
        compare_maps(to, inner, a, b);
    else if (!same(a, b))
        add_value(to, prefix, key, a, b);
}

static void compare_maps(struct doc *to, const char *prefix, const struct doc *a, const struct doc *b)
{
    DOC_EACH (v, a)
        compare_key(to, prefix, v->key, v, doc_get(b, v->key));
    DOC_EACH (v, b)
        if (!doc_get(a, v->key))
            compare_key(to, prefix, v->key, NULL, v);
}

/* ---- two bundles ---- */

/* Number of single differences: a thing that came or went counts once. */
static int64_t count(const struct doc *difference)
{
    int64_t n = (int64_t)doc_len(doc_get(difference, "values"));
    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        DOC_EACH (v, doc_get(difference, named[i].key))
            n += doc_get(v, "thing") ? 1 : count(v);
    return n;
}

static int64_t new_bytes(const struct bundle *a, const struct bundle *b)
{
    int64_t n = 0;
    DOC_EACH (m, doc_path(bundle_release(b), "predicate.members"))
        if (!bundle_blob(a, doc_text(m, "digest"), NULL))
            n += doc_int(m, "size", 0);
    return n;
}

static struct doc *side(const struct doc *inspect)
{
    static const char *const keys[] = {"path", "digest", "version"};
    struct doc *d = doc_new_map();
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        doc_set_text(d, keys[i], doc_text(inspect, keys[i]));
    return d;
}

struct err *compare_releases(struct doc **ret, const struct bundle *a, const struct bundle *b)
{
    OWN_DOC struct doc *before = NULL, *after = NULL;
    OWN_DOC struct doc *d = difference_new();
    TRY(show_inspect(&before, a));
    TRY(show_inspect(&after, b));
    struct doc *from = side(before), *to = side(after);
    struct doc *const both[] = {before, after};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        doc_remove(both[i], "path");
        doc_remove(both[i], "signers");
    }
    compare_maps(d, "", before, after);
    doc_set_int(d, "changes", count(d));
    doc_set_int(d, "newBytes", new_bytes(a, b));
    doc_set(d, "from", from);
    doc_set(d, "to", to);
    *ret = TAKE(d);
    return NULL;
}

/* ---- text ---- */

static bool is_size(const char *key)
{
    return strcmp(key, "size") == 0 || str_ends(key, "Size") || str_ends(key, "ytes") || str_ends(key, "ytesPerNode");
}

static struct err *digests_text(struct buf *out, const struct doc *list, const char *key)
{
    DOC_EACH (e, list)
        TRY(buf_fmt(out, "%s%.19s", e == list->child ? "" : ",", doc_text(e, key)));
    return NULL;
}

static bool all_have(const struct doc *list, const char *key)
{
    DOC_EACH (e, list)
        if (!doc_text(e, key))
            return false;
    return true;
}

/*
 * A list of scalars is joined with commas, and so is one of things with digests; what is deeper is only said to be
 * there.
 */
static struct err *value_text(struct buf *out, const char *key, const struct doc *v)
{
    char size[24];
    if (v->kind == DOC_LIST && (!v->child || v->child->text)) {
        DOC_EACH (e, v)
            TRY(buf_fmt(out, "%s%s", e == v->child ? "" : ",", e->text));
        return v->child ? NULL : buf_str(out, "none");
    }
    const char *name = all_have(v, "digest") ? "digest" : "releaseDigest";
    if (v->kind == DOC_LIST && all_have(v, name))
        return digests_text(out, v, name);
    if (v->kind == DOC_NULL || !v->text)
        return buf_str(out, v->kind == DOC_NULL ? "none" : "...");
    if (v->kind == DOC_INT && is_size(key)) {
        str_size(size, (uint64_t)v->num);
        return buf_str(out, size);
    }
    return buf_fmt(out, "%.*s", str_starts(v->text, "sha256:") ? 19 : -1, v->text);
}

static void print_value(FILE *out, int indent, const struct doc *v)
{
    OWN_BUF struct buf from = {0}, to = {0};
    const char *key = doc_text(v, "key");
    struct err *e = value_text(&from, key, doc_get(v, "from"));
    if (!e)
        e = value_text(&to, key, doc_get(v, "to"));
    (void)fprintf(out, "%*s%s: %s -> %s\n", indent, "", key, buf_text(&from), buf_text(&to));
    err_ignore(e); /* no memory: the key is said all the same */
}

static void print_thing(FILE *out, int indent, char sign, const char *one, const struct doc *thing)
{
    char size[24] = "";
    const char *version = doc_text(thing, "version"), *license = doc_text(thing, "license");
    if (doc_get(thing, "size"))
        str_size(size, (uint64_t)doc_int(thing, "size", 0));
    (void)fprintf(out, "%*s%c %s %s%s%s%s%s%s%s%s\n", indent, "", sign, one, doc_text(thing, "name"),
                  version ? " " : "", version ? version : "", license ? "  (" : "", license ? license : "",
                  license ? ")" : "", *size ? "  " : "", size);
    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        DOC_EACH (v, is_named(doc_get(thing, named[i].key)) ? doc_get(thing, named[i].key) : NULL)
            print_thing(out, indent + 2, sign, named[i].one, v);
}

static void print_difference(FILE *out, int indent, const struct doc *d)
{
    DOC_EACH (v, doc_get(d, "values"))
        print_value(out, indent, v);
    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        DOC_EACH (v, doc_get(d, named[i].key)) {
            const struct doc *thing = doc_get(v, "thing");
            if (thing) {
                print_thing(out, indent, str_eq(doc_text(v, "change"), "added") ? '+' : '-', named[i].one, thing);
                continue;
            }
            (void)fprintf(out, "%*s~ %s %s\n", indent, "", named[i].one, doc_text(v, "name"));
            print_difference(out, indent + 4, v);
        }
}

void compare_text(FILE *out, const struct doc *d)
{
    char size[24];
    int64_t n = doc_int(d, "changes", 0);
    str_size(size, (uint64_t)doc_int(d, "newBytes", 0));
    print_difference(out, 0, d);
    (void)fprintf(out, "%lld difference%s; %s of %s are not in %s\n", (long long)n, n == 1 ? "" : "s", size,
                  doc_text(d, "to.path"), doc_text(d, "from.path"));
}
