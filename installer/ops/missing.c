#include "ops/missing.h"

#include "bundle/image.h"

#include <errno.h>

enum { NAMED_MAX = 4 };

static bool any_delta(const struct context *x)
{
    for (size_t i = 0; i < x->n_bundles; i++)
        if (bundle_is_delta(x->bundles[i]))
            return true;
    return false;
}

static struct err *note(struct member *m, const char *what, const char *name, const char *hex)
{
    OWN_FREE char *text = str_fmt("%s %s sha256:%s", what, name, hex);
    if (!text)
        return err_os(ENOMEM, "missing");
    doc_add_text(m->missing, text);
    return NULL;
}

static struct err *find_packages(struct fleet *f, struct member *m)
{
    struct doc *ask = doc_new_map();
    OWN_DOC struct doc *have = NULL;
    doc_set(ask, "trees", doc_clone(doc_get(m->want->manifest, "trees")));
    TRY(node_call(&have, m->node, "store.have", ask, f->x->cancel));
    DOC_EACH (t, doc_path(have, "missing.trees"))
        if (!context_bundle(f->x, t->text))
            TRY(note(m, "package", doc_text(release_artifact(&f->x->release, t->text), "name"), t->text));
    return NULL;
}

/* An image is imported as a whole, whichever of its layers the node may have. */
static struct err *find_images(struct fleet *f, struct member *m)
{
    DOC_EACH (v, doc_get(m->diff, "images")) {
        OWN_FREE char *name = image_name(v->text);
        if (!name)
            return err_os(ENOMEM, "image");
        for (size_t i = 0; i < f->x->n_bundles; i++) {
            const struct bundle *b = f->x->bundles[i];
            const char *lack = NULL;
            if (bundle_image_digest(b, name))
                TRY(bundle_image_lack(&lack, b, name));
            if (lack)
                TRY(note(m, "image", name, lack));
        }
    }
    return NULL;
}

static struct err *find(struct fleet *f, struct member *m)
{
    TRY(find_packages(f, m));
    return find_images(f, m);
}

static struct err *find_noting(struct fleet *f, struct member *m)
{
    m->missing = doc_new_list();
    if (m->node && !m->error)
        m->error = find(f, m);
    return NULL;
}

struct err *missing_find(struct fleet *f)
{
    if (!any_delta(f->x))
        return NULL;
    TRY(fleet_each(f, find_noting));
    return cancel_check(f->x->cancel);
}

struct err *missing_text(struct buf *out, const struct member *m)
{
    size_t n = 0;
    DOC_EACH (v, m->missing)
        if (n++ < NAMED_MAX)
            TRY(buf_fmt(out, "%s%s", n > 1 ? ", " : "", v->text));
    return n > NAMED_MAX ? buf_fmt(out, " and %zu more", n - NAMED_MAX) : NULL;
}

static struct err *refuse(const struct fleet *f)
{
    OWN_BUF struct buf text = {0};
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (!doc_len(f->at[i].missing))
            continue;
        n++;
        TRY(buf_fmt(&text, "\n%s: ", f->at[i].host->name));
        TRY(missing_text(&text, &f->at[i]));
    }
    if (!n)
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "E_MISSING: %zu host%s need%s what the delta was made without%s", n,
                            n == 1 ? "" : "s", n == 1 ? "s" : "", buf_text(&text)),
                    "nothing was changed; %s", MISSING_HINT);
}

struct err *missing_check(struct fleet *f)
{
    TRY(missing_find(f));
    TRY(fleet_require_all(f));
    return refuse(f);
}
