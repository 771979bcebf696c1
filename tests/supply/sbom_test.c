/* The bill of materials that a build puts into a bundle. */
#include "workshop.h"

#include "bundle/bundle.h"
#include "bundle/image.h"
#include "supply/sbom_read.h"

static void open_built(struct bundle **ret, const struct workshop *w)
{
    struct build_result result;
    const char *trust = w->pub;
    OK(bundle_build(&result, &w->opts, NULL, NULL));
    OK(bundle_open(ret, w->out, &trust, 1));
    OK(bundle_verify(*ret, NULL, NULL));
}

static struct doc *built_sbom(const struct workshop *w)
{
    OWN_BUNDLE struct bundle *b = NULL;
    struct doc *sbom = NULL;
    open_built(&b, w);
    OK(sbom_read(&sbom, b));
    return sbom;
}

/* The component with that reference, at any depth. */
static const struct doc *find(const struct doc *list, const char *ref)
{
    DOC_EACH (v, list) {
        const struct doc *found = str_eq(doc_text(v, "bom-ref"), ref) ? v : find(doc_get(v, "components"), ref);
        if (found)
            return found;
    }
    return NULL;
}

static const struct doc *must_find(const struct doc *sbom, const char *ref)
{
    const struct doc *found = find(doc_get(sbom, "components"), ref);
    if (!found)
        fail_msg("no %s", ref);
    return found;
}

static void check_bytes(const struct doc *thing, const char *bytes)
{
    struct digest_pair pair;
    OK(digest_pair(&pair, bytes, strlen(bytes)));
    assert_string_equal(doc_text(doc_find(doc_get(thing, "hashes"), "alg", "SHA-256"), "content"), pair.sha256);
    assert_string_equal(doc_text(doc_find(doc_get(thing, "hashes"), "alg", "SHA-512"), "content"), pair.sha512);
}

static bool depends(const struct doc *sbom, const char *from, const char *to)
{
    return doc_list_has(doc_get(doc_find(doc_get(sbom, "dependencies"), "ref", from), "dependsOn"), to);
}

static void lists_everything(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_DOC struct doc *sbom = built_sbom(&w);
    assert_string_equal(doc_text(sbom, "metadata.component.name"), "caisson-tiny");
    assert_string_equal(doc_text(sbom, "metadata.component.purl"), "pkg:generic/caisson-tiny@1.0.0");
    assert_string_equal(doc_text(sbom, "metadata.timestamp"), "2023-11-14T22:13:20Z");
    const struct doc *tool = must_find(sbom, "component/tool");
    assert_string_equal(doc_text(tool, "version"), "1.2.3");
    assert_string_equal(doc_text(tool, "supplier.name"), "example");
    assert_string_equal(doc_text(tool, "purl"), "pkg:generic/tool@1.2.3");
    assert_string_equal(doc_text(doc_get(tool, "licenses")->child, "expression"), "MIT");
    check_bytes(must_find(sbom, "component/tool/package/tool/bin/tool"), workshop_tool);
    check_bytes(must_find(sbom, "component/tool/file/tool/tool.yaml"), "kind: Namespace\n");
    const struct doc *alias = must_find(sbom, "component/tool/package/tool/bin/alias");
    assert_string_equal(doc_text(doc_get(alias, "properties")->child, "value"), "tool");
    const struct doc *image = must_find(sbom, "image/registry.example/pause:3.10");
    assert_string_equal(doc_text(image, "name"), "registry.example/pause");
    assert_string_equal(doc_text(image, "version"), "3.10");
    assert_true(str_starts(doc_text(image, "purl"), "pkg:oci/pause@sha256%3A"));
    assert_true(str_ends(doc_text(image, "purl"), "?arch=amd64&repository_url=registry.example/pause&tag=3.10"));
    char layer[65], ref[96];
    OWN_BUF struct buf bytes = {0};
    workshop_layer(&bytes);
    OK(digest_hex(layer, bytes.at, bytes.len));
    (void)snprintf(ref, sizeof ref, "blob/sha256:%s", layer);
    OWN_FREE char *inner = str_fmt("%s/z", ref);
    check_bytes(must_find(sbom, inner), "of the layer");
    assert_string_equal(doc_text(must_find(sbom, inner), "supplier.name"), "example");
    assert_true(depends(sbom, "image/registry.example/pause:3.10", ref));
    assert_true(depends(sbom, "release", "component/tool"));
    assert_true(depends(sbom, "release", "profile"));
    assert_true(depends(sbom, "component/pause", "image/registry.example/pause:3.10"));
}

/* Gives the image of the lock an index that has it and one for another machine; the index's bytes into `ret`. */
static void add_index(struct buf *ret, const struct workshop *w)
{
    OWN_BUF struct buf text = {0}, changed = {0};
    OWN_DOC struct doc *lock = NULL;
    char hex[65];
    OK(file_read(&text, AT_FDCWD, w->lock));
    OK(doc_json(&lock, w->lock, text.at, text.len));
    struct doc *image = doc_get(lock, "entries")->child;
    OK(buf_fmt(ret,
               "{\"schemaVersion\":2,\"manifests\":["
               "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\",\"size\":%s,"
               "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
               "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%064d\",\"size\":9,"
               "\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}}]}",
               doc_text(image, "sha256"), doc_text(image, "size"), 0));
    workshop_blob(hex, w, ret->at, ret->len);
    struct doc *index = doc_set(image, "index", doc_new_map());
    doc_set_text(index, "sha256", hex);
    doc_set_int(index, "size", (int64_t)ret->len);
    OK(doc_json_write(&changed, lock));
    workshop_put(w, "cache/lock/tiny.lock.json", buf_text(&changed));
}

/* An image goes to the nodes with the index that its name stands for. */
static void indexes_reach_nodes(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_DOC struct doc *sbom = NULL;
    OWN_BUF struct buf index = {0};
    OWN_STRS struct strs blobs = {0};
    add_index(&index, &w);
    open_built(&b, &w);
    OK(sbom_read(&sbom, b));
    OK(bundle_image_blobs(&blobs, b, "registry.example/pause:3.10"));
    assert_int_equal(blobs.n, 4); /* with manifest, config and layer */
    OWN_FREE char *ref = str_fmt("blob/%s", bundle_image_digest(b, "registry.example/pause:3.10"));
    check_bytes(must_find(sbom, ref), buf_text(&index));
    assert_true(depends(sbom, "image/registry.example/pause:3.10", ref));
}

/* ---- programs that Go made ---- */

static void read_program(struct buf *out, const char *name)
{
    OWN_FREE char *path = str_fmt("%s/tests/supply/corpus/fuzz_goinfo/%s", SOURCE_DIR, name);
    OK(file_read(out, AT_FDCWD, path));
}

/* A workshop whose tool is that program. */
static struct workshop with_tool(const char *name)
{
    struct workshop w = workshop_new();
    OWN_BUF struct buf tool = {0}, layer = {0};
    read_program(&tool, name);
    workshop_layer(&layer);
    workshop_lock(&w, &tool, &layer);
    return w;
}

static const struct doc *composition(const struct doc *sbom, const char *aggregate)
{
    return doc_get(doc_find(doc_get(sbom, "compositions"), "aggregate", aggregate), "dependencies");
}

static const char tool_ref[] = "component/tool/package/tool/bin/tool";

static void go_modules(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = with_tool("elf");
    OWN_DOC struct doc *sbom = built_sbom(&w);
    static const struct {
        const char *ref, *name, *supplier, *purl;
    } wanted[] = {
        {"golang/stdlib@1.26.8", "stdlib", "golang.org", "pkg:golang/stdlib@1.26.8"},
        {"golang/example.org/x@v1.0.0", "example.org/x", "example.org", "pkg:golang/example.org/x@v1.0.0"},
        {"golang/github.com/A/b@v1.2.3+incompatible", "github.com/A/b", "github.com/A",
         "pkg:golang/github.com/a/b@v1.2.3%2Bincompatible"},
        {"golang/k8s.io/api@v0.36.3", "k8s.io/api", "k8s.io", "pkg:golang/k8s.io/api@v0.36.3"},
        {"golang/example.org/y@v0.1.0", "example.org/y", "example.org", "pkg:golang/example.org/y@v0.1.0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const struct doc *module = must_find(sbom, wanted[i].ref);
        assert_string_equal(doc_text(module, "type"), "library");
        assert_string_equal(doc_text(module, "name"), wanted[i].name);
        assert_string_equal(doc_text(module, "supplier.name"), wanted[i].supplier);
        assert_string_equal(doc_text(module, "purl"), wanted[i].purl);
        assert_true(depends(sbom, tool_ref, wanted[i].ref));
    }
    const struct doc *tool = must_find(sbom, tool_ref);
    assert_non_null(doc_find(doc_get(tool, "properties"), "value", "go1.26.8"));
    assert_non_null(doc_find(doc_get(tool, "properties"), "name", "caisson:go:build:-ldflags"));
    const struct doc *api = must_find(sbom, "golang/k8s.io/api@v0.36.3");
    assert_non_null(doc_find(doc_get(api, "properties"), "value", "k8s.io/api@v0.0.0"));
    assert_true(depends(sbom, "component/tool/package/tool", tool_ref));
    assert_true(doc_list_has(composition(sbom, "complete"), tool_ref));
}

static void what_is_not_known_is_said(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"elf-c", "incomplete"}, {"elf-other-section", "unknown"}, {"elf-cut", "unknown"}, {"script", NULL}};
    static const char *const all[] = {"complete", "incomplete", "unknown"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_WORKSHOP struct workshop w = with_tool(cases[i][0]);
        OWN_DOC struct doc *sbom = built_sbom(&w);
        for (size_t j = 0; j < ARRAY_LEN(all); j++)
            assert_int_equal(doc_list_has(composition(sbom, all[j]), tool_ref), str_eq(all[j], cases[i][1]));
    }
}

static void bad_go_information(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = with_tool("elf-bad");
    struct build_result result;
    FAILS(ERR_UNTRUSTED, "package tool: bin/tool: ", bundle_build(&result, &w.opts, NULL, NULL));
    FAILS(ERR_UNTRUSTED, "E_GOINFO: section .go.buildinfo", bundle_build(&result, &w.opts, NULL, NULL));
    assert_false(file_exists(AT_FDCWD, w.out));
}

/* Two programs say of one module that it had other bytes: one of them was not made of what its name says. */
static void sums_must_agree(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_BUF struct buf one = {0}, other = {0}, lock = {0};
    struct build_result result;
    char hex[65], more[512];
    read_program(&one, "elf");
    read_program(&other, "elf-other-sum");
    OWN_BUF struct buf layer = {0};
    workshop_layer(&layer);
    workshop_lock(&w, &one, &layer);
    workshop_blob(hex, &w, other.at, other.len);
    (void)snprintf(
        more, sizeof more,
        ",{\"component\":\"tool\",\"file\":\"other\",\"id\":\"tool/1.2.3/tool2\",\"kind\":\"file\","
        "\"license\":\"MIT\",\"platform\":\"linux/amd64\",\"purl\":\"pkg:generic/tool@1.2.3\",\"sha256\":"
        "\"%s\",\"size\":%zu,\"upstream\":{\"ref\":\"x\",\"type\":\"none\"},\"urls\":[],\"version\":\"1.2.3\"}]"
        ",\"platform\"",
        hex, other.len);
    OK(file_read(&lock, AT_FDCWD, w.lock));
    char *end = strstr(lock.at, "],\"platform\"");
    assert_non_null(end);
    OWN_FREE char *text = str_fmt("%.*s%s%s", (int)(end - lock.at), lock.at, more, end + strlen("],\"platform\""));
    workshop_put(&w, "cache/lock/tiny.lock.json", text);
    workshop_put(
        &w, "bundles/tool.yaml",
        "apiVersion: caisson.dev/v1\nkind: Component\nmetadata: {name: tool, license: MIT, supplier: example}\n"
        "versions: [{version: 1.2.3}]\npackages:\n  - name: tool\n    roles: [all]\n    files:\n"
        "      - {path: bin/tool, from: tool-1.2.3, mode: \"0755\"}\n"
        "      - {path: bin/other, from: other, mode: \"0755\"}\n");
    FAILS(ERR_UNTRUSTED, "E_GOINFO: module github.com/A/b@v1.2.3+incompatible has sum h1:evil= here and h1:def=",
          bundle_build(&result, &w.opts, NULL, NULL));
}

/* ---- layers ---- */

/* A layer with a program that Go made. */
static void programs_in_images(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_BUF struct buf tool = {0}, program = {0}, layer = {0};
    char hex[65];
    OK(buf_str(&tool, workshop_tool));
    read_program(&program, "elf");
    OWN_FD int fd = memfd_create("layer", MFD_CLOEXEC);
    OK(ustar_write_member(fd, "bin/server", 0, program.at, program.len));
    OK(ustar_write_end(fd));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    OK(fd_read_all(fd, &layer));
    workshop_lock(&w, &tool, &layer);
    OWN_DOC struct doc *sbom = built_sbom(&w);
    OK(digest_hex(hex, layer.at, layer.len));
    OWN_FREE char *blob = str_fmt("blob/sha256:%s", hex), *ref = str_fmt("blob/sha256:%s/bin/server", hex);
    assert_non_null(must_find(sbom, ref));
    assert_true(depends(sbom, blob, ref));
    assert_true(depends(sbom, ref, "golang/k8s.io/api@v0.36.3"));
    assert_true(doc_list_has(composition(sbom, "complete"), ref));
}

/* As whoever unpacks it would have it: what comes later takes the place of what came before. */
static void a_name_twice(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_BUF struct buf tool = {0}, layer = {0};
    char hex[65];
    OK(buf_str(&tool, workshop_tool));
    OWN_FD int fd = memfd_create("layer", MFD_CLOEXEC);
    static const char *const members[][2] = {{"b", "old"}, {"a", "a"}, {"b", "new"}, {"c", "c"}};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        OK(ustar_write_member(fd, members[i][0], 0, members[i][1], strlen(members[i][1])));
    OK(ustar_write_end(fd));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    OK(fd_read_all(fd, &layer));
    workshop_lock(&w, &tool, &layer);
    OWN_DOC struct doc *sbom = built_sbom(&w);
    OK(digest_hex(hex, layer.at, layer.len));
    OWN_FREE char *blob = str_fmt("blob/sha256:%s", hex), *ref = str_fmt("blob/sha256:%s/b", hex);
    assert_int_equal(doc_len(doc_get(must_find(sbom, blob), "components")), 3);
    check_bytes(must_find(sbom, ref), "new");
}

static void a_layer_that_is_none(void **state)
{
    (void)state;
    static const char *const layers[] = {"a layer", "{}"}; /* the second one is a blob of another kind too */
    for (size_t i = 0; i < ARRAY_LEN(layers); i++) {
        OWN_WORKSHOP struct workshop w = workshop_new();
        OWN_BUF struct buf tool = {0}, layer = {0};
        struct build_result result;
        OK(buf_str(&tool, workshop_tool));
        OK(buf_str(&layer, layers[i]));
        workshop_lock(&w, &tool, &layer);
        FAILS(ERR_UNTRUSTED,
              "component pause: registry.example/pause:3.10: ", bundle_build(&result, &w.opts, NULL, NULL));
        FAILS(ERR_UNTRUSTED, "E_LAYER: ", bundle_build(&result, &w.opts, NULL, NULL));
        assert_false(file_exists(AT_FDCWD, w.out));
    }
}

/* ---- the document as a whole ---- */

/* No reference twice, and none to nothing: what a validator of the schema cannot see. */
static void collect(struct strs *refs, const struct doc *list)
{
    DOC_EACH (v, list) {
        assert_false(strs_has(refs, doc_text(v, "bom-ref")));
        OK(strs_add(refs, doc_text(v, "bom-ref")));
        collect(refs, doc_get(v, "components"));
    }
}

static void references_hold(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = with_tool("elf");
    OWN_DOC struct doc *sbom = built_sbom(&w);
    OWN_STRS struct strs refs = {0}, seen = {0};
    OK(strs_add(&refs, "release"));
    collect(&refs, doc_get(sbom, "components"));
    DOC_EACH (v, doc_get(sbom, "dependencies")) {
        assert_false(strs_has(&seen, doc_text(v, "ref")));
        OK(strs_add(&seen, doc_text(v, "ref")));
        assert_true(strs_has(&refs, doc_text(v, "ref")));
        DOC_EACH (to, doc_get(v, "dependsOn"))
            assert_true(strs_has(&refs, to->text));
    }
}

static void same_inputs_same_document(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_DOC struct doc *first = built_sbom(&w);
    OWN_FREE char *evidence = check_path(w.folder, "cache/evidence");
    assert_true(file_exists(AT_FDCWD, evidence));
    OWN_DOC struct doc *cached = built_sbom(&w);
    OK(file_remove_tree(AT_FDCWD, evidence));
    OWN_DOC struct doc *again = built_sbom(&w);
    assert_true(doc_equal(first, cached));
    assert_true(doc_equal(first, again));
    w.opts.sequence = 2;
    OWN_DOC struct doc *other = built_sbom(&w);
    assert_string_not_equal(doc_text(first, "serialNumber"), doc_text(other, "serialNumber"));
}

/* A note of another file, of another time, or torn: made again, never believed. */
static void damaged_notes(void **state)
{
    (void)state;
#define SHA512                                                                                                         \
    "0000000000000000000000000000000000000000000000000000000000000000"                                                 \
    "0000000000000000000000000000000000000000000000000000000000000000"
#define NOTE "{\"schema\":3,\"sha256\":\"HEX\",\"sha512\":\"" SHA512 "\",\"size\":1"
    static const char *const notes[] = {
        "",
        "{",
        "[]",
        "{\"schema\":0}",
        "{\"schema\":2,\"sha256\":\"HEX\",\"sha512\":\"" SHA512 "\",\"size\":1,\"files\":[]}",
        "{\"schema\":3,\"sha256\":\"00\",\"sha512\":\"" SHA512 "\",\"size\":1}",
        "{\"schema\":3,\"sha256\":\"HEX\",\"sha512\":\"00\",\"size\":1}",
        NOTE ",\"elf\":1}",
        NOTE ",\"elf\":true,\"go\":{}}",
        NOTE ",\"elf\":true,\"go\":{\"go\":\"go1\",\"modules\":[{}],\"settings\":[]}}",
        NOTE ",\"files\":[]}",
    };
    char hex[65];
    OK(digest_hex(hex, workshop_tool, strlen(workshop_tool)));
    for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
        OWN_WORKSHOP struct workshop w = workshop_new();
        OWN_DOC struct doc *good = built_sbom(&w);
        OWN_FREE char *name = str_fmt("cache/evidence/%s.json", hex);
        OWN_FREE char *path = check_path(w.folder, name);
        assert_true(file_exists(AT_FDCWD, path));
        const char *at = strstr(notes[i], "HEX");
        OWN_FREE char *text = at ? str_fmt("%.*s%s%s", (int)(at - notes[i]), notes[i], hex, at + 3) : strdup(notes[i]);
        workshop_put(&w, name, text);
        OWN_DOC struct doc *sbom = built_sbom(&w);
        assert_true(doc_equal(good, sbom));
    }
}

/* The same of a layer's note, which has a line for each file: cut, or changed, wherever that is. */
static void damaged_layer_notes(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_DOC struct doc *good = built_sbom(&w);
    OWN_BUF struct buf layer = {0}, note = {0}, healed = {0};
    char hex[65], name[128];
    workshop_layer(&layer);
    OK(digest_hex(hex, layer.at, layer.len));
    (void)snprintf(name, sizeof name, "cache/evidence/%s.layer", hex);
    OWN_FREE char *path = check_path(w.folder, name);
    OK(file_read(&note, AT_FDCWD, path));
    for (size_t at = 0; at < note.len; at += 29) {
        workshop_put_bytes(&w, name, note.at, at);
        OWN_DOC struct doc *of_cut = built_sbom(&w);
        assert_true(doc_equal(good, of_cut));
        note.at[at] ^= 1;
        workshop_put_bytes(&w, name, note.at, note.len);
        note.at[at] ^= 1;
        OWN_DOC struct doc *of_flipped = built_sbom(&w);
        assert_true(doc_equal(good, of_flipped));
    }
    OK(file_read(&healed, AT_FDCWD, path));
    assert_int_equal(healed.len, note.len);
    assert_memory_equal(healed.at, note.at, note.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indexes_reach_nodes), cmocka_unit_test(lists_everything),
        cmocka_unit_test(references_hold),     cmocka_unit_test(same_inputs_same_document),
        cmocka_unit_test(damaged_notes),       cmocka_unit_test(damaged_layer_notes),
        cmocka_unit_test(go_modules),          cmocka_unit_test(what_is_not_known_is_said),
        cmocka_unit_test(bad_go_information),  cmocka_unit_test(sums_must_agree),
        cmocka_unit_test(programs_in_images),  cmocka_unit_test(a_name_twice),
        cmocka_unit_test(a_layer_that_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
