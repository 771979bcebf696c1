#include "supply/show.h"

#include "base/str.h"
#include "bundle/format.h"
#include "bundle/image.h"
#include "bundle/root.h"

#include <string.h>

/* ---- inspect ---- */

static void copy(struct doc *to, const struct doc *from, const char *key)
{
    const struct doc *v = doc_get(from, key);
    if (v)
        doc_set(to, key, doc_clone(v));
}

/* All of a map but what stands below two of its keys, which is shown in another way. */
static struct doc *clone_without(const struct doc *from, const char *key, const char *other)
{
    struct doc *to = doc_new_map();
    DOC_EACH (v, from)
        if (!str_eq(v->key, key) && !str_eq(v->key, other))
            doc_set(to, v->key, doc_clone(v));
    return to;
}

static uint64_t size_of(const struct bundle *b, const char *digest)
{
    uint64_t size = 0;
    (void)bundle_blob(b, digest, &size); /* bundle_open() made sure that it is there */
    return size;
}

/* Manifest, config and layers. */
static struct err *image_size(uint64_t *ret, const struct bundle *b, const char *name)
{
    OWN_STRS struct strs blobs = {0};
    TRY(bundle_image_blobs(&blobs, b, name));
    *ret = 0;
    for (size_t i = 0; i < blobs.n; i++)
        *ret += size_of(b, blobs.at[i]);
    return NULL;
}

static struct err *add_component(struct doc *list, const struct bundle *b, const struct doc *c)
{
    struct doc *to = doc_add(list, clone_without(c, "artifacts", "images"));
    struct doc *packages = doc_set(to, "packages", doc_new_list()), *images = doc_set(to, "images", doc_new_list());
    DOC_EACH (v, doc_get(c, "artifacts"))
        doc_set_int(doc_add(packages, doc_clone(v)), "size", (int64_t)size_of(b, doc_text(v, "digest")));
    DOC_EACH (v, doc_get(c, "images")) {
        uint64_t size;
        TRY(image_size(&size, b, doc_text(v, "name")));
        doc_set_int(doc_add(images, doc_clone(v)), "size", (int64_t)size);
    }
    return NULL;
}

struct err *show_inspect(struct doc **ret, const struct bundle *b)
{
    const struct doc *predicate = doc_get(bundle_release(b), "predicate");
    OWN_DOC struct doc *to = clone_without(predicate, "members", "components");
    struct doc *components = doc_set(to, "components", doc_new_list());
    doc_set_text(to, "path", bundle_path(b));
    doc_set_fmt(to, "digest", "sha256:%s", bundle_digest(b));
    doc_set_texts(to, "signers", bundle_signers(b));
    doc_set_int(to, "threshold", (int64_t)root_threshold(bundle_root(b), "release"));
    DOC_EACH (c, doc_get(predicate, "components"))
        TRY_CTX(add_component(components, b, c), "component %s", doc_text(c, "name"));
    *ret = TAKE(to);
    return NULL;
}

static void print_sized(FILE *out, const char *what, const struct doc *v)
{
    char text[24];
    str_size(text, (uint64_t)doc_int(v, "size", 0));
    (void)fprintf(out, "  %-9s %-58s %10s\n", what, doc_text(v, "name"), text);
}

static void print_component(FILE *out, const struct doc *c)
{
    (void)fprintf(out, "\n%s %s  (%s)\n", doc_text(c, "name"), doc_text(c, "version"), doc_text(c, "license"));
    DOC_EACH (v, doc_get(c, "packages"))
        print_sized(out, "package", v);
    DOC_EACH (v, doc_get(c, "images"))
        print_sized(out, "image", v);
}

static void print_bytes(FILE *out, const char *what, const struct doc *inspect, const char *path, const char *rest)
{
    char size[24];
    str_size(size, (uint64_t)doc_int(inspect, path, 0));
    (void)fprintf(out, "%-10s %s%s\n", what, size, rest);
}

/* Which version of Kubernetes it has, and which it may follow. */
static void print_kubernetes(FILE *out, const struct doc *kubernetes)
{
    if (!kubernetes)
        return;
    (void)fprintf(out, "%-10s %s", "kubernetes", doc_text(kubernetes, "version"));
    DOC_EACH (v, doc_get(kubernetes, "upgradeFrom"))
        (void)fprintf(out, "%s%s", v == doc_get(kubernetes, "upgradeFrom")->child ? ", after " : ", ", v->text);
    (void)fprintf(out, "\n");
}

void show_inspect_text(FILE *out, const struct doc *inspect)
{
    static const char *const lines[] = {"path",    "digest", "product",  "profile", "version",
                                        "channel", "epoch",  "sequence", "issued"};
    char size[24];
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        (void)fprintf(out, "%-10s %s\n", lines[i], doc_text(inspect, lines[i]));
    DOC_EACH (v, doc_get(inspect, "signers"))
        (void)fprintf(out, "%-10s %s\n", "signed by", v->text);
    if ((int64_t)doc_len(doc_get(inspect, "signers")) < doc_int(inspect, "threshold", 0))
        (void)fprintf(out, "%-10s %zu of %s signatures: it cannot be installed yet\n", "needs",
                      doc_len(doc_get(inspect, "signers")), doc_text(inspect, "threshold"));
    if (doc_get(inspect, "expires"))
        (void)fprintf(out, "%-10s %s\n", "expires", doc_text(inspect, "expires"));
    DOC_EACH (v, doc_get(inspect, "platforms"))
        (void)fprintf(out, "%-10s %s\n", "platform", v->text);
    DOC_EACH (v, doc_get(inspect, "requires"))
        (void)fprintf(out, "%-10s %s, release %s\n", "requires", doc_text(v, "profile"), doc_text(v, "releaseDigest"));
    DOC_EACH (v, doc_get(inspect, "sbom"))
        (void)fprintf(out, "%-10s %s, %s\n", "sbom", doc_text(v, "format"), doc_text(v, "digest"));
    DOC_EACH (v, doc_get(inspect, "rollbackTo"))
        (void)fprintf(out, "%-10s to epoch %s, sequence %s\n", "may return", doc_text(v, "epoch"),
                      doc_text(v, "sequence"));
    print_kubernetes(out, doc_get(inspect, "kubernetes"));
    str_size(size, (uint64_t)doc_int(inspect, "totals.bytes", 0));
    (void)fprintf(out, "%-10s %s in %s members\n", "content", size, doc_text(inspect, "totals.members"));
    print_bytes(out, "unpacked", inspect, "totals.rawBytes", "");
    print_bytes(out, "to a node", inspect, "totals.seedBytesPerNode", " at most");
    DOC_EACH (c, doc_get(inspect, "components"))
        print_component(out, c);
}

/* ---- licenses ---- */

static struct doc *license_group(struct doc *groups, const char *license)
{
    struct doc *group = doc_find(groups, "license", license);
    if (group)
        return group;
    group = doc_add(groups, doc_new_map());
    doc_set_text(group, "license", license);
    doc_set(group, "components", doc_new_list());
    return group;
}

struct doc *show_licenses(const struct bundle *b)
{
    static const char *const keys[] = {"name", "version", "supplier", "purl"};
    struct doc *groups = doc_new_list();
    DOC_EACH (c, doc_path(bundle_release(b), "predicate.components")) {
        struct doc *group = license_group(groups, doc_text(c, "license"));
        struct doc *to = doc_add(doc_get(group, "components"), doc_new_map());
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            copy(to, c, keys[i]);
    }
    return groups;
}

void show_licenses_text(FILE *out, const struct doc *licenses)
{
    DOC_EACH (group, licenses) {
        const char *license = doc_text(group, "license");
        (void)fprintf(out, "%s\n", *license ? license : "(none stated)");
        DOC_EACH (c, doc_get(group, "components"))
            (void)fprintf(out, "  %-20s %-12s %s\n", doc_text(c, "name"), doc_text(c, "version"),
                          doc_text(c, "supplier"));
    }
}

/* ---- list ---- */

/* What blobs are for: digest to text, the first word that names one wins. */
static void note(struct doc *uses, const char *digest, const char *kind, const char *name)
{
    if (digest && !doc_get(uses, digest))
        doc_set_fmt(uses, digest, "%s %s", kind, name);
}

static struct err *note_image(struct doc *uses, const struct bundle *b, const struct doc *image)
{
    OWN_BUF struct buf text = {0};
    OWN_DOC struct doc *manifest = NULL;
    const char *name = doc_text(image, "name"), *digest = doc_text(image, "manifestDigest");
    note(uses, digest, "manifest of", name);
    TRY(bundle_read(&text, b, digest));
    TRY(doc_json(&manifest, name, text.at, text.len));
    note(uses, doc_text(manifest, "config.digest"), "config of", name);
    DOC_EACH (v, doc_get(manifest, "layers"))
        note(uses, doc_text(v, "digest"), "layer of", name);
    return NULL;
}

static struct err *note_component(struct doc *uses, const struct bundle *b, const struct doc *c)
{
    note(uses, doc_text(c, "definition.digest"), "definition of", doc_text(c, "name"));
    DOC_EACH (v, doc_get(c, "files"))
        note(uses, doc_text(v, "digest"), "file", doc_text(v, "name"));
    DOC_EACH (v, doc_get(c, "artifacts"))
        note(uses, doc_text(v, "digest"), "package", doc_text(v, "name"));
    DOC_EACH (v, doc_get(c, "images"))
        TRY(note_image(uses, b, v));
    return NULL;
}

/* Manifests of artifacts, which release.json does not name. */
static void note_artifacts(struct doc *uses, const struct bundle *b)
{
    DOC_EACH (v, doc_get(bundle_index(b), "manifests")) {
        const struct doc *title = doc_get(doc_get(v, "annotations"), ANNOTATION_TITLE);
        note(uses, doc_text(v, "digest"), "manifest of", title && title->text ? title->text : "an artifact");
    }
}

struct err *show_list(struct doc **ret, const struct bundle *b)
{
    OWN_DOC struct doc *list = doc_new_list();
    OWN_DOC struct doc *uses = doc_new_map();
    const struct doc *predicate = doc_get(bundle_release(b), "predicate");
    note(uses, doc_text(predicate, "profileDefinition.digest"), "definition of profile",
         doc_text(predicate, "profile"));
    DOC_EACH (v, doc_get(predicate, "sbom"))
        note(uses, doc_text(v, "digest"), "bill of materials,", doc_text(v, "format"));
    DOC_EACH (c, doc_get(predicate, "components"))
        TRY(note_component(uses, b, c));
    note_artifacts(uses, b);
    DOC_EACH (m, doc_get(predicate, "members")) {
        struct doc *v = doc_add(list, doc_new_map());
        const struct doc *use = doc_get(uses, doc_text(m, "digest"));
        copy(v, m, "path");
        copy(v, m, "size");
        copy(v, m, "digest");
        doc_set_text(v, "use",
                     use                                         ? use->text
                     : str_eq(doc_text(m, "path"), "index.json") ? "index of all"
                                                                 : "empty config");
    }
    *ret = TAKE(list);
    return NULL;
}

void show_list_text(FILE *out, const struct doc *list)
{
    DOC_EACH (v, list) {
        char size[24];
        str_size(size, (uint64_t)doc_int(v, "size", 0));
        (void)fprintf(out, "%10s  %-80s %s\n", size, doc_text(v, "path"), doc_text(v, "use"));
    }
}
