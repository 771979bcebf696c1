#include "check.h"
#include "doc/doc.h"

static struct err *read_json(struct doc **ret, const char *text)
{
    return doc_json(ret, "reply", text, strlen(text));
}

static void expect_refusal(const char *text, const char *words)
{
    struct doc *d = NULL;
    check_err(read_json(&d, text), ERR_USAGE, words, text, __FILE__, __LINE__);
    assert_null(d);
}

/* The canonical form of `text`. */
static char *canonical(const char *text)
{
    OWN_DOC struct doc *d = NULL;
    OWN_BUF struct buf out = {0};
    OK(read_json(&d, text));
    OK(doc_json_write(&out, d));
    return buf_take(&out);
}

static void expect_canonical(const char *text, const char *want)
{
    OWN_FREE char *once = canonical(text), *twice = canonical(once);
    assert_string_equal(once, want);
    assert_string_equal(twice, want); /* reading it back changes nothing */
}

static void canonical_form(void **state)
{
    (void)state;
    expect_canonical(" { \"b\" : [ 1 , true , null ] , \"a\" : { } } ", "{\"a\":{},\"b\":[1,true,null]}");
    /* by bytes: upper case before lower case, a prefix before the longer word, UTF-8 last */
    expect_canonical("{\"\\u00e4\":1,\"b\":2,\"B\":3,\"a\":4,\"aa\":5,\"a-\":6,\"\":7}",
                     "{\"\":7,\"B\":3,\"a\":4,\"a-\":6,\"aa\":5,\"b\":2,\"\xc3\xa4\":1}");
    expect_canonical("[3,1,2]", "[3,1,2]"); /* lists keep their order */
    expect_canonical("\"\\u0041\\/\\\\\\\"\\n\\t\\u001f\\u007f\"", "\"A/\\\\\\\"\\n\\u0009\\u001f\x7f\"");
    expect_canonical("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"");
    expect_canonical("[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]");
    expect_canonical("[1.0,-0.0,0.5,1e300,100000000000000000000.0]", "[1.0,-0.0,0.5,1.0000000000000001e+300,1e+20]");
    expect_canonical("-0", "0");
    expect_canonical("\"\"", "\"\"");
    expect_canonical("[]", "[]");
}

/* What is not ASCII in a string survives unchanged; what is no UTF-8 never gets in. */
static void refusals(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"a\":1,\"a\":2}", "reply:1:10: duplicate object key"},
        {"{\"a\":{\"b\":1,\"\\u0062\":2}}", "duplicate object key"},
        {"{} {}", "end of file expected"},
        {"{}x", "end of file expected"},
        {"", "reply:1:0: "},
        {"{\"a\":1,}", "reply:1:"},
        {"[1,]", "reply:1:"},
        {"{\n \"a\": tru}", "reply:2:"},
        {"'a'", "reply:1:"},
        {"\"\\u0000\"", "\\u0000 is not allowed"},
        {"{\"\\u0000\":1}", "\\u0000"},
        {"\"\xff\"", "unable to decode byte 0xff"},
        {"\"\xc0\x80\"", "unable to decode byte 0xc0"},
        {"\"\xed\xa0\x80\"", "unable to decode byte 0xed"},
        {"\"\xc3\"", "unable to decode byte 0xc3"},
        {"\"\\ud800\"", "invalid Unicode"},
        {"\"a\nb\"", "unexpected newline"},
        {"9223372036854775808", "too big integer"},
        {"1e999", "real number overflow"},
        {"NaN", "reply:1:"},
        {"01", "reply:1:"},
        {"// x\n1", "reply:1:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_refusal(cases[i][0], cases[i][1]);
    struct doc *d = NULL;
    FAILS(ERR_USAGE, "reply: a NUL byte", doc_json(&d, "reply", "\"a\0b\"", 5));
    FAILS(ERR_USAGE, "reply: a NUL byte", doc_json(&d, "reply", "1\0 text after the end", 20));
}

static void deep_nesting(void **state)
{
    (void)state;
    OWN_BUF struct buf deep = {0};
    for (int i = 0; i < 100000; i++)
        OK(buf_str(&deep, "["));
    expect_refusal(deep.at, "maximum parsing depth");
}

/* A string with a quote or a newline in a key cannot break out of its place. */
static void written_keys_are_escaped(void **state)
{
    (void)state;
    OWN_DOC struct doc *map = doc_new_map(), *back = NULL;
    OWN_BUF struct buf out = {0};
    doc_set_text(map, "a\":1,\"b\n", "\",\"x\":\"");
    OK(doc_json_write(&out, map));
    OK(doc_json(&back, "x", out.at, out.len));
    assert_true(doc_equal(map, back));
}

/* The same values in another order are the same bytes: digests depend on it. */
static void equal_trees_equal_bytes(void **state)
{
    (void)state;
    OWN_DOC struct doc *a = NULL, *b = NULL;
    OWN_BUF struct buf x = {0}, y = {0};
    static const char yaml[] = "list: [a, 'b']\nport: 6443\non: true\nnone: null\nmap: {z: 1, y: \"2\"}\n";
    OK(read_json(&a, "{\"map\":{\"y\":\"2\",\"z\":1},\"none\":null,\"on\":true,\"port\":6443,\"list\":[\"a\",\"b\"]}"));
    OK(doc_yaml(&b, "b", yaml, sizeof yaml - 1));
    OK(doc_json_write(&x, a));
    OK(doc_json_write(&y, b));
    assert_string_equal(x.at, y.at);
    assert_true(doc_equal(a, b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_form),
        cmocka_unit_test(refusals),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(written_keys_are_escaped),
        cmocka_unit_test(equal_trees_equal_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
