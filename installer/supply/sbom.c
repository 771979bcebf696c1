#include "supply/sbom.h"

#include "base/clock.h"
#include "base/str.h"
#include "crypt/digest.h"
#include "supply/purl.h"
#include "supply/sbom_private.h"

#include <errno.h>

static void sbom_done(struct sbom *s)
{
    for (size_t i = 0; i < SBOM_LISTS; i++)
        spool_free(s->lists[i].text);
    doc_free(s->blobs);
    doc_free(s->sums);
}

static struct err *sbom_init(struct sbom *s)
{
    s->blobs = doc_new_map();
    s->sums = doc_new_map();
    for (size_t i = 0; i < SBOM_LISTS; i++)
        TRY(spool_new(&s->lists[i].text, s->r->opts->cache));
    return NULL;
}

/* ---- metadata ---- */

static struct err *add_subject(struct doc *metadata, const struct recipe *r)
{
    const struct owner owner = {build_product(r->opts), r->version};
    OWN_FREE char *name = str_fmt("%s-%s", owner.supplier, r->name);
    OWN_BUF struct buf purl = {0};
    char hex[DIGEST_HEX], number[24];
    if (!name)
        return err_os(ENOMEM, "release");
    TRY(purl_generic(&purl, name, owner.version));
    TRY(digest_hex(hex, r->lock_text.at, r->lock_text.len));
    struct doc *thing = doc_set(metadata, "component", sbom_thing("platform", "release", name, &owner));
    doc_set_text(thing, "purl", buf_text(&purl));
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)r->opts->sequence);
    sbom_property(thing, "caisson:profile", r->name);
    sbom_property(thing, "caisson:platform", r->platform);
    sbom_property(thing, "caisson:sequence", number);
    sbom_property(thing, "caisson:lock", hex);
    return NULL;
}

static struct err *metadata_new(struct doc **ret, const struct recipe *r)
{
    static const struct owner self = {"caisson", CAISSON_VERSION};
    OWN_DOC struct doc *m = doc_new_map();
    char when[32];
    clock_rfc3339(when, r->opts->source_date_epoch);
    doc_set_text(m, "timestamp", when);
    struct doc *phase = doc_add(doc_set(m, "lifecycles", doc_new_list()), doc_new_map());
    doc_set_text(phase, "phase", "build");
    struct doc *tools = doc_set(doc_set(m, "tools", doc_new_map()), "components", doc_new_list());
    doc_add(tools, sbom_thing("application", "tool/caisson", "caisson", &self));
    struct doc *author = doc_add(doc_set(m, "authors", doc_new_list()), doc_new_map());
    doc_set_text(author, "name", build_product(r->opts));
    doc_set_text(doc_set(m, "supplier", doc_new_map()), "name", build_product(r->opts));
    TRY(add_subject(m, r));
    *ret = TAKE(m);
    return NULL;
}

/* ---- the document, in the order of canonical JSON ---- */

static struct err *write_lists(struct spool *out, struct sbom *s, const enum sbom_list lists[], size_t n)
{
    bool more = false;
    TRY(spool_str(out, "["));
    for (size_t i = 0; i < n; i++) {
        struct spool *text = s->lists[lists[i]].text;
        if (text->size)
            TRY(spool_str(out, more ? "," : ""));
        more = more || text->size;
        TRY(spool_append(out, text));
    }
    return spool_str(out, "],");
}

/* How far the dependencies are known: in full, in part, or not at all. */
static struct err *write_compositions(struct spool *out, struct sbom *s)
{
    static const struct {
        enum sbom_list list;
        const char *head;
    } rows[] = {{SBOM_COMPLETE, "{\"aggregate\":\"complete\",\"dependencies\":["},
                {SBOM_INCOMPLETE, "{\"aggregate\":\"incomplete\",\"dependencies\":["},
                {SBOM_UNKNOWN, "{\"aggregate\":\"unknown\",\"dependencies\":["}};
    bool more = false;
    TRY(spool_str(out, "\"compositions\":["));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct spool *text = s->lists[rows[i].list].text;
        if (!text->size)
            continue;
        TRY(spool_str(out, more ? "," : ""));
        TRY(spool_str(out, rows[i].head));
        TRY(spool_append(out, text));
        TRY(spool_str(out, "]}"));
        more = true;
    }
    return spool_str(out, "],");
}

/* A name for these bytes and no others: a UUID of version 8 out of the digest of the rest of the document. */
static struct err *write_end(struct spool *out)
{
    static const char end[] = "\"specVersion\":\"1.6\",\"version\":1}";
    char hex[DIGEST_HEX], serial[96];
    uint64_t at = out->size;
    TRY(spool_str(out, end));
    TRY(spool_digest(hex, out));
    TRY(spool_cut(out, at));
    (void)snprintf(serial, sizeof serial, "\"serialNumber\":\"urn:uuid:%.8s-%.4s-8%.3s-a%.3s-%.12s\",", hex, hex + 8,
                   hex + 12, hex + 15, hex + 18);
    TRY(spool_str(out, serial));
    return spool_str(out, end);
}

static struct err *write_document(struct spool *out, struct sbom *s)
{
    static const enum sbom_list components[] = {SBOM_COMPONENTS, SBOM_BLOBS, SBOM_LIBRARIES};
    static const enum sbom_list dependencies[] = {SBOM_DEPENDENCIES};
    OWN_DOC struct doc *metadata = NULL;
    TRY(metadata_new(&metadata, s->r));
    TRY(spool_str(out, "{\"$schema\":\"http://cyclonedx.org/schema/bom-1.6.schema.json\",\"bomFormat\":\"CycloneDX\","
                       "\"components\":"));
    TRY(write_lists(out, s, components, ARRAY_LEN(components)));
    TRY(write_compositions(out, s));
    TRY(spool_str(out, "\"dependencies\":"));
    TRY(write_lists(out, s, dependencies, ARRAY_LEN(dependencies)));
    TRY(spool_str(out, "\"metadata\":"));
    TRY(spool_json(out, metadata));
    TRY(spool_str(out, ","));
    return write_end(out);
}

struct err *sbom_make(struct spool **ret, const struct recipe *r, const struct assembly *a)
{
    OWN(sbom_done) struct sbom s = {.r = r, .a = a};
    OWN_SPOOL struct spool *out = NULL;
    TRY(sbom_init(&s));
    TRY(spool_new(&out, r->opts->cache));
    TRY(sbom_components(&s));
    TRY(write_document(out, &s));
    *ret = TAKE(out);
    return NULL;
}
