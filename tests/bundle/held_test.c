/* Lists of what a cluster holds: what is refused, and what may be left out by those that are not. */
#include "forge.h"

#include "bundle/held.h"

#define HEX "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct err *parse(const char *text)
{
    OWN_BUF struct buf b = {0};
    OWN_DOC struct doc *d = NULL;
    OK(buf_str(&b, text));
    struct err *e = held_parse(&d, "list.json", &b);
    assert_true(!e || strstr(err_hint_text(e), "caisson bundle held"));
    return e;
}

#define LIST(images, packages)                                                                                         \
    "{\"cluster\":\"plant\",\"images\":[" images "],\"packages\":[" packages "],\"schema\":1}"

static void good(void **state)
{
    (void)state;
    OK(parse(LIST("", "")));
    OK(parse(LIST("", "") "\n"));
    OK(parse(LIST("{\"blobs\":[\"sha256:" HEX "\"],\"digest\":\"sha256:" HEX
                  "\",\"name\":\"registry.k8s.io/pause:3.10\",\"role\":[\"worker\"]}",
                  "{\"digest\":\"sha256:" HEX "\",\"name\":\"etcd\",\"role\":[\"control-plane\",\"worker\"]}")));
}

static void bad(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "E_JSON"},
        {"{", "E_JSON"},
        {"[]", "E_SCHEMA: not a map"},
        {"{}", "E_SCHEMA"},
        {LIST("", "") "\n\n", "E_JSON"},
        {LIST("", "") " ", "E_JSON"},
        {"{\"images\":[],\"cluster\":\"plant\",\"packages\":[],\"schema\":1}", "E_JSON: list.json is not in canonical"},
        {"{\"cluster\":\"plant\",\"cluster\":\"plant\",\"images\":[],\"packages\":[],\"schema\":1}", "E_JSON"},
        {"{\"cluster\":\"plant\",\"images\":[],\"packages\":[],\"schema\":2}", "E_SCHEMA: schema 2 is not known"},
        {"{\"cluster\":\"plant\",\"images\":[],\"packages\":[]}", "\"schema\" is missing"},
        {"{\"cluster\":\"plant\",\"images\":[],\"more\":1,\"packages\":[],\"schema\":1}", "unknown key \"more\""},
        {LIST("", "{\"digest\":\"" HEX "\",\"name\":\"etcd\",\"role\":[]}"), "digest is not \"sha256:\""},
        {LIST("", "{\"digest\":\"sha256:" HEX "\",\"name\":\"../etcd\",\"role\":[]}"), "E_PATH"},
        {LIST("", "{\"digest\":\"sha256:" HEX "\",\"name\":\"etcd\",\"role\":[\"all\"]}"), "role: neither"},
        {LIST("{\"blobs\":[\"sha256:1\"],\"digest\":\"sha256:" HEX "\",\"name\":\"registry.k8s.io/a:1\",\"role\":[]}",
              ""),
         "blobs: one is not"},
        {LIST("{\"blobs\":[],\"digest\":\"sha256:" HEX "\",\"name\":\"pause\",\"role\":[]}", ""), "E_REF"},
        {LIST("{\"blobs\":[],\"digest\":\"sha256:" HEX "\",\"role\":[]}", ""), "\"name\" is missing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        FAILS(ERR_UNTRUSTED, cases[i].words, parse(cases[i].text));
}

static void too_large(void **state)
{
    (void)state;
    OWN_DOC struct doc *d = NULL;
    char *folder = check_folder();
    OWN_FREE char *path = check_path(folder, "list.json");
    check_write(folder, "list.json", "{", 1);
    assert_true(held_is_list(path));
    assert_int_equal(truncate(path, (16 << 20) + 1), 0);
    FAILS(ERR_UNTRUSTED, "E_LIMIT", held_load(&d, path));
    assert_int_equal(unlink(path), 0);
    assert_false(held_is_list(path));
    FAILS(ERR_USAGE, "list.json", held_load(&d, path));
    check_folder_done(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(bad), cmocka_unit_test(too_large)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
