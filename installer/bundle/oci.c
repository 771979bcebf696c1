#include "bundle/oci.h"

#include "base/str.h"
#include "bundle/format.h"
#include "bundle/inside.h"

#include <errno.h>
#include <string.h>

struct closure {
    const struct oci_blobs *blobs;
    oci_visit visit;
    void *self;
};

/* ---- media types ---- */

static const char *or_mark(const char *s)
{
    return s ? s : "?";
}

static bool is_one_of(const char *s, const char *const words[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(s, words[i]))
            return true;
    return false;
}

bool oci_is_index(const char *type)
{
    return is_one_of(type, (const char *const[]){MEDIA_INDEX, MEDIA_DOCKER_INDEX}, 2);
}

bool oci_is_manifest(const char *type)
{
    return is_one_of(type, (const char *const[]){MEDIA_MANIFEST, MEDIA_DOCKER_MANIFEST}, 2);
}

static bool is_image_config(const char *type)
{
    return is_one_of(type, (const char *const[]){MEDIA_CONFIG, MEDIA_DOCKER_CONFIG}, 2);
}

bool oci_is_layer(const char *type)
{
    static const char *const types[] = {
        "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip"};
    return is_one_of(type, types, ARRAY_LEN(types));
}

static bool is_artifact_layer(const char *type)
{
    return is_one_of(type, (const char *const[]){MEDIA_PACKAGE, MEDIA_DEFINITION, MEDIA_FILE, MEDIA_SBOM}, 4);
}

/* ---- platforms ---- */

bool oci_is_for(const struct doc *d, const char *platform)
{
    char text[128];
    const char *os = doc_text(d, "os"), *arch = doc_text(d, "architecture"), *variant = doc_text(d, "variant");
    const char *usual = str_eq(arch, "arm64") ? "v8" : "v1";
    (void)snprintf(text, sizeof text, "%s/%s", or_mark(os), or_mark(arch));
    if (!variant || !*variant || str_eq(variant, usual))
        if (str_eq(text, platform))
            return true;
    (void)snprintf(text, sizeof text, "%s/%s/%s", or_mark(os), or_mark(arch), or_mark(variant));
    return str_eq(text, platform);
}

const struct doc *oci_choose(const struct doc *index, const char *platform)
{
    DOC_EACH (v, doc_get(index, "manifests"))
        if (oci_is_for(doc_get(v, "platform"), platform))
            return v;
    return NULL;
}

/* ---- descriptors ---- */

/* The digits of the blob that a descriptor points at, which is there and as large as it says. Borrowed. */
static struct err *resolve(const char **ret, const struct closure *c, const struct doc *d)
{
    const char *hex = format_hex(doc_text(d, "digest"));
    const struct doc *size = doc_get(d, "size");
    uint64_t has;
    if (!hex || !size || size->kind != DOC_INT || !doc_text(d, "mediaType"))
        return err_new(ERR_UNTRUSTED, "E_OCI: a descriptor without mediaType, size or sha256 digest");
    if (doc_get(d, "urls") || doc_get(d, "data"))
        return err_new(ERR_UNTRUSTED, "E_OCI: sha256:%s: a descriptor with urls or data", hex);
    if (!c->blobs->size(c->blobs->self, hex, &has))
        return err_new(ERR_UNTRUSTED, "E_OCI_CLOSURE: sha256:%s is no member of the bundle", hex);
    if (size->num < 0 || (uint64_t)size->num != has)
        return err_new(ERR_UNTRUSTED, "E_OCI: sha256:%s has %llu bytes, its descriptor says %s", hex,
                       (unsigned long long)has, size->text);
    *ret = hex;
    return NULL;
}

/* Resolves and visits; *ret_doc (may be NULL) is the blob, parsed. */
static struct err *enter(struct doc **ret_doc, const struct closure *c, const struct doc *d)
{
    const char *hex = NULL;
    OWN_BUF struct buf text = {0};
    TRY(resolve(&hex, c, d));
    if (c->visit)
        TRY(c->visit(c->self, hex, ret_doc != NULL));
    if (!ret_doc)
        return NULL;
    if (doc_int(d, "size", 0) > FORMAT_MANIFEST_BYTES_MAX)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: sha256:%s: %s bytes for a manifest or config", hex,
                       doc_text(d, "size"));
    TRY(c->blobs->read(c->blobs->self, &text, hex));
    struct err *e = doc_json(ret_doc, doc_text(d, "digest"), text.at, text.len);
    return e ? err_as(err_wrap(e, "E_OCI"), ERR_UNTRUSTED) : NULL;
}

static bool is_for_any(const struct doc *d, const struct doc *platforms)
{
    DOC_EACH (v, platforms)
        if (oci_is_for(d, v->text))
            return true;
    return false;
}

static struct err *walk_config(const struct closure *c, const struct doc *d)
{
    OWN_DOC struct doc *config = NULL;
    TRY(enter(&config, c, d));
    if (!is_for_any(config, c->blobs->platforms))
        return err_new(ERR_UNTRUSTED, "E_PLATFORM: config %s is for %s/%s", doc_text(d, "digest"),
                       or_mark(doc_text(config, "os")), or_mark(doc_text(config, "architecture")));
    return NULL;
}

static struct err *walk_layers(const struct closure *c, const struct doc *layers, bool (*accepts)(const char *))
{
    if (!layers || layers->kind != DOC_LIST)
        return err_new(ERR_UNTRUSTED, "E_OCI: a manifest without layers");
    DOC_EACH (v, layers) {
        if (!accepts(doc_text(v, "mediaType")))
            return err_new(ERR_UNTRUSTED, "E_OCI: layer %s is of type %s", or_mark(doc_text(v, "digest")),
                           or_mark(doc_text(v, "mediaType")));
        TRY(enter(NULL, c, v));
    }
    return NULL;
}

static struct err *walk_manifest(const struct closure *c, const struct doc *manifest)
{
    const struct doc *config = doc_get(manifest, "config");
    const char *type = doc_text(config, "mediaType");
    if (is_image_config(type)) {
        TRY(walk_config(c, config));
        return walk_layers(c, doc_get(manifest, "layers"), oci_is_layer);
    }
    if (!str_eq(type, MEDIA_EMPTY) || !doc_text(manifest, "artifactType"))
        return err_new(ERR_UNTRUSTED, "E_OCI: neither an image nor an artifact (config of type %s)", or_mark(type));
    TRY(enter(NULL, c, config));
    return walk_layers(c, doc_get(manifest, "layers"), is_artifact_layer);
}

static struct err *walk_node(const struct closure *c, const struct doc *d, int depth);

static bool is_there(const struct closure *c, const struct doc *d)
{
    uint64_t size;
    const char *hex = format_hex(doc_text(d, "digest"));
    return hex && c->blobs->size(c->blobs->self, hex, &size);
}

/* Children that no platform of the release takes may be left out; they keep the index's digest what it is. */
static struct err *walk_children(const struct closure *c, const struct doc *index, int depth)
{
    const struct doc *list = doc_get(index, "manifests");
    if (!list || list->kind != DOC_LIST)
        return err_new(ERR_UNTRUSTED, "E_OCI: an index without manifests");
    DOC_EACH (v, list)
        if (!doc_get(v, "platform") || is_there(c, v))
            TRY(walk_node(c, v, depth + 1));
    DOC_EACH (platform, c->blobs->platforms) {
        const struct doc *v = oci_choose(index, platform->text);
        if (v && !is_there(c, v))
            TRY(walk_node(c, v, depth + 1)); /* which says what is missing */
    }
    return NULL;
}

static struct err *walk_node(const struct closure *c, const struct doc *d, int depth)
{
    OWN_DOC struct doc *node = NULL;
    const char *type = doc_text(d, "mediaType");
    if (depth > FORMAT_OCI_DEPTH_MAX)
        return err_new(ERR_UNTRUSTED, "E_OCI: more than %d indexes inside one another", FORMAT_OCI_DEPTH_MAX);
    if (!oci_is_index(type) && !oci_is_manifest(type))
        return err_new(ERR_UNTRUSTED, "E_OCI: %s is of type %s", or_mark(doc_text(d, "digest")), or_mark(type));
    TRY(enter(&node, c, d));
    if (doc_int(node, "schemaVersion", 0) != 2)
        return err_new(ERR_UNTRUSTED, "E_OCI: %s is not of schemaVersion 2", doc_text(d, "digest"));
    const char *own = doc_text(node, "mediaType");
    if (own && !str_eq(own, type))
        return err_new(ERR_UNTRUSTED, "E_OCI: %s is of type %s, its descriptor says %s", doc_text(d, "digest"), own,
                       type);
    struct err *bad = oci_is_index(type) ? walk_children(c, node, depth) : walk_manifest(c, node);
    return err_wrap(bad, "%s", doc_text(d, "digest"));
}

struct err *oci_walk(const struct oci_blobs *blobs, const struct doc *descriptor, oci_visit visit, void *self)
{
    const struct closure c = {.blobs = blobs, .visit = visit, .self = self};
    const char *name = oci_image_name(descriptor);
    TRY_CTX(walk_node(&c, descriptor, 0), "index.json: %s", name ? name : "artifact");
    return NULL;
}

static bool bundle_size(const void *self, const char *hex, uint64_t *ret)
{
    const struct bundle *b = self;
    const struct member *m = members_find(&b->members, hex);
    if (m)
        *ret = m->size;
    return m != NULL;
}

static struct err *bundle_bytes(const void *self, struct buf *out, const char *hex)
{
    return bundle_read(out, self, hex);
}

struct oci_blobs oci_blobs_of(const struct bundle *b)
{
    return (struct oci_blobs){
        .self = b, .platforms = doc_path(b->release, "predicate.platforms"), .size = bundle_size, .read = bundle_bytes};
}

/* ---- index.json ---- */

/* Annotation keys have dots in them: no doc_path() here. */
const char *oci_image_name(const struct doc *descriptor)
{
    const struct doc *name = doc_get(doc_get(descriptor, "annotations"), ANNOTATION_NAME);
    return name && name->kind == DOC_STRING ? name->text : NULL;
}

static struct err *check_names(const struct doc *list)
{
    DOC_EACH (v, list) {
        const char *name = oci_image_name(v);
        if (!name)
            continue;
        TRY(format_ref(name));
        for (const struct doc *w = v->next; w; w = w->next)
            if (str_eq(oci_image_name(w), name))
                return err_new(ERR_UNTRUSTED, "E_REF: %s is there twice", name);
    }
    return NULL;
}

const struct doc *oci_find_image(const struct doc *index, const char *name)
{
    DOC_EACH (v, doc_get(index, "manifests"))
        if (str_eq(oci_image_name(v), name))
            return v;
    return NULL;
}

static struct err *check_image(const struct doc *oci_index, const struct doc *image)
{
    const char *name = doc_text(image, "name"), *index = doc_text(image, "indexDigest");
    const struct doc *d = oci_find_image(oci_index, name);
    if (!d)
        return err_new(ERR_UNTRUSTED, "E_REF: %s is not in index.json", name);
    if (!str_eq(doc_text(d, "digest"), index ? index : doc_text(image, "manifestDigest")))
        return err_new(ERR_UNTRUSTED, "E_REF: %s has another digest in index.json", name);
    return NULL;
}

struct err *oci_check_index(const struct doc *index, const struct doc *release)
{
    const struct doc *list = doc_get(index, "manifests");
    if (doc_int(index, "schemaVersion", 0) != 2 || !list || list->kind != DOC_LIST)
        return err_new(ERR_UNTRUSTED, "E_OCI: index.json is no OCI index");
    TRY(check_names(list));
    DOC_EACH (c, doc_path(release, "predicate.components"))
        DOC_EACH (image, doc_get(c, "images"))
            TRY(check_image(index, image));
    return NULL;
}

/* ---- closure ---- */

struct marks {
    const struct members *members;
    bool *used;
};

static struct err *mark(void *self, const char *hex, bool is_read)
{
    struct marks *marks = self;
    (void)is_read;
    marks->used[members_find(marks->members, hex) - marks->members->at] = true;
    return NULL;
}

struct err *oci_check_closure(const struct bundle *b)
{
    OWN_FREE bool *used = calloc(b->members.n, sizeof *used);
    struct marks marks = {.members = &b->members, .used = used};
    if (!used)
        return err_os(ENOMEM, "closure");
    const struct oci_blobs blobs = oci_blobs_of(b);
    used[0] = true; /* index.json */
    DOC_EACH (v, doc_get(b->index, "manifests"))
        TRY_CTX(oci_walk(&blobs, v, mark, &marks), "%s", b->path);
    for (size_t i = 0; i < b->members.n; i++)
        if (!used[i])
            return err_new(ERR_UNTRUSTED, "%s: member %s at byte %llu: E_OCI_ORPHAN: nothing refers to it", b->path,
                           b->members.at[i].path, (unsigned long long)b->members.at[i].at);
    return NULL;
}
