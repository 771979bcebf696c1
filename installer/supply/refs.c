#include "supply/refs.h"

#include "base/str.h"
#include "bundle/format.h"
#include "net/imageref.h"

#include <errno.h>
#include <string.h>

struct refs {
    const struct recipe *r;
    struct part *base; /* components of the release that an add-on needs */
    size_t n_base;
    struct strs images; /* names of those that are there */
    struct strs named;  /* by manifests and settings of this release, normalised */
};

static void refs_done(struct refs *x)
{
    for (size_t i = 0; i < x->n_base; i++)
        part_done(&x->base[i]);
    free(x->base);
    strs_done(&x->images);
    strs_done(&x->named);
}

/* ---- settings ---- */

/* The default of "group.name", with the component that has it. */
static const struct doc *find_setting(const struct part **ret, const struct part parts[], size_t n, const char *name)
{
    OWN_FREE char *path = str_fmt("settings.%s.default", name);
    for (size_t i = 0; path && i < n; i++) {
        const struct doc *v = doc_path(parts[i].definition, path);
        if (v) {
            *ret = &parts[i];
            return v;
        }
    }
    return NULL;
}

/* "group.name" of a text that is nothing but "${group.name}", in new memory; else NULL. */
static char *setting_name(const char *text)
{
    size_t n = strcspn(text, "}");
    bool whole = str_starts(text, "${") && text[n] && !text[n + 1] && memchr(text, '.', n);
    return whole ? strndup(text + 2, n - 2) : NULL;
}

static struct err *expand(char **ret, const struct refs *x, const struct part *part, const struct doc *v)
{
    OWN_FREE char *name = setting_name(v->text);
    if (!name)
        return recipe_expand(ret, part, v);
    const struct part *owner = NULL;
    const struct doc *value = find_setting(&owner, x->r->parts, x->r->n, name);
    if (!value)
        value = find_setting(&owner, x->base, x->n_base, name);
    if (!value)
        return doc_err(ERR_USAGE, v, "E_REF: no component has a setting %s with a default", name);
    return recipe_expand(ret, owner, value);
}

/* ---- what is named ---- */

/* `v` names an image, which must be there. */
static struct err *use(struct refs *x, const struct part *part, const struct doc *v)
{
    OWN_FREE char *text = NULL, *name = NULL;
    if (v->kind != DOC_STRING)
        return doc_err(ERR_USAGE, v, "E_REF: the name of an image must be a text");
    TRY(expand(&text, x, part, v));
    name = imageref_complete(text);
    if (!name)
        return err_os(ENOMEM, "image");
    if (!strs_has(&x->images, name))
        return err_hint(doc_err(ERR_USAGE, v, "E_REF: this release has no image %s", name),
                        "add it to `images` of a component and make the lock again");
    return strs_has(&x->named, name) ? NULL : strs_add(&x->named, name);
}

static bool is_containers(const char *key)
{
    return str_eq(key, "containers") || str_eq(key, "initContainers") || str_eq(key, "ephemeralContainers");
}

/* Pods, and whatever holds the template of one, at any depth. */
static struct err *walk(struct refs *x, const struct part *part, const struct doc *d)
{
    DOC_EACH (v, d) {
        if (is_containers(v->key))
            DOC_EACH (c, v)
                if (doc_get(c, "image"))
                    TRY(use(x, part, doc_get(c, "image")));
        if (str_eq(v->key, "image") && doc_get(v, "reference")) /* of a volume that is an image */
            TRY(use(x, part, doc_get(v, "reference")));
        TRY(walk(x, part, v));
    }
    return NULL;
}

static struct err *use_settings(struct refs *x, const struct part *part)
{
    DOC_EACH (group, doc_get(part->definition, "settings"))
        DOC_EACH (v, group) {
            bool is_image = str_eq(v->key, "image") || str_ends(v->key, "Image");
            const struct doc *value = is_image ? doc_get(v, "default") : NULL;
            if (value)
                TRY(use(x, part, value));
        }
    return NULL;
}

static struct err *use_manifests(struct refs *x, const struct part *part)
{
    DOC_EACH (v, doc_get(part->definition, "manifests")) {
        OWN_FREE char *name = NULL, *path = NULL;
        OWN_BUF struct buf text = {0};
        OWN_DOC struct doc *objects = NULL;
        TRY(recipe_manifest(&text, &name, x->r, part, v));
        path = str_fmt("%s/%s", x->r->opts->bundles_dir, name);
        if (!path)
            return err_os(ENOMEM, "%s", name);
        TRY(doc_yaml_all(&objects, path, text.at, text.len));
        TRY(walk(x, part, objects));
    }
    return NULL;
}

/* ---- what is there ---- */

static struct err *add_images(struct refs *x, const struct part *part)
{
    DOC_EACH (v, doc_get(part->definition, "images")) {
        OWN_FREE char *name = NULL;
        TRY(recipe_expand(&name, part, doc_get(v, "name")));
        struct err *bad = format_ref(name);
        if (bad)
            return err_as(err_wrap(bad, "%s:%u:%u", v->file, v->line, v->col), ERR_USAGE);
        TRY(strs_add(&x->images, name));
    }
    return NULL;
}

static struct err *load_base(struct refs *x, const struct bundle *base)
{
    const struct doc *components = doc_path(bundle_release(base), "predicate.components");
    x->base = calloc(doc_len(components) + 1, sizeof *x->base);
    if (!x->base)
        return err_os(ENOMEM, "%s", bundle_path(base));
    DOC_EACH (c, components) {
        struct part *part = &x->base[x->n_base++];
        part->name = doc_text(c, "name");
        part->version = doc_text(c, "version");
        TRY(bundle_read(&part->text, base, doc_text(c, "definition.digest")));
        TRY_CTX(doc_yaml(&part->definition, part->name, part->text.at, part->text.len), "%s", bundle_path(base));
        TRY_CTX(add_images(x, part), "%s", bundle_path(base));
    }
    return NULL;
}

static struct err *check_named(const struct refs *x, const struct part *part)
{
    DOC_EACH (v, doc_get(part->definition, "images")) {
        OWN_FREE char *name = NULL;
        TRY(recipe_expand(&name, part, doc_get(v, "name")));
        if (!strs_has(&x->named, name) && !doc_text(v, "usedBy"))
            return err_hint(doc_err(ERR_USAGE, v, "E_REF: no manifest and no setting names the image %s", name),
                            "remove it, or say in `usedBy` who asks for it");
    }
    return NULL;
}

struct err *refs_check(const struct recipe *r, const struct bundle *base)
{
    OWN(refs_done) struct refs x = {.r = r};
    if (base)
        TRY(load_base(&x, base));
    for (size_t i = 0; i < r->n; i++)
        TRY(add_images(&x, &r->parts[i]));
    for (size_t i = 0; i < r->n; i++) {
        TRY(use_settings(&x, &r->parts[i]));
        TRY(walk(&x, &r->parts[i], r->parts[i].definition));
        TRY(use_manifests(&x, &r->parts[i]));
    }
    for (size_t i = 0; i < r->n; i++)
        TRY(check_named(&x, &r->parts[i]));
    return NULL;
}
