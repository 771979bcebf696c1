#include "ops/context.h"

#include "ops/fit.h"
#include "ops/hold.h"
#include "ops/memory.h"
#include "ops/objects_diff.h"
#include "ops/pins.h"

#include <errno.h>
#include <string.h>

struct err *context_spec(struct context *x, const char *path)
{
    TRY(cluster_load(&x->cluster, path));
    x->known_hosts = cluster_path(x->cluster, "known_hosts");
    return x->known_hosts ? NULL : err_os(ENOMEM, "known_hosts");
}

static bool show_progress(void *self, uint64_t done, uint64_t total)
{
    const struct context *x = self;
    event_progress(x->events, NULL, "verify the bundle", done, total);
    return !x->cancel || !cancel_is_set(x->cancel);
}

static struct err *read_yaml(struct doc **ret, const struct bundle *b, const struct doc *entry, bool all)
{
    OWN_BUF struct buf text = {0};
    const char *digest = doc_text(entry, "digest"), *name = doc_text(entry, "name");
    if (!digest)
        return err_new(ERR_FAILED, "the bundle names a definition without a digest");
    TRY(bundle_read(&text, b, digest));
    return all ? doc_yaml_all(ret, name ? name : digest, text.at, text.len)
               : doc_yaml(ret, name ? name : digest, text.at, text.len);
}

/* Documents of all manifest files of a component, as one list. */
static struct err *read_objects(struct doc **ret, const struct bundle *b, const struct doc *component)
{
    OWN_DOC struct doc *all = doc_new_list();
    DOC_EACH (f, doc_get(component, "files")) {
        OWN_DOC struct doc *some = NULL;
        TRY_CTX(read_yaml(&some, b, f, true), "manifest %s", doc_text(f, "name"));
        DOC_EACH (o, some)
            doc_add(all, doc_clone(o));
    }
    *ret = TAKE(all);
    return NULL;
}

static const struct doc *head_of(const struct bundle *b)
{
    return doc_get(bundle_release(b), "predicate");
}

static struct err *load_components(struct context *x, const struct bundle *b)
{
    DOC_EACH (c, doc_get(head_of(b), "components")) {
        struct doc *definition = NULL;
        struct doc *objects = NULL;
        TRY_CTX(read_yaml(&definition, b, doc_get(c, "definition"), false), "component %s", doc_text(c, "name"));
        struct err *e = read_objects(&objects, b, c);
        if (e)
            doc_free(definition);
        TRY(e);
        TRY(release_add(&x->release, definition, objects));
    }
    return NULL;
}

/* Opens one more bundle or delta; nothing of it is used before every byte was verified. */
static struct err *open_bundle(struct context *x, const char *path)
{
    struct bundle **b = &x->bundles[x->n_bundles];
    TRY(bundle_open_delta(b, path, (const char *const *)x->trust.at, x->trust.n));
    x->n_bundles++;
    TRY(memory_dates(x, *b));
    return err_wrap(bundle_verify(*b, show_progress, x), "%s", path);
}

static struct err *open_release(struct context *x)
{
    event_emit(x->events, EVENT_STEP, NULL, "verify the bundle");
    TRY(open_bundle(x, x->cluster->release));
    release_init(&x->release, head_of(x->bundles[0]));
    TRY(fit_asked(x));
    return load_components(x, x->bundles[0]);
}

static struct err *open_addon(struct context *x, const char *path)
{
    event_emit(x->events, EVENT_STEP, NULL, "verify the add-on");
    TRY(open_bundle(x, path));
    const struct bundle *b = x->bundles[x->n_bundles - 1];
    TRY_CTX(release_extend(&x->release, head_of(b), bundle_digest(x->bundles[0])), "%s", path);
    return load_components(x, b);
}

static struct err *open_bundles(struct context *x)
{
    const struct strs *addons = &x->cluster->addons;
    x->bundles = calloc(1 + addons->n, sizeof(struct bundle *));
    if (!x->bundles)
        return err_os(ENOMEM, "bundles");
    TRY(memory_load(x));
    TRY(memory_now(x));
    TRY(open_release(x));
    for (size_t i = 0; i < addons->n; i++)
        TRY(open_addon(x, addons->at[i]));
    return NULL;
}

const struct bundle *context_bundle(const struct context *x, const char *digest)
{
    for (size_t i = 0; i < x->n_bundles; i++)
        if (bundle_blob(x->bundles[i], digest, NULL))
            return x->bundles[i];
    return NULL;
}

static struct err *render(struct context *x)
{
    const struct cluster *c = x->cluster;
    TRY(render_vars(&x->vars, c, &x->release, &x->vault->identity));
    TRY(render_objects(&x->objects, &x->release, x->vars));
    TRY(objects_unique(x->objects));
    x->wanted = calloc(c->n_hosts, sizeof *x->wanted);
    if (!x->wanted)
        return err_os(ENOMEM, "generations");
    for (size_t i = 0; i < c->n_hosts; i++)
        TRY(render_generation(&x->wanted[i], c, &x->release, &x->vault->identity, x->vars, &c->hosts[i]));
    return NULL;
}

struct err *context_full(struct context *x, const char *path)
{
    TRY(context_spec(x, path));
    if (x->lock)
        TRY(hold_cluster(x->lock, x->cluster));
    TRY(pins_trust(&x->trust, x->cluster));
    TRY(open_bundles(x));
    OWN_FREE char *vault = cluster_path(x->cluster, "secrets.vault");
    if (!vault)
        return err_os(ENOMEM, "vault");
    TRY(vault_load(&x->vault, vault));
    return render(x);
}

void context_done(struct context *x)
{
    for (size_t i = 0; x->wanted && i < x->cluster->n_hosts; i++)
        generation_done(&x->wanted[i]);
    free(x->wanted);
    doc_free(x->vars);
    doc_free(x->objects);
    release_done(&x->release);
    vault_free(x->vault);
    for (size_t i = 0; i < x->n_bundles; i++)
        bundle_free(x->bundles[i]);
    free(x->bundles);
    cluster_free(x->cluster);
    free(x->known_hosts);
    strs_done(&x->trust);
    doc_free(x->floors);
}
