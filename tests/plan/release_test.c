/* A release and its add-ons as one: what may be joined, and what the planner then sees. */
#include "check.h"
#include "plan/release.h"

#define D(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define BASE D("aa")

static const char base_text[] = "product: p\nchannel: stable\nprofile: minimal\n"
                                "totals: {members: 5, bytes: 100, rawBytes: 300}\n"
                                "components:\n"
                                "  - {name: one, version: v1, artifacts: [{name: tool, digest: \"sha256:" D(
                                    "01") "\"}], images: [{name: \"x/i:1\"}]}\n";

#define THIS "{profile: minimal, releaseDigest: \"sha256:" BASE "\"}"
#define TWO                                                                                                            \
    "{name: two, version: v2, artifacts: [{name: tool2, digest: \"sha256:" D("02") "\"}], images: [{name: "            \
                                                                                   "\"x/i:2\"}]}"

static struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    OK(doc_yaml(&d, "t", text, strlen(text)));
    return d;
}

/* A release, joined by an add-on with these requirements and this component. */
static struct err *extend_of(struct release *r, const char *of, const char *requires, const char *component)
{
    OWN_FREE char *text = str_fmt("%s\nprofile: more\ntotals: {members: 2, bytes: 10, rawBytes: 30}\n"
                                  "requires: [%s]\ncomponents:\n  - %s\n",
                                  of, requires, component);
    OWN_DOC struct doc *base = yaml(base_text), *head = yaml(text);
    release_init(r, base);
    return release_extend(r, head, BASE);
}

static struct err *extend(struct release *r, const char *requires, const char *component)
{
    return extend_of(r, "product: p\nchannel: stable", requires, component);
}

static void joined(void **state)
{
    (void)state;
    OWN_RELEASE struct release r;
    OK(extend(&r, THIS, TWO));
    assert_string_equal(release_package(&r, "tool"), D("01"));
    assert_string_equal(release_package(&r, "tool2"), D("02"));
    assert_string_equal(doc_text(release_artifact(&r, D("02")), "name"), "tool2");
    assert_int_equal(doc_int(r.head, "totals.members", 0), 7);
    assert_int_equal(doc_int(r.head, "totals.rawBytes", 0), 330);
    assert_string_equal(doc_text(r.head, "profile"), "minimal");
    OK(release_add(&r, yaml("{metadata: {name: one}, a: 1}"), doc_new_list()));
    OK(release_add(&r, yaml("{metadata: {name: two}, b: 1}"), doc_new_list()));
    assert_string_equal(doc_text(release_find(&r, "b"), "version"), "v2");
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *requires, *component, *text, *hint;
    } rows[] = {
        {"", TWO, "E_REQUIRES: \"more\" is no add-on: it requires no release", "`release`"},
        {"{profile: minimal, releaseDigest: \"sha256:" D("ab") "\"}", TWO,
         "E_REQUIRES: add-on \"more\" was built for release abababababab, this is aaaaaaaaaaaa", "--requires"},
        {THIS ", {profile: other, releaseDigest: \"sha256:" D("cd") "\"}", TWO, "was built for release cdcdcdcdcdcd",
         "--requires"},
        {THIS, "{name: one, version: v2}", "add-on \"more\": component \"one\" is there already", NULL},
        {THIS, "{name: two, artifacts: [{name: tool}]}",
         "\"tool\" of component \"two\" is in component \"one\" already", NULL},
        {THIS, "{name: two, images: [{name: \"x/i:1\"}]}",
         "\"x/i:1\" of component \"two\" is in component \"one\" already", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN_RELEASE struct release r;
        OWN(err_freep) struct err *e = extend(&r, rows[i].requires, rows[i].component);
        if (!e || !strstr(err_text(e), rows[i].text))
            fail_msg("row %zu: %s", i, e ? err_text(e) : "accepted");
        assert_int_equal(err_exit_code(e), 4);
        if (rows[i].hint)
            assert_non_null(strstr(err_hint_text(e), rows[i].hint));
    }
}

static void of_another_kind(void **state)
{
    (void)state;
    OWN_RELEASE struct release r, s;
    FAILS(ERR_UNTRUSTED, "E_PRODUCT: add-on \"more\" is of product \"q\", the release of \"p\"",
          extend_of(&r, "product: q\nchannel: stable", THIS, TWO));
    FAILS(ERR_UNTRUSTED, "E_PRODUCT: add-on \"more\" is of channel \"beta\", the release of \"stable\"",
          extend_of(&s, "product: p\nchannel: beta", THIS, TWO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined),
        cmocka_unit_test(refused),
        cmocka_unit_test(of_another_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
