#include "supply/sbom_private.h"

#include "base/str.h"
#include "bundle/format.h"
#include "bundle/oci.h"
#include "supply/evidence.h"
#include "supply/purl.h"

#include <errno.h>
#include <string.h>

/* ---- files and packages ---- */

/* A blob of the bundle as a file. */
static struct err *blob_thing(struct doc **ret, const struct sbom *s, const char *ref, const char *name,
                              const char *digest, const struct owner *owner)
{
    OWN_DOC struct doc *evidence = NULL;
    const struct blob *b = content_find(&s->a->content, format_hex(digest));
    if (!b)
        return err_new(ERR_FAILED, "%s: %s is no blob of the bundle", name, digest);
    TRY(evidence_blob(&evidence, s->r, b, name));
    *ret = sbom_thing("file", ref, name, owner);
    sbom_evidence(*ret, evidence);
    return NULL;
}

static struct err *add_blob(struct sbom *s, const char *ref, const char *name, const char *digest,
                            const struct owner *owner)
{
    struct doc *thing = NULL;
    TRY(blob_thing(&thing, s, ref, name, digest, owner));
    return sbom_add(s, SBOM_COMPONENTS, thing);
}

/* Where a file is that is being added: in a package or in a layer. */
struct inside {
    struct sbom *s;
    enum sbom_list list;
    const char *ref;
    struct doc *programs; /* which it depends on */
    const struct owner *owner;
};

/* A file of which `evidence` is known; {link} for a link. */
static struct err *add_file(const struct inside *in, const char *path, int64_t mode, const struct doc *evidence)
{
    OWN_FREE char *ref = str_fmt("%s/%s", in->ref, path);
    char text[8];
    if (!ref)
        return err_os(ENOMEM, "%s", path);
    OWN_DOC struct doc *thing = sbom_thing("file", ref, path, in->owner);
    if (doc_get(evidence, "link")) {
        sbom_property(thing, "caisson:link", doc_text(evidence, "link"));
        return sbom_add(in->s, in->list, TAKE(thing));
    }
    sbom_evidence(thing, evidence);
    (void)snprintf(text, sizeof text, "%04o", (unsigned)mode & 07777);
    sbom_property(thing, "caisson:mode", text);
    TRY(sbom_program(in->s, thing, in->programs, evidence));
    return sbom_add(in->s, in->list, TAKE(thing));
}

static struct err *add_packed_file(const struct inside *in, const struct doc *file)
{
    const char *path = doc_text(file, "path"), *hex = doc_text(file, "sha256");
    OWN_FREE char *source = hex ? recipe_blob(in->s->r, hex) : NULL;
    OWN_DOC struct doc *evidence = NULL;
    if (!hex)
        return add_file(in, path, 0, file);
    if (!source)
        return err_os(ENOMEM, "%s", path);
    TRY(evidence_file(&evidence, in->s->r, source, hex, path));
    return add_file(in, path, doc_int(file, "mode", 0), evidence);
}

static struct err *add_package(struct sbom *s, const char *component, struct doc *on, const struct doc *artifact,
                               const struct owner *owner)
{
    const char *digest = doc_text(artifact, "digest");
    OWN_FREE char *ref = str_fmt("%s/package/%s", component, doc_text(artifact, "name"));
    OWN_FREE char *name = str_fmt("%s.tar.zst", doc_text(artifact, "name"));
    OWN_DOC struct doc *thing = NULL, *depends = NULL;
    if (!ref || !name)
        return err_os(ENOMEM, "package");
    TRY(blob_thing(&thing, s, ref, name, digest, owner));
    doc_add_text(on, ref);
    depends = sbom_depends(ref);
    const struct inside in = {s, SBOM_COMPONENTS, ref, sbom_depends_on(depends), owner};
    TRY(sbom_begin(s, SBOM_COMPONENTS, ref));
    DOC_EACH (file, doc_get(s->a->trees, digest))
        TRY_CTX(add_packed_file(&in, file), "package %s", doc_text(artifact, "name"));
    TRY(sbom_end(s, SBOM_COMPONENTS, TAKE(thing)));
    return sbom_add(s, SBOM_DEPENDENCIES, TAKE(depends));
}

static struct err *add_texts(struct sbom *s, const char *component, const struct doc *c, const struct owner *owner)
{
    OWN_FREE char *ref = str_fmt("%s/definition", component), *name = str_fmt("%s.yaml", doc_text(c, "name"));
    if (!ref || !name)
        return err_os(ENOMEM, "definition");
    TRY(add_blob(s, ref, name, doc_text(c, "definition.digest"), owner));
    DOC_EACH (v, doc_get(c, "files")) {
        OWN_FREE char *file = str_fmt("%s/file/%s", component, doc_text(v, "name"));
        if (!file)
            return err_os(ENOMEM, "file");
        TRY(add_blob(s, file, doc_text(v, "name"), doc_text(v, "digest"), owner));
    }
    return NULL;
}

/* ---- images: index, config and layers stand beside the components, since images share them ---- */

/* Puts it under `depends`; false when it stands in the document already. */
static bool is_new_blob(struct sbom *s, struct doc *on, const char *ref)
{
    if (!doc_list_has(on, ref))
        doc_add_text(on, ref);
    if (doc_get(s->blobs, ref))
        return false;
    doc_set_bool(s->blobs, ref, true);
    return true;
}

static struct err *add_layer_file(void *self, const struct doc *file)
{
    return add_file(self, doc_text(file, "path"), doc_int(file, "mode", 0), file);
}

/* `thing` passes over. */
static struct err *add_layer(struct sbom *s, struct doc *thing, const char *digest, const char *image,
                             const struct owner *owner)
{
    OWN_DOC struct doc *own = thing;
    const char *ref = doc_text(own, "bom-ref");
    const struct blob *b = content_find(&s->a->content, format_hex(digest));
    OWN_DOC struct doc *depends = sbom_depends(ref);
    struct inside in = {s, SBOM_BLOBS, ref, sbom_depends_on(depends), owner};
    TRY(sbom_begin(s, SBOM_BLOBS, ref));
    TRY(evidence_layer(s->r, b, image, add_layer_file, &in));
    TRY(sbom_add(s, SBOM_DEPENDENCIES, TAKE(depends)));
    return sbom_end(s, SBOM_BLOBS, TAKE(own));
}

static struct err *add_image_blob(struct sbom *s, struct doc *on, const struct doc *descriptor, bool layer,
                                  const char *image, const struct owner *owner)
{
    const char *digest = doc_text(descriptor, "digest");
    OWN_FREE char *ref = str_fmt("blob/%s", digest);
    OWN_DOC struct doc *thing = NULL;
    if (!ref)
        return err_os(ENOMEM, "image");
    if (!is_new_blob(s, on, ref))
        return NULL;
    TRY_CTX(blob_thing(&thing, s, ref, digest, digest, owner), "%s", image);
    if (doc_text(descriptor, "mediaType"))
        doc_set_text(thing, "mime-type", doc_text(descriptor, "mediaType"));
    return layer ? add_layer(s, TAKE(thing), digest, image, owner) : sbom_add(s, SBOM_BLOBS, TAKE(thing));
}

/* The index that an image's name stands for: it goes to the nodes too. */
static struct err *add_image_index(struct sbom *s, struct doc *on, const struct doc *image, const struct owner *owner)
{
    const char *name = doc_text(image, "name");
    const struct doc *descriptor = oci_find_image(s->a->index, name);
    return doc_get(image, "indexDigest") ? add_image_blob(s, on, descriptor, false, name, owner) : NULL;
}

static struct err *add_image_blobs(struct sbom *s, const char *ref, const struct blob *b, const struct doc *image,
                                   const struct owner *owner)
{
    const char *name = doc_text(image, "name");
    OWN_DOC struct doc *manifest = NULL, *depends = sbom_depends(ref);
    struct doc *on = sbom_depends_on(depends);
    TRY(doc_json(&manifest, name, b->bytes, (size_t)b->size));
    TRY(add_image_index(s, on, image, owner));
    TRY(add_image_blob(s, on, doc_get(manifest, "config"), false, name, owner));
    DOC_EACH (v, doc_get(manifest, "layers"))
        TRY(add_image_blob(s, on, v, true, name, owner));
    return sbom_add(s, SBOM_DEPENDENCIES, TAKE(depends));
}

static struct err *describe_image(const struct sbom *s, struct doc *thing, const struct doc *image)
{
    OWN_BUF struct buf purl = {0};
    const char *name = doc_text(image, "name"), *tag = name + purl_repository(name);
    const char *arch = strchr(s->r->platform, '/');
    TRY(purl_oci(&purl, name, doc_text(image, "manifestDigest"), arch ? arch + 1 : ""));
    doc_set_fmt(thing, "name", "%.*s", (int)(tag - name), name);
    doc_set_text(thing, "version", *tag ? tag + 1 : "");
    doc_set_text(thing, "purl", buf_text(&purl));
    return NULL;
}

static struct err *add_image(struct sbom *s, struct doc *on, const struct doc *image, const struct owner *owner)
{
    const char *name = doc_text(image, "name"), *digest = doc_text(image, "manifestDigest");
    const struct blob *b = content_find(&s->a->content, format_hex(digest));
    OWN_FREE char *ref = str_fmt("image/%s", name);
    OWN_DOC struct doc *evidence = NULL;
    if (!ref || !b || !b->bytes)
        return err_new(ERR_FAILED, "%s: its manifest is not in memory", name);
    TRY(evidence_blob(&evidence, s->r, b, name));
    OWN_DOC struct doc *thing = sbom_thing("container", ref, name, owner);
    sbom_evidence(thing, evidence);
    TRY(describe_image(s, thing, image));
    doc_add_text(on, ref);
    TRY(sbom_add(s, SBOM_COMPONENTS, TAKE(thing)));
    return add_image_blobs(s, ref, b, image, owner);
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

static struct err *add_component(struct sbom *s, struct doc *of_release, const struct doc *c)
{
    const struct owner owner = {doc_text(c, "supplier"), doc_text(c, "version")};
    OWN_FREE char *ref = str_fmt("component/%s", doc_text(c, "name"));
    if (!ref)
        return err_os(ENOMEM, "component");
    OWN_DOC struct doc *thing = sbom_thing("application", ref, doc_text(c, "name"), &owner);
    OWN_DOC struct doc *depends = sbom_depends(ref);
    struct doc *on = sbom_depends_on(depends);
    add_license(thing, doc_text(c, "license"));
    if (*doc_text(c, "purl"))
        doc_set_text(thing, "purl", doc_text(c, "purl"));
    doc_add_text(of_release, ref);
    TRY(sbom_begin(s, SBOM_COMPONENTS, ref));
    TRY(add_texts(s, ref, c, &owner));
    DOC_EACH (v, doc_get(c, "artifacts"))
        TRY(add_package(s, ref, on, v, &owner));
    DOC_EACH (v, doc_get(c, "images"))
        TRY(add_image(s, on, v, &owner));
    TRY(sbom_end(s, SBOM_COMPONENTS, TAKE(thing)));
    return sbom_add(s, SBOM_DEPENDENCIES, TAKE(depends));
}

struct err *sbom_components(struct sbom *s)
{
    static const char profile[] = "profile";
    const struct owner owner = {build_product(s->r->opts), s->r->version};
    OWN_DOC struct doc *depends = sbom_depends("release");
    struct doc *on = sbom_depends_on(depends);
    DOC_EACH (c, s->a->components)
        TRY_CTX(add_component(s, on, c), "component %s", doc_text(c, "name"));
    doc_add_text(on, profile);
    TRY(sbom_add(s, SBOM_DEPENDENCIES, TAKE(depends)));
    return add_blob(s, profile, profile, s->a->profile_digest, &owner);
}
