#include "supply/spdx.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static const char nobody_knows[] = "NOASSERTION";

struct work {
    struct doc *packages, *relationships; /* of the document; borrowed */
};

static void relate(const struct work *w, const char *from, const char *how, const char *to)
{
    struct doc *r = doc_add(w->relationships, doc_new_map());
    doc_set_text(r, "spdxElementId", from);
    doc_set_text(r, "relationshipType", how);
    doc_set_text(r, "relatedSpdxElement", to);
}

/*
 * "SPDXRef-component--etcd" for "component/etcd": a slash is two dashes, every other byte that an SPDXID may not have
 * is a dash and its two hex digits. So different references have different identifiers. `ref` may be NULL: E_SCHEMA.
 */
static struct err *add_id(struct buf *out, const char *ref)
{
    if (!ref || !*ref)
        return err_new(ERR_UNTRUSTED, "E_SCHEMA: bill of materials: a reference is missing");
    TRY(buf_str(out, "SPDXRef-"));
    for (; *ref; ref++) {
        unsigned char c = (unsigned char)*ref;
        if (c < 0x80 && (isalnum(c) || c == '.'))
            TRY(buf_add(out, ref, 1));
        else
            TRY(c == '/' ? buf_str(out, "--") : buf_fmt(out, "-%02X", c));
    }
    return NULL;
}

/* ---- packages ---- */

static const char *purpose_of(const char *type)
{
    static const char *const purposes[][2] = {{"application", "APPLICATION"},
                                              {"container", "CONTAINER"},
                                              {"file", "FILE"},
                                              {"library", "LIBRARY"},
                                              {"platform", "INSTALL"}};
    for (size_t i = 0; i < ARRAY_LEN(purposes); i++)
        if (str_eq(type, purposes[i][0]))
            return purposes[i][1];
    return "OTHER";
}

static struct err *add_checksums(struct doc *package, const struct doc *hashes)
{
    struct doc *list = hashes ? doc_set(package, "checksums", doc_new_list()) : NULL;
    DOC_EACH (v, hashes) {
        const char *kind = doc_text(v, "alg"), *hex = doc_text(v, "content");
        if ((!str_eq(kind, "SHA-256") && !str_eq(kind, "SHA-512")) || !hex)
            return err_new(ERR_UNTRUSTED, "E_SCHEMA: bill of materials: a hash that is neither SHA-256 nor SHA-512");
        struct doc *sum = doc_add(list, doc_new_map());
        doc_set_fmt(sum, "algorithm", "SHA%s", kind + 4);
        doc_set_text(sum, "checksumValue", hex);
    }
    return NULL;
}

static void add_purl(struct doc *package, const char *purl)
{
    if (!purl)
        return;
    struct doc *ref = doc_add(doc_set(package, "externalRefs", doc_new_list()), doc_new_map());
    doc_set_text(ref, "referenceCategory", "PACKAGE-MANAGER");
    doc_set_text(ref, "referenceType", "purl");
    doc_set_text(ref, "referenceLocator", purl);
}

/* Properties have no place of their own in SPDX. */
static struct err *add_comment(struct doc *package, const struct doc *properties)
{
    OWN_BUF struct buf text = {0};
    DOC_EACH (v, properties)
        TRY(buf_fmt(&text, "%s%s=%s", text.len ? "\n" : "", doc_text(v, "name"), doc_text(v, "value")));
    if (text.len)
        doc_set_text(package, "comment", text.at);
    return NULL;
}

static struct err *add_package(const struct work *w, const char *parent, const struct doc *thing)
{
    const char *name = doc_text(thing, "name");
    const char *supplier = doc_text(thing, "supplier.name"), *version = doc_text(thing, "version");
    const struct doc *licenses = doc_get(thing, "licenses");
    const char *license = licenses && licenses->child ? doc_text(licenses->child, "expression") : NULL;
    OWN_BUF struct buf id = {0};
    TRY(add_id(&id, doc_text(thing, "bom-ref")));
    if (!name)
        return err_new(ERR_UNTRUSTED, "E_SCHEMA: bill of materials: a component without name");
    struct doc *package = doc_add(w->packages, doc_new_map());
    doc_set_text(package, "SPDXID", id.at);
    doc_set_text(package, "name", name);
    if (version && *version)
        doc_set_text(package, "versionInfo", version);
    doc_set_fmt(package, "supplier", "%s%s", supplier ? "Organization: " : "", supplier ? supplier : nobody_knows);
    doc_set_text(package, "downloadLocation", nobody_knows);
    doc_set_bool(package, "filesAnalyzed", false);
    doc_set_text(package, "licenseConcluded", nobody_knows);
    doc_set_text(package, "licenseDeclared", license ? license : nobody_knows);
    doc_set_text(package, "copyrightText", nobody_knows);
    doc_set_text(package, "primaryPackagePurpose", purpose_of(doc_text(thing, "type")));
    TRY(add_checksums(package, doc_get(thing, "hashes")));
    add_purl(package, doc_text(thing, "purl"));
    if (parent)
        relate(w, parent, "CONTAINS", id.at);
    TRY(add_comment(package, doc_get(thing, "properties")));
    DOC_EACH (v, doc_get(thing, "components"))
        TRY(add_package(w, id.at, v));
    return NULL;
}

/* ---- relationships ---- */

/* From one reference to another; `to` NULL: to nobody knows what. */
static struct err *add_dependency(const struct work *w, const char *from, const struct doc *to)
{
    OWN_BUF struct buf a = {0}, b = {0};
    TRY(add_id(&a, from));
    if (to)
        TRY(add_id(&b, to->text));
    relate(w, a.at, "DEPENDS_ON", to ? b.at : nobody_knows);
    return NULL;
}

static struct err *add_dependencies(const struct work *w, const struct doc *sbom)
{
    DOC_EACH (v, doc_get(sbom, "dependencies"))
        DOC_EACH (on, doc_get(v, "dependsOn"))
            TRY(add_dependency(w, doc_text(v, "ref"), on));
    DOC_EACH (v, doc_get(sbom, "compositions"))
        if (!str_eq(doc_text(v, "aggregate"), "complete"))
            DOC_EACH (ref, doc_get(v, "dependencies"))
                TRY(add_dependency(w, ref->text, NULL));
    return NULL;
}

/* ---- the document ---- */

static struct err *add_creator(struct doc *creators, const char *kind, const struct doc *who)
{
    const char *name = doc_text(who, "name"), *version = doc_text(who, "version");
    OWN_FREE char *text = str_fmt("%s: %s%s%s", kind, name ? name : "", version ? "-" : "", version ? version : "");
    if (!text)
        return err_os(ENOMEM, "bill of materials");
    doc_add_text(creators, text);
    return NULL;
}

static struct err *add_creation(struct doc *spdx, const struct doc *sbom)
{
    struct doc *info = doc_set(spdx, "creationInfo", doc_new_map());
    struct doc *creators = doc_set(info, "creators", doc_new_list());
    doc_set_text(info, "created", doc_text(sbom, "metadata.timestamp"));
    DOC_EACH (v, doc_path(sbom, "metadata.authors"))
        TRY(add_creator(creators, "Organization", v));
    DOC_EACH (v, doc_path(sbom, "metadata.tools.components"))
        TRY(add_creator(creators, "Tool", v));
    return NULL;
}

struct err *spdx_from(struct doc **ret, const struct doc *sbom)
{
    const struct doc *subject = doc_path(sbom, "metadata.component");
    const char *name = doc_text(subject, "name"), *version = doc_text(subject, "version");
    const char *serial = doc_text(sbom, "serialNumber");
    OWN_DOC struct doc *spdx = doc_new_map();
    OWN_BUF struct buf id = {0};
    struct work w;
    if (!name || !version || !serial || !str_starts(serial, "urn:uuid:") || !doc_text(sbom, "metadata.timestamp"))
        return err_new(ERR_UNTRUSTED, "E_SCHEMA: bill of materials: it does not say of what, or when it was made");
    doc_set_text(spdx, "spdxVersion", "SPDX-2.3");
    doc_set_text(spdx, "dataLicense", "CC0-1.0");
    doc_set_text(spdx, "SPDXID", "SPDXRef-DOCUMENT");
    doc_set_fmt(spdx, "name", "%s-%s", name, version);
    doc_set_fmt(spdx, "documentNamespace", "https://caisson.dev/spdx/%s-%s-%s", name, version, serial + 9);
    TRY(add_creation(spdx, sbom));
    w.packages = doc_set(spdx, "packages", doc_new_list());
    w.relationships = doc_set(spdx, "relationships", doc_new_list());
    TRY(add_package(&w, NULL, subject));
    TRY(add_id(&id, doc_text(subject, "bom-ref")));
    relate(&w, "SPDXRef-DOCUMENT", "DESCRIBES", id.at);
    DOC_EACH (v, doc_get(sbom, "components"))
        TRY(add_package(&w, NULL, v));
    TRY(add_dependencies(&w, sbom));
    *ret = TAKE(spdx);
    return NULL;
}
