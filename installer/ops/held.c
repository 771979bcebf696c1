#include "ops/ops.h"

#include "bundle/image.h"
#include "ops/fleet.h"
#include "ops/images.h"

#include <errno.h>
#include <string.h>

/*
 * Only what the release in cluster.yaml has is asked for: who has its bundle can then also make a full bundle of a
 * delta that was made by the list. What each host holds of it is in its member's `done`: {packages, images}.
 */

/* ---- one host ---- */

static struct err *hold_packages(struct fleet *f, struct member *m)
{
    OWN_DOC struct doc *have = NULL;
    struct doc *ask = doc_new_map(), *trees = doc_set(ask, "trees", doc_new_list());
    struct doc *held = doc_set(m->done, "packages", doc_new_list());
    DOC_EACH (c, doc_get(f->x->release.head, "components"))
        DOC_EACH (a, doc_get(c, "artifacts"))
            doc_add_text(trees, doc_text(a, "digest") + strlen("sha256:"));
    OWN_DOC struct doc *asked = doc_clone(trees);
    TRY(node_call(&have, m->node, "store.have", ask, f->x->cancel));
    DOC_EACH (t, asked)
        if (!doc_list_has(doc_path(have, "missing.trees"), t->text))
            doc_add_text(held, t->text);
    return NULL;
}

static struct err *blobs_of(struct strs *out, const struct context *x, const char *name)
{
    for (size_t i = 0; i < x->n_bundles; i++)
        if (bundle_image_digest(x->bundles[i], name))
            TRY(bundle_image_blobs(out, x->bundles[i], name));
    return NULL;
}

/* Which of these blobs lie in the runtime's folder; the list of their paths is the answer to "facts". */
static struct err *find_blobs(struct doc **ret, struct fleet *f, struct member *m, const char *folder,
                              const struct strs *blobs)
{
    struct doc *ask = doc_new_map(), *paths = doc_set(ask, "paths", doc_new_list());
    for (size_t i = 0; i < blobs->n; i++) {
        OWN_FREE char *path = str_fmt("%s/%s", folder, blobs->at[i] + strlen("sha256:"));
        if (!path) {
            doc_free(ask);
            return err_os(ENOMEM, "blobs");
        }
        doc_add_text(paths, path);
    }
    return node_call(ret, m->node, "facts", ask, f->x->cancel);
}

/* The record says what was imported, the runtime that it is complete, and the files that it is true. */
static struct err *image_is_there(bool *ret, struct fleet *f, struct member *m, const char *folder, const char *name)
{
    OWN_STRS struct strs blobs = {0};
    OWN_DOC struct doc *facts = NULL;
    TRY(blobs_of(&blobs, f->x, name));
    TRY(find_blobs(&facts, f, m, folder, &blobs));
    *ret = doc_len(doc_get(facts, "existing")) == blobs.n;
    return NULL;
}

static struct err *hold_images(struct fleet *f, struct member *m)
{
    OWN_DOC struct doc *complete = NULL;
    const struct doc *recorded = doc_get(m->state, "images");
    const char *folder = doc_text(release_find(&f->x->release, "imageStore"), "imageStore.blobs");
    struct doc *held = doc_set(m->done, "images", doc_new_list());
    if (!recorded || !recorded->child)
        return NULL;
    if (!folder)
        return err_new(ERR_FAILED, "no component of the release says where the runtime keeps blobs");
    TRY(images_complete(&complete, f, m));
    DOC_EACH (v, recorded) {
        OWN_FREE char *name = image_name(v->text);
        bool there = false;
        if (!name)
            return err_os(ENOMEM, "image");
        if (!images_is_complete(complete, name))
            continue;
        TRY_CTX(image_is_there(&there, f, m, folder, name), "image %s", name);
        if (there)
            doc_add_text(held, v->text);
    }
    return NULL;
}

static struct err *hold(struct fleet *f, struct member *m)
{
    event_emit(f->x->events, EVENT_STEP, m->host->name, "ask what it holds");
    m->done = doc_new_map();
    TRY(hold_packages(f, m));
    TRY(hold_images(f, m));
    event_emit(f->x->events, EVENT_DONE, m->host->name, "holds %zu packages, %zu images",
               doc_len(doc_get(m->done, "packages")), doc_len(doc_get(m->done, "images")));
    return NULL;
}

/* ---- all hosts ---- */

static bool all_hold(const struct fleet *f, bool control_plane, const char *key, const char *text)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct host *h = f->at[i].host;
        if ((control_plane ? h->control_plane : h->worker) && !doc_list_has(doc_get(f->at[i].done, key), text))
            return false;
    }
    return true;
}

/* The roles of which every host holds it; one that no host has is among them. */
static struct doc *roles_holding(const struct fleet *f, const char *key, const char *text)
{
    struct doc *roles = doc_new_list();
    if (all_hold(f, true, key, text))
        doc_add_text(roles, "control-plane");
    if (all_hold(f, false, key, text))
        doc_add_text(roles, "worker");
    return roles;
}

/* A new entry, or NULL when no role holds it. */
static struct doc *add_entry(struct doc *list, const struct doc *item, const char *digest, struct doc *roles)
{
    if (!roles->child) {
        doc_free(roles);
        return NULL;
    }
    struct doc *d = doc_add(list, doc_new_map());
    doc_set_text(d, "name", doc_text(item, "name"));
    doc_set_text(d, "digest", digest);
    doc_set(d, "role", roles);
    return d;
}

static struct err *add_image(struct doc *list, const struct fleet *f, const struct doc *image)
{
    OWN_STRS struct strs blobs = {0};
    const char *name = doc_text(image, "name"), *digest = doc_text(image, "manifestDigest");
    OWN_FREE char *both = str_fmt("%s@%s", name, digest);
    if (!both)
        return err_os(ENOMEM, "image");
    struct doc *d = add_entry(list, image, digest, roles_holding(f, "images", both));
    if (!d)
        return NULL;
    TRY(blobs_of(&blobs, f->x, name));
    doc_set_texts(d, "blobs", &blobs);
    return NULL;
}

static struct err *list_all(struct doc *into, const struct fleet *f)
{
    struct doc *packages = doc_set(into, "packages", doc_new_list());
    struct doc *images = doc_set(into, "images", doc_new_list());
    DOC_EACH (c, doc_get(f->x->release.head, "components")) {
        DOC_EACH (a, doc_get(c, "artifacts")) {
            const char *digest = doc_text(a, "digest");
            (void)add_entry(packages, a, digest, roles_holding(f, "packages", digest + strlen("sha256:")));
        }
        DOC_EACH (i, doc_get(c, "images"))
            TRY(add_image(images, f, i));
    }
    return NULL;
}

struct err *ops_held(struct doc **ret, const struct run *r)
{
    OWN_CONTEXT struct context x = {.events = r->events, .cancel = r->cancel};
    OWN_FLEET struct fleet f = {0};
    OWN_DOC struct doc *d = doc_new_map();
    TRY(context_full(&x, r->file));
    TRY(fleet_connect(&f, &x));
    TRY(fleet_require_all(&f));
    TRY(fleet_each(&f, hold));
    doc_set_int(d, "schema", 1);
    doc_set_text(d, "cluster", x.cluster->name);
    TRY(list_all(d, &f));
    *ret = TAKE(d);
    return NULL;
}
