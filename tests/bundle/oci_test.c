/* What index.json reaches: bad-input rows 34 to 36. */
#include "forge.h"

static const char manifest_type[] = "application/vnd.oci.image.manifest.v1+json";
static const char index_type[] = "application/vnd.oci.image.index.v1+json";
static const char config_type[] = "application/vnd.oci.image.config.v1+json";
static const char layer_type[] = "application/vnd.oci.image.layer.v1.tar";
static const char good_config[] = "{\"architecture\":\"amd64\",\"os\":\"linux\"}";

static struct doc *manifests(struct forge *f)
{
    return doc_get(f->index, "manifests");
}

/* Adds a descriptor of index.json. */
static struct doc *add_top(struct forge *f, const char *type, const char *digest, size_t size)
{
    return doc_add(manifests(f), forge_descriptor(type, digest, size));
}

/* A manifest over a config with one layer, as a tree to be changed. */
static struct doc *image(struct forge *f, const char *config)
{
    char digest[72];
    struct doc *m = doc_new_map();
    doc_set_int(m, "schemaVersion", 2);
    doc_set(m, "config", forge_descriptor(config_type, forge_blob(digest, f, config, strlen(config)), strlen(config)));
    doc_set(m, "layers", doc_new_list());
    doc_add(doc_get(m, "layers"), forge_descriptor(layer_type, forge_blob(digest, f, "more bytes", 10), 10));
    return m;
}

static void add_manifest(struct forge *f, struct doc *m)
{
    char digest[72];
    size_t size;
    forge_json(digest, f, m, &size);
    add_top(f, manifest_type, digest, size);
}

static void more_images_are_fine(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    add_manifest(f, image(f, good_config));
    add_manifest(f, image(f, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"variant\":\"v1\"}"));
    forge_seal(f);
    forge_write(f);
    OK(forge_check(f));
}

static void missing_blobs(void **state)
{
    (void)state;
    static const char absent[] = "sha256:00000000000000000000000000000000000000000000000000000000000000aa";
    OWN_FORGE struct forge *f = forge_new();
    add_top(f, manifest_type, absent, 100);
    forge_refused(f, "E_OCI_CLOSURE", "0000aa");
    static const char *const keys[] = {"config", "layers"};
    for (int i = 0; i < 2; i++) {
        OWN_FORGE struct forge *g = forge_new();
        struct doc *m = image(g, good_config), *d = doc_get(m, keys[i]);
        doc_set_text(i ? d->child : d, "digest", absent);
        add_manifest(g, m);
        forge_refused(g, "E_OCI_CLOSURE", "0000aa");
    }
}

static void orphan(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    char digest[72], place[128];
    forge_blob(digest, f, "nobody wants this", 17);
    (void)snprintf(place, sizeof place, "member blobs/sha256/%s at byte ", digest + 7);
    forge_refused(f, "E_OCI_ORPHAN", place);
}

static void wrong_sizes(void **state)
{
    (void)state;
    static const int64_t sizes[] = {9, 11, 0, -10};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        OWN_FORGE struct forge *f = forge_new();
        struct doc *m = image(f, good_config);
        doc_set_int(doc_get(m, "layers")->child, "size", sizes[i]);
        add_manifest(f, m);
        forge_refused(f, "E_OCI: ", "index.json");
    }
    OWN_FORGE struct forge *f = forge_new();
    doc_set_int(manifests(f)->child, "size", 1);
    forge_refused(f, "E_OCI: ", "index.json");
}

static void strange_descriptors(void **state)
{
    (void)state;
    static const struct {
        const char *key, *text;
    } cases[] = {{"mediaType", "application/vnd.oci.image.layer.nondistributable.v1.tar"},
                 {"mediaType", "text/plain"},
                 {"mediaType", NULL},
                 {"urls", "https://example.org/layer"},
                 {"data", "bW9yZSBieXRlcw=="},
                 {"digest", "sha512:00"},
                 {"digest", NULL},
                 {"size", "10"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FORGE struct forge *f = forge_new();
        struct doc *m = image(f, good_config), *layer = doc_get(m, "layers")->child;
        doc_remove(layer, cases[i].key);
        if (cases[i].text)
            doc_set_text(layer, cases[i].key, cases[i].text);
        add_manifest(f, m);
        forge_refused(f, "E_OCI: ", "index.json");
    }
}

static void strange_manifests(void **state)
{
    (void)state;
    static const struct {
        const char *key, *text;
        int64_t number;
    } cases[] = {{"schemaVersion", NULL, 1},
                 {"schemaVersion", "2", 0},
                 {"config", "none", 0},
                 {"layers", "none", 0},
                 {"mediaType", "application/vnd.oci.image.index.v1+json", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FORGE struct forge *f = forge_new();
        struct doc *m = image(f, good_config);
        if (cases[i].text)
            doc_set_text(m, cases[i].key, cases[i].text);
        else
            doc_set_int(m, cases[i].key, cases[i].number);
        add_manifest(f, m);
        forge_refused(f, "E_OCI: ", "index.json");
    }
    static const char *const types[] = {"application/vnd.docker.distribution.manifest.v1+prettyjws", "text/plain", ""};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        OWN_FORGE struct forge *f = forge_new();
        doc_set_text(manifests(f)->child, "mediaType", types[i]);
        forge_refused(f, "E_OCI: ", "index.json");
    }
    /* bytes that are no JSON at all */
    OWN_FORGE struct forge *f = forge_new();
    char digest[72];
    add_top(f, manifest_type, forge_blob(digest, f, "{\"a\":1,\"a\":2}", 13), 13);
    forge_refused(f, "E_OCI: ", "index.json");
}

static void other_platforms(void **state)
{
    (void)state;
    static const char *const configs[] = {"{\"architecture\":\"arm64\",\"os\":\"linux\"}",
                                          "{\"architecture\":\"amd64\",\"os\":\"windows\"}", "{\"os\":\"linux\"}", "{}",
                                          "{\"architecture\":\"amd64\",\"os\":\"linux\",\"variant\":\"v3\"}"};
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        OWN_FORGE struct forge *f = forge_new();
        add_manifest(f, image(f, configs[i]));
        forge_refused(f, "E_PLATFORM", "index.json");
    }
}

/* ---- indexes ---- */

static struct doc *index_new(void)
{
    struct doc *d = doc_new_map();
    doc_set_int(d, "schemaVersion", 2);
    doc_set(d, "manifests", doc_new_list());
    return d;
}

static void nested_indexes(void **state)
{
    (void)state;
    for (int depth = 1; depth <= 20; depth += depth == 4 ? 1 : 3) {
        OWN_FORGE struct forge *f = forge_new();
        char digest[72];
        size_t size;
        forge_json(digest, f, image(f, good_config), &size);
        const char *type = manifest_type;
        for (int i = 0; i < depth; i++) {
            struct doc *d = index_new();
            doc_add(doc_get(d, "manifests"), forge_descriptor(type, digest, size));
            forge_json(digest, f, d, &size);
            type = index_type;
        }
        add_top(f, index_type, digest, size);
        if (depth > 4) {
            forge_refused(f, "E_OCI: more than 4 indexes", "index.json");
            continue;
        }
        forge_seal(f);
        forge_write(f);
        OK(forge_check(f));
    }
}

/* An upstream index keeps its digest: children for other platforms may be missing, ours may not. */
static void sparse_index(void **state)
{
    (void)state;
    static const char absent[] = "sha256:00000000000000000000000000000000000000000000000000000000000000bb";
    static const char *const architectures[] = {"arm64", "amd64", NULL};
    for (size_t i = 0; i < ARRAY_LEN(architectures); i++) {
        OWN_FORGE struct forge *f = forge_new();
        struct doc *d = index_new();
        char digest[72];
        size_t size;
        struct doc *child = doc_add(doc_get(d, "manifests"), forge_descriptor(manifest_type, absent, 5));
        if (architectures[i]) {
            struct doc *p = doc_set(child, "platform", doc_new_map());
            doc_set_text(p, "architecture", architectures[i]);
            doc_set_text(p, "os", "linux");
        }
        forge_json(digest, f, d, &size);
        add_top(f, index_type, digest, size);
        if (i > 0) {
            forge_refused(f, "E_OCI_CLOSURE", "0000bb");
            continue;
        }
        forge_seal(f);
        forge_write(f);
        OK(forge_check(f));
    }
}

/* Of several children for one platform the first is the one that is there; those for newer machines alone are none. */
static void children_for_one_platform(void **state)
{
    (void)state;
    static const char absent[] = "sha256:00000000000000000000000000000000000000000000000000000000000000cc";
    static const char *const variants[] = {"v3", "v2", "v1", ""};
    OWN_FORGE struct forge *f = forge_new();
    struct doc *d = index_new();
    char digest[72];
    size_t size;
    forge_json(digest, f, image(f, good_config), &size);
    for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
        bool here = i == 2;
        struct doc *child =
            doc_add(doc_get(d, "manifests"), forge_descriptor(manifest_type, here ? digest : absent, here ? size : 5));
        struct doc *p = doc_set(child, "platform", doc_new_map());
        doc_set_text(p, "architecture", "amd64");
        doc_set_text(p, "os", "linux");
        doc_set_text(p, "variant", variants[i]);
    }
    forge_json(digest, f, d, &size);
    add_top(f, index_type, digest, size);
    forge_seal(f);
    forge_write(f);
    OK(forge_check(f));
}

static void bad_index_json(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    doc_set_int(f->index, "schemaVersion", 1);
    forge_refused(f, "E_OCI", "index.json");
    OWN_FORGE struct forge *g = forge_new();
    doc_set_text(g->index, "manifests", "none");
    forge_refused(g, "E_OCI", "index.json");
}

/* ---- names ---- */

static struct doc *named(struct forge *f)
{
    DOC_EACH (v, manifests(f))
        if (doc_get(v, "annotations"))
            return v;
    fail();
    return NULL;
}

static void names_in_index(void **state)
{
    (void)state;
    static const char key[] = "io.containerd.image.name";
    OWN_FORGE struct forge *f = forge_new();
    doc_set_text(doc_get(named(f), "annotations"), key, "pause:1.0");
    forge_refused(f, "E_REF", "pause:1.0");
    OWN_FORGE struct forge *g = forge_new();
    doc_add(manifests(g), doc_clone(named(g)));
    forge_refused(g, "E_REF", "is there twice");
    OWN_FORGE struct forge *h = forge_new();
    doc_remove(doc_get(named(h), "annotations"), key);
    forge_refused(h, "E_REF", "is not in index.json");
    /* the name stands at another manifest */
    OWN_FORGE struct forge *k = forge_new();
    char digest[72];
    size_t size;
    forge_json(digest, k, image(k, good_config), &size);
    struct doc *d = add_top(k, manifest_type, digest, size);
    doc_set(d, "annotations", doc_clone(doc_get(named(k), "annotations")));
    doc_remove(named(k), "annotations");
    forge_refused(k, "E_REF", "another digest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_images_are_fine),
        cmocka_unit_test(missing_blobs),
        cmocka_unit_test(orphan),
        cmocka_unit_test(wrong_sizes),
        cmocka_unit_test(strange_descriptors),
        cmocka_unit_test(strange_manifests),
        cmocka_unit_test(other_platforms),
        cmocka_unit_test(nested_indexes),
        cmocka_unit_test(sparse_index),
        cmocka_unit_test(children_for_one_platform),
        cmocka_unit_test(bad_index_json),
        cmocka_unit_test(names_in_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
