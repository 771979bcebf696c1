#include "supply/assemble.h"

#include "base/file.h"
#include "base/str.h"
#include "bundle/format.h"
#include "bundle/oci.h"
#include "crypt/digest.h"
#include "pack/ustar.h"
#include "supply/package.h"
#include "supply/sbom.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* The component that is being added. */
struct work {
    struct assembly *a;
    const struct recipe *r;
    const struct part *part;
    struct doc *component; /* for release.json */
    struct doc *layers;    /* of the component's artifact */
};

static struct doc *descriptor_new(const char *type, const char *digest, uint64_t size)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "mediaType", type);
    doc_set_text(d, "digest", digest);
    doc_set_int(d, "size", (int64_t)size);
    return d;
}

/* ---- artifacts: definitions, files and packages hang on manifests, so that OCI tools see every blob ---- */

static void add_layer(struct doc *layers, const char *type, const char *digest, uint64_t size, const char *title)
{
    struct doc *d = doc_add(layers, descriptor_new(type, digest, size));
    doc_set_text(doc_set(d, "annotations", doc_new_map()), ANNOTATION_TITLE, title);
}

/* Adds the manifest over `layers` (ownership passes) to content and index. */
static struct err *add_artifact(struct assembly *a, const char *type, const char *name, struct doc *layers)
{
    OWN_DOC struct doc *manifest = doc_new_map();
    char digest[72], empty[72];
    uint64_t size;
    doc_set(manifest, "layers", layers);
    TRY(content_add_bytes(empty, &a->content, "{}", 2));
    doc_set_int(manifest, "schemaVersion", 2);
    doc_set_text(manifest, "mediaType", MEDIA_MANIFEST);
    doc_set_text(manifest, "artifactType", type);
    doc_set(manifest, "config", descriptor_new(MEDIA_EMPTY, empty, 2));
    TRY(content_add_doc(digest, &size, &a->content, manifest));
    struct doc *d = doc_add(doc_get(a->index, "manifests"), descriptor_new(MEDIA_MANIFEST, digest, size));
    doc_set_text(d, "artifactType", type);
    doc_set_text(doc_set(d, "annotations", doc_new_map()), ANNOTATION_TITLE, name);
    return NULL;
}

static struct err *add_text(char ret[72], struct assembly *a, struct doc *layers, const char *type,
                            const struct buf *text, const char *title)
{
    if (!text->len)
        return err_new(ERR_USAGE, "%s: empty", title);
    TRY(content_add_bytes(ret, &a->content, text->at, text->len));
    add_layer(layers, type, ret, text->len, title);
    return NULL;
}

static struct err *add_definition(const struct work *w)
{
    char digest[72];
    OWN_FREE char *title = str_fmt("%s.yaml", w->part->name);
    if (!title)
        return err_os(ENOMEM, "definition");
    TRY(add_text(digest, w->a, w->layers, MEDIA_DEFINITION, &w->part->text, title));
    doc_set_text(doc_set(w->component, "definition", doc_new_map()), "digest", digest);
    return NULL;
}

static struct err *add_manifest_file(const struct work *w, const struct doc *def, struct doc *files)
{
    OWN_FREE char *name = NULL;
    OWN_BUF struct buf text = {0};
    char digest[72];
    TRY(recipe_manifest(&text, &name, w->r, w->part, def));
    TRY(add_text(digest, w->a, w->layers, MEDIA_FILE, &text, name));
    struct doc *v = doc_add(files, doc_new_map());
    doc_set_text(v, "name", name);
    doc_set_text(v, "digest", digest);
    return NULL;
}

static struct err *add_files(const struct work *w)
{
    const struct doc *list = doc_get(w->part->definition, "manifests");
    if (!list)
        return NULL;
    struct doc *files = doc_set(w->component, "files", doc_new_list());
    DOC_EACH (v, list)
        TRY(add_manifest_file(w, v, files));
    return NULL;
}

static struct err *copy_roles(struct doc *to, const struct doc *def)
{
    const struct doc *roles = doc_get(def, "roles");
    if (!roles || roles->kind != DOC_LIST || !roles->child)
        return doc_err(ERR_USAGE, def, "roles must be a list");
    doc_set(to, "role", doc_clone(roles));
    return NULL;
}

static struct err *add_package(const struct work *w, const struct doc *def)
{
    struct tree_info info = {0};
    OWN_FREE char *path = NULL;
    OWN_DOC struct doc *files = NULL;
    const char *name = doc_text(def, "name");
    struct err *bad = name ? format_name(name) : err_new(ERR_USAGE, "name is missing");
    if (bad)
        return err_as(err_wrap(bad, "%s:%u: package", def->file, def->line), ERR_USAGE);
    TRY(package_make(&info, &path, &files, w->r, w->part, def));
    OWN_FREE char *title = str_fmt("%s.tar.zst", name);
    OWN_FREE char *digest = str_fmt("sha256:%s", info.digest);
    if (!title || !digest)
        return err_os(ENOMEM, "package");
    TRY(content_add_file(&w->a->content, path, info.digest, info.size, false));
    add_layer(w->layers, MEDIA_PACKAGE, digest, info.size, title);
    doc_set(w->a->trees, digest, TAKE(files));
    w->a->raw_extra += info.raw_size - (info.raw_size < info.size ? info.raw_size : info.size);
    struct doc *v = doc_add(doc_get(w->component, "artifacts"), doc_new_map());
    doc_set_text(v, "name", name);
    doc_set_text(v, "digest", digest);
    doc_set_text(v, "mediaType", MEDIA_PACKAGE);
    doc_set_text(v, "enc", "zstd");
    doc_set_int(v, "rawSize", (int64_t)info.raw_size);
    doc_set_fmt(v, "rawDigest", "sha256:%s", info.raw_digest);
    doc_set_text(v, "platform", w->r->platform);
    return copy_roles(v, def);
}

/* ---- images ---- */

/* What the cache has of a descriptor; check_image() says whether that is right, and what is missing. */
static struct err *add_cached(struct assembly *a, const struct recipe *r, const struct doc *d, bool small)
{
    const char *hex = format_hex(doc_text(d, "digest"));
    struct stat st;
    OWN_FREE char *path = hex ? recipe_blob(r, hex) : NULL;
    if (!path || stat(path, &st) < 0)
        return NULL;
    return content_add_file(&a->content, path, hex, (uint64_t)st.st_size, small);
}

/* The bytes that `locked` says: an entry's manifest, or its index. */
static struct err *read_locked(struct buf *out, const struct recipe *r, const struct doc *locked, const char *image)
{
    char hex[DIGEST_HEX];
    OWN_FREE char *path = recipe_blob(r, doc_text(locked, "sha256"));
    if (!path)
        return err_os(ENOMEM, "image %s", image);
    struct err *e = file_read(out, AT_FDCWD, path);
    if (e)
        return err_hint(err_as(err_wrap(e, "image %s", image), ERR_USAGE), "fill the cache first");
    TRY(digest_hex(hex, out->at, out->len));
    if (strcmp(hex, doc_text(locked, "sha256")) != 0)
        return err_new(ERR_UNTRUSTED, "E_DIGEST: image %s: %s has other bytes than the lock says", image, path);
    return NULL;
}

static struct err *add_image_blobs(struct assembly *a, const struct recipe *r, const struct doc *manifest)
{
    TRY(add_cached(a, r, doc_get(manifest, "config"), true));
    DOC_EACH (v, doc_get(manifest, "layers"))
        TRY(add_cached(a, r, v, false));
    return NULL;
}

static bool blob_size(const void *self, const char *hex, uint64_t *ret)
{
    const struct blob *b = content_find(self, hex);
    if (b)
        *ret = b->size;
    return b;
}

static struct err *blob_bytes(const void *self, struct buf *out, const char *hex)
{
    return content_read(out, content_find(self, hex));
}

/* As every reader of the bundle will check it: complete, of known types and for the right platform. */
static struct err *check_image(const struct work *w, const struct doc *descriptor)
{
    OWN_DOC struct doc *platforms = doc_new_list();
    doc_add_text(platforms, w->r->platform);
    const struct oci_blobs blobs = {
        .self = &w->a->content, .platforms = platforms, .size = blob_size, .read = blob_bytes};
    return err_hint(oci_walk(&blobs, descriptor, NULL, NULL),
                    "is the cache %s filled, and does the lock name an image for %s?", w->r->opts->cache,
                    w->r->platform);
}

/* The image's descriptor in index.json: what a registry would give under its name. */
static struct doc *add_to_index(const struct work *w, const char *type, const char *digest, uint64_t size,
                                const char *name)
{
    struct doc *d = doc_add(doc_get(w->a->index, "manifests"), descriptor_new(type, digest, size));
    struct doc *notes = doc_set(d, "annotations", doc_new_map());
    doc_set_text(notes, ANNOTATION_NAME, name);
    doc_set_text(notes, ANNOTATION_REF, name);
    return d;
}

/* An index stands for all its platforms, a manifest for this one. */
static void set_platform(const struct work *w, struct doc *descriptor)
{
    const char *whole = w->r->platform, *slash = strchr(whole, '/');
    struct doc *platform = doc_set(descriptor, "platform", doc_new_map());
    doc_set_fmt(platform, "os", "%.*s", (int)(slash ? slash - whole : 0), whole);
    doc_set_text(platform, "architecture", slash ? slash + 1 : whole);
}

static struct doc *describe_image(const struct work *w, const struct doc *def, const char *name, const char *digest)
{
    struct doc *v = doc_add(doc_get(w->component, "images"), doc_new_map());
    doc_set_text(v, "name", name);
    doc_set_text(v, "manifestDigest", digest);
    doc_set_text(v, "platform", w->r->platform);
    doc_set_bool(v, "pin", doc_bool(def, "pin", false));
    doc_set_bool(v, "seed", doc_bool(def, "seed", true));
    return v;
}

/* One document of an image; its type is what it says, else `otherwise`. */
struct text {
    struct buf bytes;
    struct doc *doc;
    const char *type;
    char digest[72];
};

static void text_done(struct text *t)
{
    buf_done(&t->bytes);
    doc_free(t->doc);
}

static struct err *add_locked(struct text *t, const struct work *w, const struct doc *locked, const char *name,
                              const char *otherwise)
{
    t->bytes.max = FORMAT_MANIFEST_BYTES_MAX;
    TRY(read_locked(&t->bytes, w->r, locked, name));
    TRY(doc_json(&t->doc, name, t->bytes.at, t->bytes.len));
    t->type = doc_text(t->doc, "mediaType") ? doc_text(t->doc, "mediaType") : otherwise;
    return content_add_bytes(t->digest, &w->a->content, t->bytes.at, t->bytes.len);
}

static struct err *add_image(const struct work *w, const struct doc *def)
{
    OWN_FREE char *name = NULL;
    OWN(text_done) struct text manifest = {0}, index = {0};
    const struct doc *entry;
    TRY(recipe_expand(&name, w->part, doc_get(def, "name")));
    TRY(recipe_locked(&entry, w->r, w->part, "oci", name, def));
    TRY(add_locked(&manifest, w, entry, name, MEDIA_MANIFEST));
    TRY(add_image_blobs(w->a, w->r, manifest.doc));
    if (doc_get(entry, "index")) /* kept whole, so that names with its digest hold */
        TRY(add_locked(&index, w, doc_get(entry, "index"), name, MEDIA_INDEX));
    const struct text *top = index.doc ? &index : &manifest;
    struct doc *d = add_to_index(w, top->type, top->digest, top->bytes.len, name);
    struct doc *v = describe_image(w, def, name, manifest.digest);
    if (index.doc)
        doc_set_text(v, "indexDigest", index.digest);
    else
        set_platform(w, d);
    TRY(check_image(w, d));
    return copy_roles(v, def);
}

/* ---- components ---- */

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

/* The purl with its version: that of a locked thing of this component, else the definition's. */
static const char *purl_of(const struct recipe *r, const struct part *part)
{
    DOC_EACH (v, doc_get(r->lock, "entries"))
        if (str_eq(doc_text(v, "component"), part->name) && str_eq(doc_text(v, "version"), part->version))
            return doc_text(v, "purl");
    return or_empty(doc_text(part->definition, "metadata.purl"));
}

static struct doc *component_new(const struct recipe *r, const struct part *part)
{
    struct doc *c = doc_new_map();
    doc_set_text(c, "name", part->name);
    doc_set_text(c, "version", part->version);
    doc_set_text(c, "kind", "component");
    doc_set_text(c, "license", or_empty(doc_text(part->definition, "metadata.license")));
    doc_set_text(c, "supplier", or_empty(doc_text(part->definition, "metadata.supplier")));
    doc_set_text(c, "purl", purl_of(r, part));
    doc_set(c, "artifacts", doc_new_list());
    doc_set(c, "images", doc_new_list());
    return c;
}

static struct err *add_component(struct assembly *a, const struct recipe *r, const struct part *part)
{
    struct doc *component = doc_add(a->components, component_new(r, part));
    OWN_DOC struct doc *layers = doc_new_list();
    const struct work w = {.a = a, .r = r, .part = part, .component = component, .layers = layers};
    TRY(add_definition(&w));
    TRY(add_files(&w));
    DOC_EACH (v, doc_get(part->definition, "packages"))
        TRY(add_package(&w, v));
    TRY(add_artifact(a, ARTIFACT_COMPONENT, part->name, TAKE(layers)));
    DOC_EACH (v, doc_get(part->definition, "images"))
        TRY(add_image(&w, v));
    return NULL;
}

static struct err *add_profile(struct assembly *a, const struct recipe *r)
{
    OWN_DOC struct doc *layers = doc_new_list();
    OWN_FREE char *title = str_fmt("%s.yaml", r->name);
    if (!title)
        return err_os(ENOMEM, "profile");
    TRY(add_text(a->profile_digest, a, layers, MEDIA_DEFINITION, &r->profile_text, title));
    return add_artifact(a, ARTIFACT_PROFILE, r->name, TAKE(layers));
}

static struct err *add_sbom(struct assembly *a, const struct recipe *r)
{
    OWN_DOC struct doc *layers = doc_new_list();
    char hex[DIGEST_HEX], path[64];
    TRY(sbom_make(&a->sbom, r, a));
    if (a->sbom->size > FORMAT_SBOM_BYTES_MAX)
        return err_new(ERR_FAILED, "E_LIMIT: %llu bytes, at most %d are allowed", (unsigned long long)a->sbom->size,
                       FORMAT_SBOM_BYTES_MAX);
    TRY(spool_digest(hex, a->sbom));
    (void)snprintf(a->sbom_digest, sizeof a->sbom_digest, "sha256:%s", hex);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", a->sbom->fd);
    TRY(content_add_file(&a->content, path, hex, a->sbom->size, true));
    add_layer(layers, MEDIA_SBOM, a->sbom_digest, a->sbom->size, "sbom.cdx.json");
    return add_artifact(a, ARTIFACT_SBOM, "sbom", TAKE(layers));
}

struct err *assemble(struct assembly *ret, const struct recipe *r)
{
    ret->components = doc_new_list();
    ret->trees = doc_new_map();
    ret->index = doc_new_map();
    doc_set_int(ret->index, "schemaVersion", 2);
    doc_set_text(ret->index, "mediaType", MEDIA_INDEX);
    doc_set(ret->index, "manifests", doc_new_list());
    TRY(add_profile(ret, r));
    for (size_t i = 0; i < r->n; i++)
        TRY_CTX(add_component(ret, r, &r->parts[i]), "component %s", r->parts[i].name);
    TRY_CTX(add_sbom(ret, r), "bill of materials");
    return content_sort(&ret->content);
}

void assemble_done(struct assembly *a)
{
    content_done(&a->content);
    spool_free(a->sbom);
    doc_free(a->index);
    doc_free(a->components);
    doc_free(a->trees);
}
