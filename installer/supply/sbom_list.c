#include "supply/sbom_private.h"

static struct err *add_comma(struct sbom *s, enum sbom_list list)
{
    if (s->lists[list].more)
        TRY(spool_str(s->lists[list].text, ","));
    s->lists[list].more = true;
    return NULL;
}

struct err *sbom_add(struct sbom *s, enum sbom_list list, struct doc *v)
{
    OWN_DOC struct doc *own = v;
    TRY(add_comma(s, list));
    return spool_json(s->lists[list].text, own);
}

struct err *sbom_add_text(struct sbom *s, enum sbom_list list, const char *text)
{
    return sbom_add(s, list, doc_new_text(text));
}

/* The order of canonical JSON: nothing that an element has comes before these two keys. */
struct err *sbom_begin(struct sbom *s, enum sbom_list list, const char *ref)
{
    OWN_DOC struct doc *text = doc_new_text(ref);
    struct spool *to = s->lists[list].text;
    TRY(add_comma(s, list));
    TRY(spool_str(to, "{\"bom-ref\":"));
    TRY(spool_json(to, text));
    s->lists[list].more = false;
    return spool_str(to, ",\"components\":[");
}

struct err *sbom_end(struct sbom *s, enum sbom_list list, struct doc *thing)
{
    OWN_DOC struct doc *own = thing;
    OWN_BUF struct buf text = {0};
    doc_remove(own, "bom-ref");
    TRY(doc_json_write(&text, own));
    TRY(spool_str(s->lists[list].text, "],"));
    s->lists[list].more = true;
    return spool_add(s->lists[list].text, text.at + 1, text.len - 1); /* without its brace */
}

/* ---- elements ---- */

struct doc *sbom_thing(const char *type, const char *ref, const char *name, const struct owner *owner)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "type", type);
    doc_set_text(d, "bom-ref", ref);
    doc_set_text(d, "name", name);
    doc_set_text(d, "version", owner->version);
    if (*owner->supplier)
        doc_set_text(doc_set(d, "supplier", doc_new_map()), "name", owner->supplier);
    return d;
}

static void add_hash(struct doc *thing, const char *kind, const char *hex)
{
    struct doc *hashes = doc_get(thing, "hashes");
    if (!hashes)
        hashes = doc_set(thing, "hashes", doc_new_list());
    struct doc *h = doc_add(hashes, doc_new_map());
    doc_set_text(h, "alg", kind);
    doc_set_text(h, "content", hex);
}

void sbom_property(struct doc *thing, const char *name, const char *value)
{
    struct doc *list = doc_get(thing, "properties");
    if (!list)
        list = doc_set(thing, "properties", doc_new_list());
    struct doc *p = doc_add(list, doc_new_map());
    doc_set_text(p, "name", name);
    doc_set_text(p, "value", value);
}

void sbom_evidence(struct doc *thing, const struct doc *evidence)
{
    add_hash(thing, "SHA-256", doc_text(evidence, "sha256"));
    add_hash(thing, "SHA-512", doc_text(evidence, "sha512"));
    sbom_property(thing, "caisson:size", doc_text(evidence, "size"));
}

struct doc *sbom_depends(const char *ref)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "ref", ref);
    doc_set(d, "dependsOn", doc_new_list());
    return d;
}

struct doc *sbom_depends_on(const struct doc *depends)
{
    return doc_get(depends, "dependsOn");
}
