/* Trees: build, look up, compare, merge; schemas. */
#include "check.h"
#include "doc/schema.h"

static struct doc *json(const char *text)
{
    struct doc *d = NULL;
    OK(doc_json(&d, "test", text, strlen(text)));
    return d;
}

static void expect_json(const struct doc *d, const char *want)
{
    OWN_BUF struct buf out = {0};
    OK(doc_json_write(&out, d));
    assert_string_equal(out.at, want);
}

static void build(void **state)
{
    (void)state;
    OWN_DOC struct doc *map = doc_new_map();
    struct doc *list = doc_set(map, "list", doc_new_list());
    doc_add_text(list, "x");
    doc_add(list, doc_new_null());
    doc_set_int(map, "n", -5);
    doc_set_bool(map, "b", true);
    doc_set_fmt(map, "text", "%d-%s", 7, "z");
    doc_set_text(map, "n", "again"); /* replaces */
    expect_json(map, "{\"b\":true,\"list\":[\"x\",null],\"n\":\"again\",\"text\":\"7-z\"}");
    assert_int_equal(doc_len(map), 4);
    assert_true(doc_list_has(list, "x") && !doc_list_has(list, "y") && !doc_list_has(NULL, "x"));
    doc_set_int(map, doc_get(map, "text")->key, 1); /* by the old value's own key */
    assert_int_equal(doc_int(map, "text", 0), 1);
    doc_remove(map, "text");
    doc_remove(map, "text");
    doc_remove(map, "b");
    doc_remove(map, "list");
    doc_remove(map, "n");
    expect_json(map, "{}");
    doc_set_int(map, "after", 1); /* the list of children is whole again */
    expect_json(map, "{\"after\":1}");
}

static void look_up(void **state)
{
    (void)state;
    OWN_DOC struct doc *d = json("{\"a\":{\"b\":{\"c\":\"deep\"}},\"n\":null,\"i\":3,\"l\":[1]}");
    assert_string_equal(doc_text(d, "a.b.c"), "deep");
    assert_null(doc_text(d, "a.b.x"));
    assert_null(doc_text(d, "a.b.c.d"));
    assert_null(doc_text(d, "n"));
    assert_null(doc_text(d, ""));
    assert_null(doc_text(NULL, "a"));
    assert_null(doc_get(doc_get(d, "l"), "0"));
    assert_string_equal(doc_text(d, "i"), "3");
    assert_int_equal(doc_int(d, "a.b.c", 9), 9);
    assert_int_equal(doc_len(NULL), 0);
}

static void find(void **state)
{
    (void)state;
    OWN_DOC struct doc *d =
        json("{\"l\":[1,\"a\",{},{\"m\":{\"name\":\"a\"},\"i\":1},{\"m\":{\"name\":\"b\"},\"n\":5},"
             "{\"m\":{\"name\":\"a\"},\"i\":2}],\"x\":{\"first\":{\"id\":\"a\"},\"second\":{\"id\":\"b\"}}}");
    const struct doc *list = doc_get(d, "l");
    assert_string_equal(doc_text(doc_find(list, "m.name", "a"), "i"), "1"); /* the first of two */
    assert_string_equal(doc_text(doc_find(list, "m.name", "b"), "n"), "5");
    assert_ptr_equal(doc_find(list, "n", "5"), doc_find(list, "m.name", "b")); /* a number by its text */
    assert_string_equal(doc_find(doc_get(d, "x"), "id", "b")->key, "second");
    assert_null(doc_find(list, "m.name", "c"));
    assert_null(doc_find(list, "m", "a"));
    assert_null(doc_find(list, "nothing", NULL)); /* what has no text there is not what is looked for */
    assert_null(doc_find(NULL, "m.name", "a"));
    assert_null(doc_find(list->child, "m.name", "a"));
}

static void compare(void **state)
{
    (void)state;
    OWN_DOC struct doc *d = json("{\"a\":[1,{\"b\":null}],\"c\":\"x\"}"), *copy = doc_clone(d);
    assert_true(doc_equal(d, copy));
    assert_true(doc_equal(NULL, NULL));
    assert_false(doc_equal(d, NULL) || doc_equal(NULL, d));
    static const char *const others[] = {
        "{}",
        "{\"a\":[1,{\"b\":null}],\"c\":\"y\"}",
        "{\"a\":[1],\"c\":\"x\"}",
        "{\"a\":[{\"b\":null},1],\"c\":\"x\"}",
        "{\"a\":[1,{\"b\":null}],\"d\":\"x\"}",
        "{\"a\":[\"1\",{\"b\":null}],\"c\":\"x\"}",
        "{\"a\":[1,{\"b\":null},2],\"c\":\"x\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        OWN_DOC struct doc *other = json(others[i]);
        assert_false(doc_equal(d, other) || doc_equal(other, d));
    }
}

static void expect_merge(const char *into, const char *over, const char *want)
{
    OWN_DOC struct doc *a = json(into), *b = json(over);
    doc_merge(a, b);
    expect_json(a, want);
}

/* RFC 7396, section 3 and appendix A, as far as both sides are maps. */
static void merge(void **state)
{
    (void)state;
    expect_merge("{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
    expect_merge("{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}");
    expect_merge("{\"a\":\"b\"}", "{\"a\":null}", "{}");
    expect_merge("{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}");
    expect_merge("{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
    expect_merge("{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}");
    expect_merge("{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}");
    expect_merge("{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}");
    expect_merge("{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}");
    expect_merge("{\"a\":\"foo\"}", "{\"a\":{\"b\":{\"c\":null}}}", "{\"a\":{\"b\":{}}}");
    expect_merge("{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}");
    expect_merge("{}", "{\"a\":[null]}", "{\"a\":[null]}"); /* lists are values */
    expect_merge("{\"a\":{\"x\":1}}", "{\"a\":{}}", "{\"a\":{\"x\":1}}");
}

/* ---- schemas ---- */

static struct err *port_check(const struct doc *v)
{
    return v->num > 0 && v->num < 65536 ? NULL : doc_err(ERR_USAGE, v, "%s is no port", v->text);
}

static const struct field ssh_fields[] = {
    {.key = "address", .kind = DOC_STRING, .required = true},
    {.key = "port", .kind = DOC_INT, .check = port_check},
    {0},
};
static const struct field host_fields[] = {
    {.key = "name", .kind = DOC_STRING, .required = true},
    {.key = "ssh", .kind = DOC_MAP, .map = ssh_fields},
    {0},
};
static const struct field any_fields[] = {
    {.key = "*", .kind = DOC_STRING},
    {.key = "count", .kind = DOC_INT}, /* behind the star, and still itself */
    {0},
};
static const struct field fields[] = {
    {.key = "hosts", .kind = DOC_LIST, .required = true, .map = host_fields},
    {.key = "labels", .kind = DOC_MAP, .map = any_fields},
    {.key = "names", .kind = DOC_LIST, .elem = DOC_STRING},
    {.key = "extra"},
    {0},
};

static struct err *check_yaml(const char *text)
{
    OWN_DOC struct doc *d = NULL;
    TRY(doc_yaml(&d, "c.yaml", text, strlen(text)));
    return schema_check(d, fields);
}

static void schema(void **state)
{
    (void)state;
    OK(check_yaml("hosts: [{name: a, ssh: {address: x, port: 22}}]\nlabels: {any: thing, count: 3}\nnames: [a]\n"
                  "extra: [1, {free: form}]\n"));
    static const char *const cases[][2] = {
        {"hosts: []\nnames: [a, 1]\n", "c.yaml:2:12: each entry must be text, not a whole number"},
        {"names: []\n", "c.yaml:1:1: \"hosts\" is missing"},
        {"hosts: {}\n", "c.yaml:1:8: hosts must be a list, not a map"},
        {"hosts:\n", "hosts must be a list, not nothing"},
        {"hosts: [a]\n", "c.yaml:1:9: each entry must be a map, not text"},
        {"hosts:\n- name: a\n- ssh: {address: x}\n", "c.yaml:3:3: \"name\" is missing"},
        {"hosts:\n- name: a\n  ssh: {address: x, port: 70000}\n", "c.yaml:3:27: 70000 is no port"},
        {"hosts:\n- name: a\n  ssh: {address: x, port: '22'}\n", "c.yaml:3:27: port must be a whole number, not text"},
        {"hosts:\n- name: a\n  ssh: {port: 22}\n", "c.yaml:3:8: \"address\" is missing"},
        {"hosts: []\nlabels: {count: many}\n", "c.yaml:2:17: count must be a whole number, not text"},
        {"hosts: []\nlabels: {x: 1}\n", "c.yaml:2:13: x must be text, not a whole number"},
        {"- hosts\n", "c.yaml:1:1: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_err(check_yaml(cases[i][0]), ERR_USAGE, cases[i][1], cases[i][0], __FILE__, __LINE__);
}

/* An unknown key is named where it stands, also when its value begins on another line. */
static void unknown_keys(void **state)
{
    (void)state;
    struct err *e = check_yaml("hosts: []\nlabelz:\n  a: b\n");
    assert_non_null(e);
    assert_string_equal(err_text(e), "c.yaml:2:1: unknown key \"labelz\"");
    assert_string_equal(err_hint_text(e), "did you mean \"labels\"?");
    err_free(e);
    e = check_yaml("hosts:\n- name: a\n  completely-else: 1\n");
    assert_non_null(e);
    assert_string_equal(err_text(e), "c.yaml:3:3: unknown key \"completely-else\"");
    assert_string_equal(err_hint_text(e), "known here: name, ssh");
    err_free(e);
}

static void nearest(void **state)
{
    (void)state;
    static const char *const words[] = {"controlPlane", "worker", "version"};
    assert_string_equal(schema_nearest("contolplane", words, 3), "controlPlane");
    assert_string_equal(schema_nearest("workers", words, 3), "worker");
    assert_string_equal(schema_nearest("versionn", words, 3), "version");
    assert_null(schema_nearest("completely", words, 3));
    assert_null(schema_nearest("x", words, 0));
    char long_word[400]; /* longer than any table: near to nothing */
    memset(long_word, 'x', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    assert_null(schema_nearest(long_word, words, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(build), cmocka_unit_test(look_up), cmocka_unit_test(find),         cmocka_unit_test(compare),
        cmocka_unit_test(merge), cmocka_unit_test(schema),  cmocka_unit_test(unknown_keys), cmocka_unit_test(nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
