#include "check.h"
#include "plan/template.h"
#include "template_input.h"

#include <dirent.h>

static const char vars_yaml[] =
    "a: {s: text, i: 42, neg: -1, t: true, f: false, z: 0, none: ~, empty: \"\", quoted: \"7\",\n"
    "    l: [x, 2, true], l0: [], l1: [only], m: {k: v}, ll: [[1], [2]], ln: [1, ~],\n"
    "    dash-name: d, loop: \"${a.s}\"}\n"
    "version: 1.2.3\n";

static struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    OK(doc_yaml(&d, "t.yaml", text, strlen(text)));
    return d;
}

static const struct {
    const char *text, *want; /* want NULL: an error with `error` */
    const char *error;
} texts[] = {
    {"", "", NULL},
    {"plain", "plain", NULL},
    {"${a.s}", "text", NULL},
    {"-${a.s}-${a.i}-", "-text-42-", NULL},
    {"${a.s}${a.s}", "texttext", NULL},
    {"${a.neg} ${a.t} ${a.f} ${a.z}", "-1 true false 0", NULL},
    {"[${a.empty}]", "[]", NULL},
    {"${a.l}", "x,2,true", NULL},
    {"[${a.l0}]", "[]", NULL},
    {"${a.l1}", "only", NULL},
    {"${version}", "1.2.3", NULL},
    {"${a.dash-name}", "d", NULL},
    {"${a.loop}", "${a.s}", NULL}, /* values are not filled again */
    {"$", "$", NULL},
    {"$$", "$$", NULL},
    {"$a.s {a.s} $(a.s) $ {a.s}", "$a.s {a.s} $(a.s) $ {a.s}", NULL},
    {"$${a.s}", "${a.s}", NULL},
    {"$$${a.s}", "$${a.s}", NULL},
    {"a$${x", "a${x", NULL},
    {"line\n${a.s}\n", "line\ntext\n", NULL},
    {"${a.nope}", NULL, "t.yaml:3:4: ${a.nope} has no value"},
    {"${nope}", NULL, "${nope} has no value"},
    {"${a}", NULL, "${a} has no value"},
    {"${a.m}", NULL, "${a.m} has no value"},
    {"${a.m.k.x}", NULL, "${a.m.k.x} has no value"},
    {"${a.none}", NULL, "${a.none} has no value"},
    {"${a.ll}", NULL, "${a.ll} is no list of plain values"},
    {"${a.ln}", NULL, "${a.ln} is no list of plain values"},
    {"${", NULL, "\"${\" is no ${group.name}"},
    {"${}", NULL, "\"${\" is no ${group.name}"},
    {"x ${a.s", NULL, "\"${a.s\" is no ${group.name}"},
    {"${a s}", NULL, "\"${a s\" is no ${group.name}"},
    {"${a_s}", NULL, "\"${a_s\" is no ${group.name}"},
    {"${a.s:-x}", NULL, "\"${a.s:-x\" is no ${group.name}"},
    {"${$(id)}", NULL, "is no ${group.name}"},
};

static void text_table(void **state)
{
    (void)state;
    OWN_DOC struct doc *vars = yaml(vars_yaml);
    struct doc at = {.file = "t.yaml", .line = 3, .col = 4};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        OWN_BUF struct buf out = {0};
        struct err *e = template_text(&out, texts[i].text, vars, &at);
        if (!texts[i].want) {
            FAILS(ERR_USAGE, texts[i].error, e);
            continue;
        }
        check_ok(e, texts[i].text, __FILE__, __LINE__);
        assert_string_equal(buf_text(&out), texts[i].want);
    }
}

static const struct {
    const char *tree, *want, *error;
} trees[] = {
    {"{k: plain}", "{\"k\":\"plain\"}", NULL},
    {"{k: \"${a.s}\"}", "{\"k\":\"text\"}", NULL},
    {"{k: \"${a.i}\", l: \"${a.t}\", m: \"${a.f}\", n: \"${a.z}\"}", "{\"k\":42,\"l\":true,\"m\":false,\"n\":0}", NULL},
    {"{k: \"${a.quoted}\"}", "{\"k\":\"7\"}", NULL}, /* text stays text */
    {"{k: \"x${a.i}\"}", "{\"k\":\"x42\"}", NULL},
    {"{k: \" ${a.i}\"}", "{\"k\":\" 42\"}", NULL},
    {"{k: \"${a.m}\"}", "{\"k\":{\"k\":\"v\"}}", NULL},
    {"{k: \"${a.l}\"}", "{\"k\":[\"x\",2,true]}", NULL},
    {"{k: [\"${a.l}\"]}", "{\"k\":[\"x\",2,true]}", NULL}, /* spliced in */
    {"{k: [1, \"${a.l}\", 3]}", "{\"k\":[1,\"x\",2,true,3]}", NULL},
    {"{k: [1, \"${a.l0}\", 3]}", "{\"k\":[1,3]}", NULL},
    {"{k: [\"${a.ll}\"]}", "{\"k\":[[1],[2]]}", NULL},
    {"{k: [[\"${a.l}\"]]}", "{\"k\":[[\"x\",2,true]]}", NULL}, /* a list of the definition stays one */
    {"{k: [\"${a.m}\"]}", "{\"k\":[{\"k\":\"v\"}]}", NULL},
    {"{k: \"${a.none}\", l: 1}", "{\"l\":1}", NULL}, /* without a value there is no key */
    {"{k: \"${nope}\"}", "{}", NULL},
    {"{k: [\"${a.none}\", 1, \"${nope}\"]}", "{\"k\":[1]}", NULL},
    {"{k: {l: \"${nope}\"}}", "{\"k\":{}}", NULL},
    {"{k: \"\", l: [\"\"]}", "{\"k\":\"\",\"l\":[\"\"]}", NULL}, /* an empty text is a value: the core API group */
    {"{k: \"${a.empty}\"}", "{\"k\":\"\"}", NULL},
    {"{k: ~, l: 1, m: true}", "{\"k\":null,\"l\":1,\"m\":true}", NULL},
    {"{k: \"$${a.s}\"}", "{\"k\":\"${a.s}\"}", NULL},
    {"{k: \"${a.loop}\"}", "{\"k\":\"${a.s}\"}", NULL},
    {"[\"${version}\"]", "[\"1.2.3\"]", NULL},
    {"{\"${a.s}\": 1}", "{\"${a.s}\":1}", NULL}, /* keys are not filled */
    {"{k: \"x${nope}\"}", NULL, "t.yaml:1:5: ${nope} has no value"},
    {"{k: [1, {l: \"-${nope}\"}]}", NULL, "t.yaml:1:13: ${nope} has no value"},
    {"{k: \"${a\"}", NULL, "t.yaml:1:5: \"${a\" is no ${group.name}"},
};

static void tree_table(void **state)
{
    (void)state;
    OWN_DOC struct doc *vars = yaml(vars_yaml);
    for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
        OWN_DOC struct doc *tree = yaml(trees[i].tree), *before = doc_clone(tree), *out = NULL;
        OWN_BUF struct buf json = {0};
        struct err *e = template_tree(&out, tree, vars);
        assert_true(doc_equal(tree, before));
        if (!trees[i].want) {
            FAILS(ERR_USAGE, trees[i].error, e);
            assert_null(out);
            continue;
        }
        check_ok(e, trees[i].tree, __FILE__, __LINE__);
        OK(doc_json_write(&json, out));
        assert_string_equal(buf_text(&json), trees[i].want);
    }
}

static void corpus(void **state)
{
    (void)state;
    DIR *d = opendir(SOURCE_DIR "/tests/plan/corpus");
    assert_non_null(d);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        OWN_BUF struct buf bytes = {0};
        OK(file_read(&bytes, dirfd(d), entry->d_name));
        template_input_run(bytes.at, bytes.len);
        n++;
    }
    closedir(d);
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_table),
        cmocka_unit_test(tree_table),
        cmocka_unit_test(corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
