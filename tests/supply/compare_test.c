/* What is different between two releases. */
#include "workshop.h"

#include "bundle/bundle.h"
#include "forge.h"
#include "supply/compare.h"

static const char pause_only[] = "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: tiny}\nspec:\n"
                                 "  version: 1.0.1\n  components: [pause]\n";
static const char other_tool[] =
    "apiVersion: caisson.dev/v1\nkind: Component\n"
    "metadata: {name: tool, license: Apache-2.0, supplier: example, purl: \"pkg:generic/tool\"}\n"
    "versions: [{version: 1.2.3}]\n"
    "packages:\n  - name: tool\n    roles: [worker, storage]\n    files:\n"
    "      - {path: bin/other, from: \"tool-${version}\", mode: \"0755\"}\n"
    "manifests:\n  - {file: tool/new.yaml}\n";

struct pair {
    struct workshop w;
    char *old_path;
    struct bundle *old, *new;
    struct doc *difference;
    char *text;
};

static void pair_done(struct pair *p)
{
    bundle_free(p->old);
    bundle_free(p->new);
    doc_free(p->difference);
    free(p->old_path);
    free(p->text);
    workshop_done(&p->w);
}

/* Builds the workshop's release, then what `change` makes of it, and compares. */
static void pair_make(struct pair *p, void (*change)(struct workshop *w))
{
    struct build_result result;
    struct build_opts o;
    p->w = workshop_new();
    p->old_path = check_path(p->w.folder, "old.csn.tar");
    o = p->w.opts;
    o.out = p->old_path;
    OK(bundle_build(&result, &o, NULL, NULL));
    change(&p->w);
    OK(bundle_build(&result, &p->w.opts, NULL, NULL));
    const char *trust = p->w.pub;
    OK(bundle_open(&p->old, p->old_path, &trust, 1));
    OK(bundle_open(&p->new, p->w.out, &trust, 1));
    OK(compare_releases(&p->difference, p->old, p->new));
    size_t n = 0;
    FILE *out = open_memstream(&p->text, &n);
    compare_text(out, p->difference);
    (void)fclose(out);
}

static void has(const struct pair *p, const char *part)
{
    if (!strstr(p->text, part))
        fail_msg("\"%s\" is not in\n%s", part, p->text);
}

static const struct doc *value(const struct doc *difference, const char *key)
{
    const struct doc *v = doc_find(doc_get(difference, "values"), "key", key);
    if (!v)
        fail_msg("no value %s", key);
    return v;
}

static void nothing(struct workshop *w)
{
    (void)w;
}

static void the_same(void **state)
{
    (void)state;
    OWN(pair_done) struct pair p = {0};
    pair_make(&p, nothing); /* the signatures differ */
    assert_int_equal(doc_int(p.difference, "changes", -1), 0);
    assert_int_equal(doc_len(doc_get(p.difference, "values")), 0);
    assert_null(doc_get(p.difference, "components"));
    assert_true(str_starts(p.text, "0 differences; 0 B of "));
}

static void number_only(struct workshop *w)
{
    w->opts.sequence = 2;
}

/* No release is another one unseen: its digest is a value too. */
static void another_sequence(void **state)
{
    (void)state;
    OWN(pair_done) struct pair p = {0};
    pair_make(&p, number_only);
    assert_int_equal(doc_int(value(p.difference, "sequence"), "to", 0), 2);
    assert_string_equal(doc_text(value(p.difference, "digest"), "from"), doc_text(p.difference, "from.digest"));
    assert_null(doc_get(p.difference, "components"));
    has(&p, "sequence: 1 -> 2\n");
    has(&p, "sbom: sha256:");
}

static void change_tool(struct workshop *w)
{
    workshop_put(w, "bundles/tool.yaml", other_tool);
    workshop_put(w, "bundles/tool/new.yaml", "kind: Namespace\n");
}

static void changed_component(void **state)
{
    (void)state;
    OWN(pair_done) struct pair p = {0};
    pair_make(&p, change_tool);
    assert_int_equal(doc_len(doc_get(p.difference, "components")), 1);
    const struct doc *tool = doc_get(p.difference, "components")->child;
    assert_string_equal(doc_text(tool, "change"), "changed");
    assert_string_equal(doc_text(value(tool, "license"), "from"), "MIT");
    assert_string_equal(doc_text(value(tool, "license"), "to"), "Apache-2.0");
    (void)value(tool, "definition.digest");
    const struct doc *package = doc_find(doc_get(tool, "packages"), "name", "tool");
    (void)value(package, "digest");
    (void)value(package, "size");
    const struct doc *files = doc_get(tool, "files");
    assert_string_equal(doc_text(doc_find(files, "name", "tool/tool.yaml"), "change"), "removed");
    assert_string_equal(doc_text(doc_find(files, "name", "tool/new.yaml"), "change"), "added");
    has(&p, "\n~ component tool\n");
    has(&p, "    license: MIT -> Apache-2.0\n");
    has(&p, "    ~ package tool\n");
    has(&p, "        role: all -> worker,storage\n");
    has(&p, "    - file tool/tool.yaml\n    + file tool/new.yaml\n");
    assert_true(doc_int(p.difference, "newBytes", 0) > 0);
}

static void drop_tool(struct workshop *w)
{
    workshop_put(w, "profiles/tiny.yaml", pause_only);
}

static void removed_component(void **state)
{
    (void)state;
    OWN(pair_done) struct pair p = {0};
    pair_make(&p, drop_tool);
    const struct doc *tool = doc_get(p.difference, "components")->child;
    assert_string_equal(doc_text(tool, "change"), "removed");
    assert_string_equal(doc_text(tool, "thing.version"), "1.2.3");
    has(&p, "version: 1.0.0 -> 1.0.1\n");
    has(&p, "- component tool 1.2.3  (MIT)\n  - package tool  ");
    /* and the other way round it came */
    OWN_DOC struct doc *back = NULL;
    OK(compare_releases(&back, p.new, p.old));
    assert_string_equal(doc_text(doc_get(back, "components")->child, "change"), "added");
}

/* Keys that this program does not know may have any form: they are signed, and no reason to fall over. */
static void unknown_things(void **state)
{
    (void)state;
    OWN_FORGE struct forge *a = forge_new(), *b = forge_new();
    OWN_BUNDLE struct bundle *old = NULL, *new = NULL;
    OWN_DOC struct doc *difference = NULL;
    struct doc *c = doc_get(b->predicate, "components")->child;
    doc_set_text(b->predicate, "packages", "none");
    doc_add(doc_set(b->predicate, "images", doc_new_list()), doc_new_int(1));
    doc_set_text(c, "manifests", "none");
    struct forge *const both[] = {a, b};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        forge_seal(both[i]);
        forge_write(both[i]);
    }
    const char *keys[] = {a->pub_path, b->pub_path};
    OK(bundle_open(&old, a->path, &keys[0], 1));
    OK(bundle_open(&new, b->path, &keys[1], 1));
    OK(compare_releases(&difference, old, new));
    assert_string_equal(doc_text(value(difference, "packages"), "to"), "none");
    assert_int_equal(doc_get(value(difference, "images"), "to")->kind, DOC_LIST);
    FILE *out = fopen("/dev/null", "w");
    compare_text(out, difference);
    (void)fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same), cmocka_unit_test(another_sequence),
                                       cmocka_unit_test(changed_component), cmocka_unit_test(removed_component),
                                       cmocka_unit_test(unknown_things)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
