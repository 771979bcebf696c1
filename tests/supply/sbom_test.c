/* The bill of materials that a build puts into a bundle. */
#include "workshop.h"

#include "bundle/bundle.h"
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
    OK(digest_hex(layer, "a layer", 7));
    (void)snprintf(ref, sizeof ref, "blob/sha256:%s", layer);
    check_bytes(must_find(sbom, ref), "a layer");
    assert_true(depends(sbom, "image/registry.example/pause:3.10", ref));
    assert_true(depends(sbom, "release", "component/tool"));
    assert_true(depends(sbom, "component/pause", "image/registry.example/pause:3.10"));
}

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
    OWN_WORKSHOP struct workshop w = workshop_new();
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
    static const char *const notes[] = {"", "{", "{\"schema\":0}",
                                        "{\"schema\":1,\"sha256\":\"00\",\"sha512\":\"00\",\"size\":1}"};
    char hex[65], name[128];
    OK(digest_hex(hex, workshop_tool, strlen(workshop_tool)));
    (void)snprintf(name, sizeof name, "cache/evidence/%s.json", hex);
    for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
        OWN_WORKSHOP struct workshop w = workshop_new();
        workshop_put(&w, name, notes[i]);
        OWN_DOC struct doc *sbom = built_sbom(&w);
        check_bytes(must_find(sbom, "component/tool/package/tool/bin/tool"), workshop_tool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_everything), cmocka_unit_test(references_hold),
                                       cmocka_unit_test(same_inputs_same_document), cmocka_unit_test(damaged_notes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
