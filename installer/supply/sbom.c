#include "supply/sbom.h"

#include "base/clock.h"
#include "base/str.h"
#include "bundle/format.h"
#include "crypt/digest.h"
#include "supply/evidence.h"
#include "supply/purl.h"

#include <errno.h>
#include <string.h>

struct work {
    const struct recipe *r;
    const struct assembly *a;
    struct doc *components, *dependencies;       /* of the document; borrowed */
    struct doc *blobs;                           /* of images, that are there already, by reference */
    struct doc *sums;                            /* of Go modules that are there already, by reference */
    struct doc *complete, *incomplete, *unknown; /* programs by what is known of their dependencies */
};

static void work_done(struct work *w)
{
    doc_free(w->blobs);
    doc_free(w->sums);
    doc_free(w->complete);
    doc_free(w->incomplete);
    doc_free(w->unknown);
}

/* What a thing has from the component that it belongs to. */
struct owner {
    const char *supplier, *version;
};

/* ---- parts of the document ---- */

static struct doc *thing_new(const char *type, const char *ref, const char *name, const struct owner *owner)
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

static void add_property(struct doc *thing, const char *name, const char *value)
{
    struct doc *list = doc_get(thing, "properties");
    if (!list)
        list = doc_set(thing, "properties", doc_new_list());
    struct doc *p = doc_add(list, doc_new_map());
    doc_set_text(p, "name", name);
    doc_set_text(p, "value", value);
}

static void add_evidence(struct doc *thing, const struct doc *evidence)
{
    add_hash(thing, "SHA-256", doc_text(evidence, "sha256"));
    add_hash(thing, "SHA-512", doc_text(evidence, "sha512"));
    add_property(thing, "caisson:size", doc_text(evidence, "size"));
}

/* The list of what `ref` depends on, to be filled. */
static struct doc *depends_new(const struct work *w, const char *ref)
{
    struct doc *d = doc_add(w->dependencies, doc_new_map());
    doc_set_text(d, "ref", ref);
    return doc_set(d, "dependsOn", doc_new_list());
}

static struct doc *inner_list(struct doc *thing)
{
    struct doc *list = doc_get(thing, "components");
    return list ? list : doc_set(thing, "components", doc_new_list());
}

/* ---- programs that Go made ---- */

/* Who answers for a Go module, by its path: "github.com/owner", "k8s.io". */
static struct err *add_module_supplier(struct doc *thing, const char *path)
{
    static const char *const shared[] = {"github.com/", "gitlab.com/", "bitbucket.org/", "codeberg.org/"};
    size_t n = strcspn(path, "/");
    for (size_t i = 0; i < ARRAY_LEN(shared); i++)
        if (str_starts(path, shared[i]))
            n += 1 + strcspn(path + n + 1, "/");
    OWN_FREE char *name = str_eq(path, "stdlib") ? strdup("golang.org") : strndup(path, n);
    if (!name)
        return err_os(ENOMEM, "module");
    doc_set_text(doc_set(thing, "supplier", doc_new_map()), "name", name);
    return NULL;
}

/* A library with its purl; `ref` is its reference. */
static struct err *add_library(const struct work *w, const char *ref, const struct doc *module)
{
    static const char *const keys[] = {"sum", "replaces", "folder"};
    static const struct owner nobody = {"", ""};
    const char *path = doc_text(module, "path"), *version = doc_text(module, "version");
    OWN_BUF struct buf purl = {0};
    struct doc *thing = doc_add(w->components, thing_new("library", ref, path, &nobody));
    doc_set_text(thing, "version", version ? version : "");
    TRY(add_module_supplier(thing, path));
    if (version && *version != '(') { /* "(devel)": not published, so no scanner knows it */
        TRY(purl_golang(&purl, path, version));
        doc_set_text(thing, "purl", buf_text(&purl));
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        OWN_FREE char *name = str_fmt("caisson:go:%s", keys[i]);
        if (name && doc_text(module, keys[i]))
            add_property(thing, name, doc_text(module, keys[i]));
    }
    return NULL;
}

/* One entry for a module of one version, however many programs have it; they must agree on its bytes. */
static struct err *add_module(struct work *w, struct doc *depends, const struct doc *module)
{
    const char *version = doc_text(module, "version"), *sum = doc_text(module, "sum");
    OWN_FREE char *ref = str_fmt("golang/%s@%s", doc_text(module, "path"), version ? version : "");
    if (!ref)
        return err_os(ENOMEM, "module");
    if (!doc_list_has(depends, ref))
        doc_add_text(depends, ref);
    const struct doc *known = doc_get(w->sums, ref);
    if (known && *known->text && sum && strcmp(known->text, sum) != 0)
        return err_new(ERR_UNTRUSTED, "E_GOINFO: module %s has sum %s here and %s in another program", ref + 7, sum,
                       known->text);
    if (!known || !*known->text)
        doc_set_text(w->sums, ref, sum ? sum : "");
    return known ? NULL : add_library(w, ref, module);
}

/* The standard library, under the name that scanners know: pkg:golang/stdlib@1.26.8 for go1.26.8. */
static struct err *add_stdlib(struct work *w, struct doc *depends, const char *go)
{
    OWN_DOC struct doc *module = doc_new_map();
    if (!str_starts(go, "go1"))
        return NULL;
    doc_set_text(module, "path", "stdlib");
    doc_set_fmt(module, "version", "%.*s", (int)strcspn(go + 2, " -"), go + 2);
    return add_module(w, depends, module);
}

/* C that was linked in is known to nobody. */
static bool has_c(const struct doc *go)
{
    const struct doc *v = doc_find(doc_get(go, "settings"), "key", "CGO_ENABLED");
    return !v || !str_eq(doc_text(v, "value"), "0");
}

static struct err *add_go(struct work *w, struct doc *thing, const struct doc *go)
{
    const char *ref = doc_text(thing, "bom-ref");
    struct doc *depends = depends_new(w, ref);
    add_property(thing, "caisson:go:version", doc_text(go, "go"));
    if (doc_text(go, "path"))
        add_property(thing, "caisson:go:path", doc_text(go, "path"));
    DOC_EACH (v, doc_get(go, "settings")) {
        OWN_FREE char *name = str_fmt("caisson:go:build:%s", doc_text(v, "key"));
        if (name)
            add_property(thing, name, doc_text(v, "value"));
    }
    TRY(add_stdlib(w, depends, doc_text(go, "go")));
    DOC_EACH (v, doc_get(go, "modules"))
        TRY(add_module(w, depends, v));
    doc_add_text(doc_len(doc_get(go, "modules")) && !has_c(go) ? w->complete : w->incomplete, ref);
    return NULL;
}

/* What is known of a program's dependencies, or that nothing is. `depends` are those of what holds it. */
static struct err *add_program(struct work *w, struct doc *thing, struct doc *depends, const struct doc *evidence)
{
    const char *ref = doc_text(thing, "bom-ref");
    const struct doc *go = doc_get(evidence, "go");
    if (!doc_bool(evidence, "elf", false))
        return NULL;
    doc_add_text(depends, ref);
    if (go)
        return add_go(w, thing, go);
    doc_add_text(w->unknown, ref);
    return NULL;
}

/* ---- files and packages ---- */

/* A blob of the bundle as a file. */
static struct err *add_blob(struct doc **ret, const struct work *w, struct doc *list, const char *ref, const char *name,
                            const char *digest, const struct owner *owner)
{
    OWN_DOC struct doc *evidence = NULL;
    const struct blob *b = content_find(&w->a->content, format_hex(digest));
    if (!b)
        return err_new(ERR_FAILED, "%s: %s is no blob of the bundle", name, digest);
    TRY(evidence_blob(&evidence, w->r, b, name));
    *ret = doc_add(list, thing_new("file", ref, name, owner));
    add_evidence(*ret, evidence);
    return NULL;
}

/* A file in a package or layer, of which `evidence` is known; {link} for a link. */
static struct err *add_file(struct work *w, struct doc *inside, struct doc *programs, const char *path, int64_t mode,
                            const struct doc *evidence, const struct owner *owner)
{
    OWN_FREE char *ref = str_fmt("%s/%s", doc_text(inside, "bom-ref"), path);
    char text[8];
    if (!ref)
        return err_os(ENOMEM, "%s", path);
    struct doc *thing = doc_add(inner_list(inside), thing_new("file", ref, path, owner));
    if (doc_get(evidence, "link")) {
        add_property(thing, "caisson:link", doc_text(evidence, "link"));
        return NULL;
    }
    add_evidence(thing, evidence);
    (void)snprintf(text, sizeof text, "%04o", (unsigned)mode & 07777);
    add_property(thing, "caisson:mode", text);
    return add_program(w, thing, programs, evidence);
}

static struct err *add_packed_file(struct work *w, struct doc *package, struct doc *programs, const struct doc *file,
                                   const struct owner *owner)
{
    const char *path = doc_text(file, "path"), *hex = doc_text(file, "sha256");
    OWN_FREE char *source = hex ? recipe_blob(w->r, hex) : NULL;
    OWN_DOC struct doc *evidence = NULL;
    if (!hex)
        return add_file(w, package, programs, path, 0, file, owner);
    if (!source)
        return err_os(ENOMEM, "%s", path);
    TRY(evidence_file(&evidence, w->r, source, hex, path));
    return add_file(w, package, programs, path, doc_int(file, "mode", 0), evidence, owner);
}

static struct err *add_package(struct work *w, struct doc *component, struct doc *depends, const struct doc *artifact,
                               const struct owner *owner)
{
    const char *digest = doc_text(artifact, "digest");
    OWN_FREE char *ref = str_fmt("%s/package/%s", doc_text(component, "bom-ref"), doc_text(artifact, "name"));
    OWN_FREE char *name = str_fmt("%s.tar.zst", doc_text(artifact, "name"));
    struct doc *thing = NULL;
    if (!ref || !name)
        return err_os(ENOMEM, "package");
    TRY(add_blob(&thing, w, inner_list(component), ref, name, digest, owner));
    doc_add_text(depends, ref);
    struct doc *programs = depends_new(w, ref);
    DOC_EACH (file, doc_get(w->a->trees, digest))
        TRY_CTX(add_packed_file(w, thing, programs, file, owner), "package %s", doc_text(artifact, "name"));
    return NULL;
}

static struct err *add_texts(const struct work *w, struct doc *component, const struct doc *c,
                             const struct owner *owner)
{
    const char *own = doc_text(component, "bom-ref");
    OWN_FREE char *ref = str_fmt("%s/definition", own), *name = str_fmt("%s.yaml", doc_text(c, "name"));
    struct doc *thing = NULL;
    if (!ref || !name)
        return err_os(ENOMEM, "definition");
    TRY(add_blob(&thing, w, inner_list(component), ref, name, doc_text(c, "definition.digest"), owner));
    DOC_EACH (v, doc_get(c, "files")) {
        OWN_FREE char *file = str_fmt("%s/file/%s", own, doc_text(v, "name"));
        if (!file)
            return err_os(ENOMEM, "file");
        TRY(add_blob(&thing, w, inner_list(component), file, doc_text(v, "name"), doc_text(v, "digest"), owner));
    }
    return NULL;
}

/* ---- images: config and layers stand beside the components, since images share them ---- */

/* Puts it under `depends`; false when it stands in the document already. */
static bool is_new_blob(struct work *w, struct doc *depends, const char *ref)
{
    if (!doc_list_has(depends, ref))
        doc_add_text(depends, ref);
    if (doc_get(w->blobs, ref))
        return false;
    doc_set_bool(w->blobs, ref, true);
    return true;
}

static struct err *add_layer_files(struct work *w, struct doc *thing, const struct blob *b, const char *image,
                                   const struct owner *owner)
{
    OWN_DOC struct doc *evidence = NULL;
    struct doc *programs = depends_new(w, doc_text(thing, "bom-ref"));
    TRY(evidence_layer(&evidence, w->r, b, image));
    DOC_EACH (file, doc_get(evidence, "files"))
        TRY(add_file(w, thing, programs, doc_text(file, "path"), doc_int(file, "mode", 0), file, owner));
    return NULL;
}

static struct err *add_image_blob(struct work *w, struct doc *depends, const struct doc *descriptor, bool layer,
                                  const char *image, const struct owner *owner)
{
    const char *digest = doc_text(descriptor, "digest");
    OWN_FREE char *ref = str_fmt("blob/%s", digest);
    struct doc *thing = NULL;
    if (!ref)
        return err_os(ENOMEM, "image");
    if (!is_new_blob(w, depends, ref))
        return NULL;
    TRY_CTX(add_blob(&thing, w, w->components, ref, digest, digest, owner), "%s", image);
    if (doc_text(descriptor, "mediaType"))
        doc_set_text(thing, "mime-type", doc_text(descriptor, "mediaType"));
    return layer ? add_layer_files(w, thing, content_find(&w->a->content, format_hex(digest)), image, owner) : NULL;
}

static struct err *add_image_blobs(struct work *w, const char *ref, const struct blob *b, const char *image,
                                   const struct owner *owner)
{
    OWN_DOC struct doc *manifest = NULL;
    struct doc *depends = depends_new(w, ref);
    TRY(doc_json(&manifest, image, b->bytes, (size_t)b->size));
    TRY(add_image_blob(w, depends, doc_get(manifest, "config"), false, image, owner));
    DOC_EACH (v, doc_get(manifest, "layers"))
        TRY(add_image_blob(w, depends, v, true, image, owner));
    return NULL;
}

static struct err *describe_image(const struct work *w, struct doc *thing, const struct doc *image)
{
    OWN_BUF struct buf purl = {0};
    const char *name = doc_text(image, "name"), *tag = name + purl_repository(name);
    const char *arch = strchr(w->r->platform, '/');
    TRY(purl_oci(&purl, name, doc_text(image, "manifestDigest"), arch ? arch + 1 : ""));
    doc_set_fmt(thing, "name", "%.*s", (int)(tag - name), name);
    doc_set_text(thing, "version", *tag ? tag + 1 : "");
    doc_set_text(thing, "purl", buf_text(&purl));
    return NULL;
}

static struct err *add_image(struct work *w, struct doc *component, struct doc *depends, const struct doc *image,
                             const struct owner *owner)
{
    const char *name = doc_text(image, "name"), *digest = doc_text(image, "manifestDigest");
    const struct blob *b = content_find(&w->a->content, format_hex(digest));
    OWN_FREE char *ref = str_fmt("image/%s", name);
    OWN_DOC struct doc *evidence = NULL;
    if (!ref || !b || !b->bytes)
        return err_new(ERR_FAILED, "%s: its manifest is not in memory", name);
    TRY(evidence_blob(&evidence, w->r, b, name));
    struct doc *thing = doc_add(inner_list(component), thing_new("container", ref, name, owner));
    add_evidence(thing, evidence);
    TRY(describe_image(w, thing, image));
    doc_add_text(depends, ref);
    return add_image_blobs(w, ref, b, name, owner);
}

/* ---- components ---- */

static void add_license(struct doc *thing, const char *license)
{
    if (!*license)
        return;
    struct doc *v = doc_add(doc_set(thing, "licenses", doc_new_list()), doc_new_map());
    doc_set_text(v, "expression", license);
    doc_set_text(v, "acknowledgement", "declared");
}

static struct err *add_component(struct work *w, struct doc *of_release, const struct doc *c)
{
    const struct owner owner = {doc_text(c, "supplier"), doc_text(c, "version")};
    OWN_FREE char *ref = str_fmt("component/%s", doc_text(c, "name"));
    if (!ref)
        return err_os(ENOMEM, "component");
    struct doc *thing = doc_add(w->components, thing_new("application", ref, doc_text(c, "name"), &owner));
    struct doc *depends = depends_new(w, ref);
    add_license(thing, doc_text(c, "license"));
    if (*doc_text(c, "purl"))
        doc_set_text(thing, "purl", doc_text(c, "purl"));
    doc_add_text(of_release, ref);
    TRY(add_texts(w, thing, c, &owner));
    DOC_EACH (v, doc_get(c, "artifacts"))
        TRY(add_package(w, thing, depends, v, &owner));
    DOC_EACH (v, doc_get(c, "images"))
        TRY(add_image(w, thing, depends, v, &owner));
    return NULL;
}

/* ---- the document ---- */

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
    struct doc *thing = doc_set(metadata, "component", thing_new("platform", "release", name, &owner));
    doc_set_text(thing, "purl", buf_text(&purl));
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)r->opts->sequence);
    add_property(thing, "caisson:profile", r->name);
    add_property(thing, "caisson:platform", r->platform);
    add_property(thing, "caisson:sequence", number);
    add_property(thing, "caisson:lock", hex);
    return NULL;
}

static struct err *add_metadata(struct doc *sbom, const struct recipe *r)
{
    static const struct owner self = {"caisson", CAISSON_VERSION};
    struct doc *m = doc_set(sbom, "metadata", doc_new_map());
    char when[32];
    clock_rfc3339(when, r->opts->source_date_epoch);
    doc_set_text(m, "timestamp", when);
    struct doc *phase = doc_add(doc_set(m, "lifecycles", doc_new_list()), doc_new_map());
    doc_set_text(phase, "phase", "build");
    struct doc *tools = doc_set(doc_set(m, "tools", doc_new_map()), "components", doc_new_list());
    doc_add(tools, thing_new("application", "tool/caisson", "caisson", &self));
    struct doc *author = doc_add(doc_set(m, "authors", doc_new_list()), doc_new_map());
    doc_set_text(author, "name", build_product(r->opts));
    doc_set_text(doc_set(m, "supplier", doc_new_map()), "name", build_product(r->opts));
    return add_subject(m, r);
}

/* A name for these bytes and no others: a UUID of version 8 out of the digest of the rest of the document. */
static struct err *add_serial(struct doc *sbom)
{
    OWN_BUF struct buf text = {0};
    char hex[DIGEST_HEX];
    TRY(doc_json_write(&text, sbom));
    TRY(digest_hex(hex, text.at, text.len));
    doc_set_fmt(sbom, "serialNumber", "urn:uuid:%.8s-%.4s-8%.3s-a%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15,
                hex + 18);
    return NULL;
}

static struct err *add_components(struct work *w)
{
    static const char profile[] = "profile";
    const struct owner owner = {build_product(w->r->opts), w->r->version};
    struct doc *of_release = depends_new(w, "release"), *thing = NULL;
    DOC_EACH (c, w->a->components)
        TRY_CTX(add_component(w, of_release, c), "component %s", doc_text(c, "name"));
    doc_add_text(of_release, profile);
    return add_blob(&thing, w, w->components, profile, profile, w->a->profile_digest, &owner);
}

/* How far the dependencies are known: in full, in part, or not at all. */
static void add_compositions(struct doc *sbom, const struct work *w)
{
    static const char *const names[] = {"complete", "incomplete", "unknown"};
    const struct doc *const lists[] = {w->complete, w->incomplete, w->unknown};
    struct doc *all = doc_new_list();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!doc_len(lists[i]))
            continue;
        struct doc *v = doc_add(all, doc_new_map());
        doc_set_text(v, "aggregate", names[i]);
        doc_set(v, "dependencies", doc_clone(lists[i]));
    }
    doc_set(sbom, "compositions", all);
}

struct err *sbom_make(struct doc **ret, const struct recipe *r, const struct assembly *a)
{
    OWN_DOC struct doc *sbom = doc_new_map();
    OWN(work_done)
    struct work w = {.r = r,
                     .a = a,
                     .blobs = doc_new_map(),
                     .sums = doc_new_map(),
                     .complete = doc_new_list(),
                     .incomplete = doc_new_list(),
                     .unknown = doc_new_list()};
    doc_set_text(sbom, "$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json");
    doc_set_text(sbom, "bomFormat", "CycloneDX");
    doc_set_text(sbom, "specVersion", "1.6");
    doc_set_int(sbom, "version", 1);
    TRY(add_metadata(sbom, r));
    w.components = doc_set(sbom, "components", doc_new_list());
    w.dependencies = doc_set(sbom, "dependencies", doc_new_list());
    TRY(add_components(&w));
    add_compositions(sbom, &w);
    TRY(add_serial(sbom));
    *ret = TAKE(sbom);
    return NULL;
}
