#include "supply/show.h"

#include "base/str.h"
#include "bundle/format.h"

#include <string.h>

/* ---- inspect ---- */

static void copy(struct doc *to, const struct doc *from, const char *key)
{
    const struct doc *v = doc_get(from, key);
    if (v)
        doc_set(to, key, doc_clone(v));
}

static struct doc *show_component(const struct bundle *b, const struct doc *c)
{
    static const char *const keys[] = {"name", "version", "license", "supplier", "purl"};
    struct doc *to = doc_new_map();
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        copy(to, c, keys[i]);
    struct doc *packages = doc_set(to, "packages", doc_new_list());
    DOC_EACH (v, doc_get(c, "artifacts")) {
        struct doc *p = doc_add(packages, doc_new_map());
        uint64_t size = 0;
        (void)bundle_blob(b, doc_text(v, "digest"), &size); /* bundle_open() made sure that it is there */
        copy(p, v, "name");
        copy(p, v, "role");
        copy(p, v, "digest");
        doc_set_int(p, "size", (int64_t)size);
        copy(p, v, "rawSize");
    }
    struct doc *images = doc_set(to, "images", doc_new_list());
    DOC_EACH (v, doc_get(c, "images"))
        doc_add(images, doc_clone(v));
    return to;
}

struct doc *show_inspect(const struct bundle *b)
{
    static const char *const keys[] = {"product",    "profile",  "version", "channel",   "epoch",
                                       "sequence",   "issued",   "expires", "platforms", "minTool",
                                       "kubernetes", "requires", "totals"};
    const struct doc *predicate = doc_get(bundle_release(b), "predicate");
    struct doc *to = doc_new_map();
    doc_set_text(to, "path", bundle_path(b));
    doc_set_fmt(to, "digest", "sha256:%s", bundle_digest(b));
    doc_set_text(to, "signer", bundle_signer(b));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        copy(to, predicate, keys[i]);
    struct doc *components = doc_set(to, "components", doc_new_list());
    DOC_EACH (c, doc_get(predicate, "components"))
        doc_add(components, show_component(b, c));
    return to;
}

static void print_sized(FILE *out, const char *what, const char *name, uint64_t size)
{
    char text[24];
    str_size(text, size);
    (void)fprintf(out, "  %-9s %-58s %10s\n", what, name, text);
}

static void print_component(FILE *out, const struct doc *c)
{
    (void)fprintf(out, "\n%s %s  (%s)\n", doc_text(c, "name"), doc_text(c, "version"), doc_text(c, "license"));
    DOC_EACH (v, doc_get(c, "packages"))
        print_sized(out, "package", doc_text(v, "name"), (uint64_t)doc_int(v, "size", 0));
    DOC_EACH (v, doc_get(c, "images"))
        (void)fprintf(out, "  %-9s %s\n", "image", doc_text(v, "name"));
}

void show_inspect_text(FILE *out, const struct doc *inspect)
{
    static const char *const lines[] = {"path",    "digest",  "signer", "product",  "profile",
                                        "version", "channel", "epoch",  "sequence", "issued"};
    char size[24];
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        (void)fprintf(out, "%-10s %s\n", lines[i], doc_text(inspect, lines[i]));
    DOC_EACH (v, doc_get(inspect, "platforms"))
        (void)fprintf(out, "%-10s %s\n", "platform", v->text);
    DOC_EACH (v, doc_get(inspect, "requires"))
        (void)fprintf(out, "%-10s %s, release %s\n", "requires", doc_text(v, "profile"), doc_text(v, "releaseDigest"));
    str_size(size, (uint64_t)doc_int(inspect, "totals.bytes", 0));
    (void)fprintf(out, "%-10s %s in %s members\n", "content", size, doc_text(inspect, "totals.members"));
    DOC_EACH (c, doc_get(inspect, "components"))
        print_component(out, c);
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
