#include "plan/diff.h"

#include <string.h>

static struct doc *add_named(struct doc *list, const char *name, const char *key, const char *value)
{
    struct doc *d = doc_add(list, doc_new_map());
    doc_set_text(d, "name", name);
    doc_set_text(d, key, value);
    return d;
}

/* Why a certificate has to be made, or NULL. */
static const char *leaf_reason(const struct doc *want, const struct doc *have, int64_t now_s)
{
    if (!have)
        return "missing";
    if (!str_eq(doc_text(have, "description"), doc_text(want, "description")))
        return "described otherwise";
    return doc_int(have, "notAfter", 0) - now_s < LEAF_LIFE_S / 2 ? "half of its life is over" : NULL;
}

static void diff_leafs(struct doc *into, const struct generation *want, const struct doc *state, int64_t now_s)
{
    DOC_EACH (l, want->leafs) {
        const char *why = leaf_reason(l, doc_get(doc_get(state, "leafs"), l->key), now_s);
        if (why)
            add_named(into, l->key, "reason", why);
    }
}

static void diff_units(struct doc *into, const struct generation *want, const struct doc *state)
{
    const struct doc *running = doc_get(state, "units"), *units = doc_get(want->manifest, "units");
    DOC_EACH (u, units) {
        const struct doc *have = doc_find(running, "name", doc_text(u, "name"));
        if (!have)
            add_named(into, doc_text(u, "name"), "action", "start");
        else if (!str_eq(doc_text(have, "inputs"), doc_text(u, "inputs")))
            add_named(into, doc_text(u, "name"), "action", "restart");
    }
    DOC_EACH (u, running)
        if (!doc_find(units, "name", doc_text(u, "name")))
            add_named(into, doc_text(u, "name"), "action", "stop");
}

static void diff_runtime(struct doc *into, const struct doc *files, const struct doc *state)
{
    DOC_EACH (f, files) {
        char hex[DIGEST_HEX] = "";
        const struct doc *have = doc_get(doc_get(state, "runtime"), f->key);
        err_ignore(digest_hex(hex, f->text, strlen(f->text))); /* no digest equals none: the file is sent again */
        if (!have || !str_eq(have->text, hex))
            doc_add_text(into, f->key);
    }
}

char *image_name(const char *image)
{
    return strndup(image, strcspn(image, "@"));
}

static bool has_image_name(const struct doc *images, const char *name)
{
    DOC_EACH (i, images)
        if (str_starts(i->text, name) && i->text[strlen(name)] == '@')
            return true;
    return false;
}

/* An image that nobody wants any more is not taken away: a pod may run it, and only the kubelet knows. */
static void diff_images(struct doc *d, const struct doc *want, const struct doc *have)
{
    struct doc *import = doc_set(d, "images", doc_new_list()), *unpin = doc_set(d, "unpin", doc_new_list());
    DOC_EACH (i, want)
        if (!doc_list_has(have, i->text))
            doc_add_text(import, i->text);
    DOC_EACH (i, have) {
        OWN_FREE char *name = image_name(i->text);
        if (name && !has_image_name(want, name) && !doc_list_has(unpin, name))
            doc_add_text(unpin, name);
    }
}

struct doc *diff_node(const struct generation *want, const struct doc *state, int64_t now_s)
{
    struct doc *d = doc_new_map();
    const char *from = doc_text(state, "digest");
    doc_set_text(d, "host", want->host->name);
    doc_set_text(d, "from", from ? from : "");
    doc_set_text(d, "to", want->digest);
    bool fresh = doc_int(state, "generation", 0) == 0;
    bool activate = fresh || !str_eq(from, want->digest) || doc_bool(state, "pending", false);
    doc_set_bool(d, "fresh", fresh);
    doc_set_bool(d, "activate", activate);
    struct doc *units = doc_set(d, "units", doc_new_list()), *leafs = doc_set(d, "leafs", doc_new_list());
    struct doc *runtime = doc_set(d, "runtime", doc_new_list());
    if (activate)
        diff_units(units, want, state);
    diff_leafs(leafs, want, state, now_s);
    diff_runtime(runtime, want->runtime, state);
    if (fresh)
        diff_runtime(runtime, want->initial, state);
    diff_images(d, doc_get(want->manifest, "images"), doc_get(state, "images"));
    size_t images = doc_len(doc_get(d, "images")) + doc_len(doc_get(d, "unpin"));
    doc_set_int(d, "changes", (int64_t)(activate + doc_len(leafs) + images + doc_len(runtime)));
    return d;
}

struct err *diff_text(struct buf *out, const struct doc *diff)
{
    const char *host = doc_text(diff, "host");
    DOC_EACH (l, doc_get(diff, "leafs"))
        TRY(buf_fmt(out, "%s: issue certificate %s (%s)\n", host, doc_text(l, "name"), doc_text(l, "reason")));
    DOC_EACH (r, doc_get(diff, "runtime"))
        TRY(buf_fmt(out, "%s: write %s\n", host, r->text));
    if (doc_bool(diff, "joins", false))
        TRY(buf_fmt(out, "%s: join etcd as a learner, then vote\n", host));
    if (doc_bool(diff, "activate", false))
        TRY(buf_fmt(out, "%s: activate generation %.12s%s%.12s\n", host, doc_text(diff, "to"),
                    doc_bool(diff, "fresh", false) ? " on an empty node" : " in place of ", doc_text(diff, "from")));
    DOC_EACH (u, doc_get(diff, "units"))
        TRY(buf_fmt(out, "%s:   %s %s\n", host, doc_text(u, "action"), doc_text(u, "name")));
    DOC_EACH (i, doc_get(diff, "images"))
        TRY(buf_fmt(out, "%s: import image %.*s\n", host, (int)strcspn(i->text, "@"), i->text));
    DOC_EACH (i, doc_get(diff, "unpin"))
        TRY(buf_fmt(out, "%s: unpin image %s\n", host, i->text));
    return NULL;
}
