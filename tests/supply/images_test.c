/* Images of a release: named by manifests and settings and the reverse, complete in the cache, for the platform. */
#include "workshop.h"

#include "bundle/bundle.h"

#include <unistd.h>

static const char manifest_name[] = "bundles/tool/tool.yaml";

/* A build of the workshop's profile fails so, and leaves nothing. */
static void refused(const struct workshop *w, enum err_kind kind, const char *words)
{
    struct build_result result;
    print_message("%s\n", words);
    FAILS(kind, words, bundle_build(&result, &w->opts, NULL, NULL));
    assert_false(file_exists(AT_FDCWD, w->out));
}

/* ---- manifests, settings, and images ---- */

static void names_that_are_there(void **state)
{
    (void)state;
    static const char *const manifests[] = {
        "kind: Namespace\n",
        "kind: Pod\nspec: {containers: [{name: a, image: \"registry.example/pause:3.10\"}]}\n",
        "kind: Pod\nspec: {containers: [{name: a, image: \"${pause.image}\"}, {name: without}]}\n",
        "kind: A\n---\nkind: DaemonSet\nspec: {template: {spec: {initContainers: [{image: \"${pause.image}\"}]}}}\n",
        /* no container: what a config map says, and a field of another kind of object */
        "kind: ConfigMap\ndata: {x: \"containers: [{image: none}]\"}\n---\nkind: B\nimage: none\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(manifests); i++) {
        OWN_WORKSHOP struct workshop w = workshop_new();
        struct build_result result;
        workshop_put(&w, manifest_name, manifests[i]);
        OK(bundle_build(&result, &w.opts, NULL, NULL));
    }
}

static void names_that_are_not_there(void **state)
{
    (void)state;
    static const struct {
        const char *manifest, *want;
    } cases[] = {
        {"kind: Pod\nspec:\n  containers:\n    - {name: a, image: \"registry.example/pause:3.11\"}\n",
         "tool.yaml:4:24: E_REF: this release has no image registry.example/pause:3.11"},
        {"kind: Pod\nspec: {initContainers: [{image: busybox}]}\n",
         "tool.yaml:2:33: E_REF: this release has no image docker.io/library/busybox:latest"},
        {"kind: Pod\nspec: {ephemeralContainers: [{image: \"a/b:1\"}]}\n", "no image docker.io/a/b:1"},
        {"kind: Pod\nspec: {containers: [{image: \"localhost/b\"}]}\n", "no image localhost/b:latest"},
        {"kind: Pod\nspec: {containers: [{image: \"host:5000/b/c:2\"}]}\n", "no image host:5000/b/c:2"},
        /* a runtime looks for the digest then, and no image has that name */
        {"kind: Pod\nspec: {containers: [{image: \"registry.example/pause:3.10@sha256:"
         "0123456789012345678901234567890123456789012345678901234567890123\"}]}\n",
         "no image registry.example/pause@sha256:0123"},
        {"kind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{image: x}]}}}}}\n", "library/x:"},
        {"kind: List\nitems:\n  - {kind: Pod, spec: {containers: [{image: x}]}}\n", "tool.yaml:3:45"},
        {"kind: A\n---\nkind: Pod\nspec: {containers: [{image: x}]}\n", "tool.yaml:4:29"},
        {"kind: Pod\nspec: {volumes: [{name: v, image: {reference: \"x/y:1\"}}]}\n", "docker.io/x/y:1"},
        {"kind: Pod\nspec: {containers: [{image: \"${pause.image}x\"}]}\n", "tool.yaml:2:29"},
        {"kind: Pod\nspec: {containers: [{image: \"${pause.other}\"}]}\n",
         "E_REF: no component has a setting pause.other"},
        {"kind: Pod\nspec: {containers: [{image: [x]}]}\n", "E_REF: the name of an image must be a text"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_WORKSHOP struct workshop w = workshop_new();
        workshop_put(&w, manifest_name, cases[i].manifest);
        refused(&w, ERR_USAGE, cases[i].want);
    }
}

static const char pause_head[] =
    "apiVersion: caisson.dev/v1\nkind: Component\n"
    "metadata: {name: pause, license: MIT, supplier: example, purl: \"pkg:generic/pause\"}\n"
    "versions: [{version: \"3.10\"}]\n";

static void put_pause(const struct workshop *w, const char *rest)
{
    OWN_FREE char *text = str_fmt("%s%s", pause_head, rest);
    workshop_put(w, "bundles/pause.yaml", text);
}

static void definitions(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    struct build_result result;
    put_pause(&w, "images: [{name: \"registry.example/pause:3.10\", roles: [all]}]\n");
    refused(&w, ERR_USAGE,
            "pause.yaml:5:10: E_REF: no manifest and no setting names the image registry.example/pause:3.10");
    put_pause(&w, "images: [{name: \"registry.example/pause:3.10\", roles: [all], usedBy: people}]\n");
    OK(bundle_build(&result, &w.opts, NULL, NULL));
    assert_int_equal(unlink(w.out), 0);
    put_pause(&w, "images: [{name: \"registry.example/pause:3.10\", roles: [all], usedBy: people}]\n"
                  "settings: {a: {sandboxImage: {type: string, default: \"registry.example/pause:3.9\"}}}\n");
    refused(&w, ERR_USAGE, "pause.yaml:6:54: E_REF: this release has no image registry.example/pause:3.9");
    /* a static pod in a file for nodes */
    put_pause(&w, "images: [{name: \"registry.example/pause:3.10\", roles: [all], usedBy: people}]\n"
                  "files: [{name: a, json: {kind: Pod, spec: {containers: [{image: other}]}}}]\n");
    refused(&w, ERR_USAGE, "pause.yaml:6:65: E_REF: this release has no image docker.io/library/other:latest");
}

/* What the base has need not be in the add-on. */
static void addons(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    struct build_result result;
    struct build_opts o = w.opts;
    OK(bundle_build(&result, &w.opts, NULL, NULL));
    o.profile = w.addon;
    o.lock = w.addon_lock;
    o.out = w.addon_out;
    o.requires = w.out;
    workshop_put(
        &w, manifest_name,
        "kind: Pod\nspec: {containers: [{image: \"${pause.image}\"}, {image: \"registry.example/pause:3.10\"}]}\n");
    OK(bundle_build(&result, &o, NULL, NULL));
    workshop_put(&w, manifest_name, "kind: Pod\nspec: {containers: [{image: \"registry.example/pause:3.11\"}]}\n");
    FAILS(ERR_USAGE, "no image registry.example/pause:3.11", bundle_build(&result, &o, NULL, NULL));
}

/* ---- the images themselves ---- */

static struct doc *descriptor(const char *type, const char *hex, size_t size)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "mediaType", type);
    doc_set_fmt(d, "digest", "sha256:%s", hex);
    doc_set_int(d, "size", (int64_t)size);
    return d;
}

/* An image with that config and one layer: its manifest, to be changed and then locked. */
static struct doc *image_new(const struct workshop *w, const char *config)
{
    char hex[65];
    OWN_BUF struct buf layer = {0};
    struct doc *m = doc_new_map();
    doc_set_int(m, "schemaVersion", 2);
    doc_set_text(m, "mediaType", "application/vnd.oci.image.manifest.v1+json");
    workshop_blob(hex, w, config, strlen(config));
    doc_set(m, "config", descriptor("application/vnd.oci.image.config.v1+json", hex, strlen(config)));
    workshop_layer(&layer);
    workshop_blob(hex, w, layer.at, layer.len);
    doc_add(doc_set(m, "layers", doc_new_list()), descriptor("application/vnd.oci.image.layer.v1.tar", hex, layer.len));
    return m;
}

static void lock_image(const struct workshop *w, const struct doc *manifest)
{
    OWN_BUF struct buf tool = {0}, text = {0};
    OK(buf_str(&tool, workshop_tool));
    OK(doc_json_write(&text, manifest));
    workshop_lock_image(w, &tool, buf_text(&text));
}

static void other_platforms(void **state)
{
    (void)state;
    static const char *const configs[][2] = {
        {"{\"architecture\":\"arm64\",\"os\":\"linux\"}", "is for linux/arm64"},
        {"{\"architecture\":\"amd64\",\"os\":\"windows\"}", "is for windows/amd64"},
        {"{\"os\":\"linux\"}", "is for linux/?"},
    };
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        OWN_WORKSHOP struct workshop w = workshop_new();
        OWN_DOC struct doc *m = image_new(&w, configs[i][0]);
        lock_image(&w, m);
        OWN_FREE char *words = str_fmt("registry.example/pause:3.10: ");
        OWN_FREE char *more = str_fmt("E_PLATFORM: config %s %s", doc_text(m, "config.digest"), configs[i][1]);
        refused(&w, ERR_UNTRUSTED, words);
        refused(&w, ERR_UNTRUSTED, more);
    }
}

static void lose_layer(const struct workshop *w, struct doc *m)
{
    OWN_FREE char *path = str_fmt("%s/blobs/sha256/%s", w->cache, doc_text(doc_get(m, "layers")->child, "digest") + 7);
    assert_int_equal(unlink(path), 0);
}

static void lose_config(const struct workshop *w, struct doc *m)
{
    OWN_FREE char *path = str_fmt("%s/blobs/sha256/%s", w->cache, doc_text(m, "config.digest") + 7);
    assert_int_equal(unlink(path), 0);
}

static void wrong_size(const struct workshop *w, struct doc *m)
{
    (void)w;
    doc_set_int(doc_get(m, "layers")->child, "size", 3);
}

static void strange_layer(const struct workshop *w, struct doc *m)
{
    (void)w;
    doc_set_text(doc_get(m, "layers")->child, "mediaType", "application/x-zip");
}

static void layer_elsewhere(const struct workshop *w, struct doc *m)
{
    (void)w;
    doc_add_text(doc_set(doc_get(m, "layers")->child, "urls", doc_new_list()), "https://example.org/layer");
}

static void layer_inline(const struct workshop *w, struct doc *m)
{
    (void)w;
    doc_set_text(doc_get(m, "layers")->child, "data", "AA==");
}

static void no_layers(const struct workshop *w, struct doc *m)
{
    (void)w;
    doc_remove(m, "layers");
}

static void no_config(const struct workshop *w, struct doc *m)
{
    (void)w;
    doc_remove(m, "config");
}

static void sha512(const struct workshop *w, struct doc *m)
{
    (void)w;
    doc_set_text(doc_get(m, "config"), "digest", "sha512:00");
}

static void old_schema(const struct workshop *w, struct doc *m)
{
    (void)w;
    doc_set_int(m, "schemaVersion", 1);
    doc_set_text(m, "mediaType", "application/vnd.docker.distribution.manifest.v1+json");
}

static void incomplete(void **state)
{
    (void)state;
    static const struct {
        void (*change)(const struct workshop *w, struct doc *m);
        const char *want;
    } cases[] = {
        {lose_layer, "E_OCI_CLOSURE: sha256:"},
        {lose_config, "E_OCI_CLOSURE: sha256:"},
        {wrong_size, "its descriptor says 3"},
        {strange_layer, "is of type application/x-zip"},
        {layer_elsewhere, "urls or data"},
        {layer_inline, "urls or data"},
        {no_layers, "a manifest without layers"},
        {no_config, "E_OCI: neither an image nor"},
        {sha512, "without mediaType, size or sha256 digest"},
        {old_schema, "distribution.manifest.v1+json"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_WORKSHOP struct workshop w = workshop_new();
        OWN_DOC struct doc *m = image_new(&w, workshop_config);
        cases[i].change(&w, m);
        lock_image(&w, m);
        refused(&w, ERR_UNTRUSTED, cases[i].want);
        refused(&w, ERR_UNTRUSTED, "registry.example/pause:3.10: ");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_there), cmocka_unit_test(names_that_are_not_there),
        cmocka_unit_test(definitions),          cmocka_unit_test(addons),
        cmocka_unit_test(other_platforms),      cmocka_unit_test(incomplete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
