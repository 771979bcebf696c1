#include "ops/images.h"

#include "bundle/image.h"
#include "plan/template.h"

#include <errno.h>
#include <string.h>

/*
 * The runtime's own command with its tree's path filled in: data of a component, not of this program. `image`, where
 * the command works on one, is ${image.name} in it.
 */
static struct err *image_command(struct doc **ret, const struct context *x, const char *which, const char *image)
{
    OWN_DOC struct doc *vars = doc_clone(x->vars);
    if (image)
        doc_set_text(doc_set(vars, "image", doc_new_map()), "name", image);
    const struct doc *component = release_find(&x->release, "imageStore");
    const struct doc *argv = doc_get(doc_get(component, "imageStore"), which);
    if (!argv)
        return err_new(ERR_FAILED, "no component of the release says how images get into the runtime");
    return template_tree(ret, argv, vars);
}

struct image_source {
    const struct bundle *bundle;
    const char *const *names;
    size_t n;
};

static struct err *produce_images(void *arg, int fd)
{
    const struct image_source *s = arg;
    return bundle_images_write(s->bundle, s->names, s->n, fd);
}

static struct err *run_on_node(struct doc **ret, struct fleet *f, struct member *m, struct doc *argv,
                               const struct wire_body *body)
{
    struct doc *args = doc_new_map();
    doc_set(args, "argv", argv);
    doc_set_int(args, "timeoutMs", 600000);
    OWN_DOC struct doc *reply = NULL;
    TRY(node_send(&reply, m->node, "run", args, body, f->x->cancel));
    if (doc_int(reply, "exit", -1) != 0)
        return err_new(ERR_FAILED, "exit %lld: %s", (long long)doc_int(reply, "exit", -1),
                       doc_text(reply, "stderr") ? doc_text(reply, "stderr") : "");
    *ret = TAKE(reply);
    return NULL;
}

static struct err *import(struct fleet *f, struct member *m, const struct bundle *bundle, const struct strs *names)
{
    OWN_DOC struct doc *argv = NULL;
    OWN_DOC struct doc *reply = NULL;
    uint64_t size = 0;
    char human[24];
    const char *const *list = (const char *const *)names->at;
    TRY(bundle_images_size(&size, bundle, list, names->n));
    str_size(human, size);
    event_emit(f->x->events, EVENT_STEP, m->host->name, "import %zu images, %s", names->n, human);
    TRY(image_command(&argv, f->x, "import", NULL));
    struct image_source source = {bundle, list, names->n};
    struct wire_body body = {.produce = produce_images, .arg = &source};
    return run_on_node(&reply, f, m, TAKE(argv), &body);
}

struct err *images_complete(struct doc **ret, struct fleet *f, struct member *m)
{
    OWN_DOC struct doc *argv = NULL;
    TRY(image_command(&argv, f->x, "complete", NULL));
    return run_on_node(ret, f, m, TAKE(argv), NULL);
}

bool images_is_complete(const struct doc *reply, const char *name)
{
    const char *at = doc_text(reply, "stdout");
    size_t n = strlen(name);
    while (at && *at) {
        if (strcspn(at, " \t\n") == n && strncmp(at, name, n) == 0)
            return true;
        at = strchr(at, '\n');
        at += at != NULL;
    }
    return false;
}

/* The import alone says success for an image with a missing layer: what the runtime calls complete decides. */
static struct err *check_complete(struct fleet *f, struct member *m, const struct strs *names)
{
    OWN_DOC struct doc *reply = NULL;
    TRY(images_complete(&reply, f, m));
    for (size_t i = 0; i < names->n; i++)
        if (!images_is_complete(reply, names->at[i]))
            return err_hint(
                err_new(ERR_FAILED, "image %s is not complete in the runtime after its import", names->at[i]),
                "look at the free space of /var/lib/containerd, then apply again");
    return NULL;
}

/* Those of the missing images that are in `bundle`. */
static struct err *import_from(struct fleet *f, struct member *m, const struct bundle *bundle)
{
    OWN_STRS struct strs names = {0};
    DOC_EACH (i, doc_get(m->diff, "images")) {
        OWN_FREE char *name = image_name(i->text);
        if (!name)
            return err_os(ENOMEM, "image");
        if (bundle_image_digest(bundle, name))
            TRY(strs_add(&names, name));
    }
    if (!names.n)
        return NULL;
    TRY_CTX(import(f, m, bundle, &names), "import images");
    TRY_CTX(check_complete(f, m, &names), "check images");
    event_emit(f->x->events, EVENT_DONE, m->host->name, "%zu images imported", names.n);
    return NULL;
}

struct err *images_import(struct fleet *f, struct member *m)
{
    for (size_t i = 0; i < f->x->n_bundles && !m->imported; i++)
        TRY(import_from(f, m, f->x->bundles[i]));
    m->imported = true;
    return NULL;
}

/* An image that somebody took away already has no pin to lose. */
static struct err *unpin_left(struct fleet *f, struct member *m)
{
    OWN_DOC struct doc *there = NULL;
    if (!doc_len(doc_get(m->diff, "unpin")))
        return NULL;
    event_emit(f->x->events, EVENT_STEP, m->host->name, "unpin %zu images", doc_len(doc_get(m->diff, "unpin")));
    TRY(images_complete(&there, f, m));
    DOC_EACH (i, doc_get(m->diff, "unpin")) {
        OWN_DOC struct doc *argv = NULL, *reply = NULL;
        if (!images_is_complete(there, i->text))
            continue;
        TRY(image_command(&argv, f->x, "unpin", i->text));
        TRY_CTX(run_on_node(&reply, f, m, TAKE(argv), NULL), "image %s", i->text);
    }
    return NULL;
}

struct err *images_deliver(struct fleet *f, struct member *m)
{
    m->finished = !doc_len(doc_get(m->diff, "images")) && !doc_len(doc_get(m->diff, "unpin"));
    if (m->finished)
        return NULL;
    TRY(images_import(f, m));
    TRY_CTX(unpin_left(f, m), "unpin images");
    struct doc *args = doc_new_map();
    doc_set(args, "names", doc_clone(doc_get(m->want->manifest, "images")));
    doc_set_bool(args, "replace", true);
    TRY(node_call(NULL, m->node, "image.recorded", args, f->x->cancel));
    m->finished = true;
    return NULL;
}
