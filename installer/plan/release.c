#include "plan/release.h"

#include "base/str.h"

#include <string.h>

void release_init(struct release *r, const struct doc *head)
{
    r->head = doc_clone(head);
    r->components = doc_new_list();
}

/* ---- add-ons ---- */

static const char *hex_of(const char *digest)
{
    return digest && str_starts(digest, "sha256:") ? digest + 7 : digest;
}

static struct err *check_requires(const struct doc *head, const char *digest)
{
    const struct doc *requires = doc_get(head, "requires");
    const char *profile = doc_text(head, "profile");
    DOC_EACH (v, requires) {
        const char *wanted = hex_of(doc_text(v, "releaseDigest"));
        if (!str_eq(wanted, digest))
            return err_hint(err_new(ERR_UNTRUSTED,
                                    "E_REQUIRES: add-on \"%s\" was built for release %.12s, this is %.12s", profile,
                                    wanted, digest),
                            "build it for this release (`caisson bundle build --requires FILE`), or give both as they "
                            "were delivered together");
    }
    if (requires && requires->child)
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "E_REQUIRES: \"%s\" is no add-on: it requires no release", profile),
                    "name it as `release`, or leave it out of `addons`");
}

/* They are installed as one, for which cluster.yaml has one `product` and one `channel`. */
static struct err *check_kind(const struct release *r, const struct doc *head)
{
    static const char *const keys[] = {"product", "channel"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *has = doc_text(head, keys[i]), *wanted = doc_text(r->head, keys[i]);
        if (!str_eq(has, wanted))
            return err_hint(err_new(ERR_UNTRUSTED, "E_PRODUCT: add-on \"%s\" is of %s \"%s\", the release of \"%s\"",
                                    doc_text(head, "profile"), keys[i], has, wanted),
                            "ask its publisher for the add-on of this release");
    }
    return NULL;
}

/* The names of artifacts become variables, those of images are the runtime's: each must mean one thing. */
static struct err *check_once(const struct release *r, const struct doc *component)
{
    static const char *const lists[] = {"artifacts", "images"};
    const struct doc *all = doc_get(r->head, "components");
    if (doc_find(all, "name", doc_text(component, "name")))
        return err_new(ERR_UNTRUSTED, "component \"%s\" is there already", doc_text(component, "name"));
    DOC_EACH (c, all)
        for (size_t i = 0; i < ARRAY_LEN(lists); i++)
            DOC_EACH (v, doc_get(component, lists[i]))
                if (doc_find(doc_get(c, lists[i]), "name", doc_text(v, "name")))
                    return err_new(ERR_UNTRUSTED, "\"%s\" of component \"%s\" is in component \"%s\" already",
                                   doc_text(v, "name"), doc_text(component, "name"), doc_text(c, "name"));
    return NULL;
}

struct err *release_extend(struct release *r, const struct doc *head, const char *digest)
{
    TRY(check_requires(head, digest));
    TRY(check_kind(r, head));
    DOC_EACH (c, doc_get(head, "components")) {
        TRY_CTX(check_once(r, c), "add-on \"%s\"", doc_text(head, "profile"));
        doc_add(doc_get(r->head, "components"), doc_clone(c));
    }
    struct doc *totals = doc_get(r->head, "totals");
    DOC_EACH (v, doc_get(head, "totals"))
        doc_set_int(totals, v->key, doc_int(totals, v->key, 0) + v->num);
    return NULL;
}

/* ---- definitions ---- */

struct err *release_add(struct release *r, struct doc *definition, struct doc *objects)
{
    const char *name = doc_text(definition, "metadata.name");
    const struct doc *entry = doc_find(doc_get(r->head, "components"), "name", name);
    const char *version = doc_text(entry, "version");
    doc_add(r->components, definition);
    doc_set(definition, "manifestObjects", objects);
    if (!version)
        return doc_err(ERR_USAGE, definition, "the release has no component \"%s\"", name ? name : "");
    OWN_FREE char *copy = strdup(name);
    doc_set_text(definition, "name", copy ? copy : "");
    doc_set_text(definition, "version", version);
    return NULL;
}

static const struct doc *artifact_where(const struct release *r, const char *key, const char *value)
{
    DOC_EACH (c, doc_get(r->head, "components"))
        DOC_EACH (a, doc_get(c, "artifacts"))
            if (str_eq(hex_of(doc_text(a, key)), value))
                return a;
    return NULL;
}

const char *release_package(const struct release *r, const char *name)
{
    return hex_of(doc_text(artifact_where(r, "name", name), "digest"));
}

const struct doc *release_artifact(const struct release *r, const char *digest)
{
    return artifact_where(r, "digest", digest);
}

const struct doc *release_find(const struct release *r, const char *key)
{
    DOC_EACH (c, r->components)
        if (doc_get(c, key))
            return c;
    return NULL;
}

void release_done(struct release *r)
{
    doc_free(r->head);
    doc_free(r->components);
    *r = (struct release){0};
}
