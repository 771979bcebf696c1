#include "plan/release.h"

#include "base/str.h"

#include <string.h>

void release_init(struct release *r, const struct doc *head)
{
    r->head = doc_clone(head);
    r->components = doc_new_list();
}

static const struct doc *entry_named(const struct doc *list, const char *name)
{
    DOC_EACH (v, list)
        if (str_eq(doc_text(v, "name"), name))
            return v;
    return NULL;
}

struct err *release_add(struct release *r, struct doc *definition, struct doc *objects)
{
    const char *name = doc_text(definition, "metadata.name");
    const struct doc *entry = name ? entry_named(doc_get(r->head, "components"), name) : NULL;
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

static const char *hex_of(const char *digest)
{
    return digest && str_starts(digest, "sha256:") ? digest + 7 : digest;
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
