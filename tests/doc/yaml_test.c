#include "check.h"
#include "doc/doc.h"

static struct err *read_yaml(struct doc **ret, const char *text)
{
    return doc_yaml(ret, "f.yaml", text, strlen(text));
}

static void expect_refusal(const char *text, const char *words)
{
    struct doc *d = NULL;
    check_err(read_yaml(&d, text), ERR_USAGE, words, text, __FILE__, __LINE__);
    assert_null(d);
}

/* Every kind of refusal names the place. */
static void refusals(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a: 1\nb: &x 2\n", "f.yaml:2:4: anchors"},
        {"a: &x [1]\n", "f.yaml:1:4: anchors"},
        {"a: &x {b: 1}\n", "f.yaml:1:4: anchors"},
        {"&k a: 1\n", "f.yaml:1:1: anchors"},
        {"a: 1\nb:\n  - *x\n", "f.yaml:3:5: aliases"},
        {"*k : 1\n", "f.yaml:1:1: aliases"},
        {"a: !!str 1\n", "f.yaml:1:4: tags"},
        {"a: !own [1]\n", "f.yaml:1:4: tags"},
        {"a: !own {b: 1}\n", "f.yaml:1:4: tags"},
        {"!own k: 1\n", "f.yaml:1:1: tags"},
        {"a:\n  b: 1\n  c: 2\n  b: 3\n", "f.yaml:4:3: duplicate key \"b\" (first on line 2)"},
        {"a:\n  b: 1\na: 2\n", "f.yaml:3:1: duplicate key \"a\" (first on line 1)"},
        {"{a: 1, 'a': 2}\n", "f.yaml:1:8: duplicate key \"a\""},
        {"a: 1\n<<: {b: 1}\n<<: {c: 1}\n", "f.yaml:3:1: duplicate key \"<<\""},
        {"a: 1\n---\nb: 2\n", "f.yaml:3:1: a second document"},
        {"[a]: 1\n", "f.yaml:1:1: a key must be plain text"},
        {"? {a: 1}\n: 2\n", "f.yaml:1:3: a key must be plain text"},
        {"a: \"x\\0y\"\n", "f.yaml:1:4: a NUL byte"},
        {"\"x\\0y\": 1\n", "f.yaml:1:1: a NUL byte"},
        {"a: [1, 2\n", "f.yaml:2:1: "},
        {"a: 1\n b: 2\n", "f.yaml:2:3: mapping values are not allowed"},
        {"a:\n\tb: 1\n", "f.yaml:2:1: found character that cannot start any token"},
        {"a: 'open\n", "f.yaml:2:1: found unexpected end of stream"},
        {"a: 1\nb: \xff\n", "f.yaml:2:4: invalid leading UTF-8 octet"},
        {"a: \xc3\xa4 \xc3\n", "f.yaml:1:7: invalid trailing UTF-8 octet"},
        {"a: \xed\xa0\x80\n", "f.yaml:1:4: invalid Unicode character"},
        {"a: \xc0\x80\n", "f.yaml:1:4: invalid length of a UTF-8 sequence"},
        {"a: 1\nb: \x07\n", "f.yaml:2:4: control characters are not allowed"},
        {"a: 1\n...\nb\n", "f.yaml:3:1: "},
        {"", "f.yaml: empty"},
        {"# only words\n", "f.yaml: empty"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_refusal(cases[i][0], cases[i][1]);
}

static void nul_in_the_file(void **state)
{
    (void)state;
    struct doc *d = NULL;
    FAILS(ERR_USAGE, "f.yaml:1:4: control characters", doc_yaml(&d, "f.yaml", "a: \0b\n", 6));
}

static void levels(void **state)
{
    (void)state;
    OWN_BUF struct buf deep = {0}, fits = {0};
    OWN_DOC struct doc *d = NULL;
    for (int i = 0; i < 64; i++)
        OK(buf_str(&fits, "["));
    OK(buf_str(&fits, "x"));
    for (int i = 0; i < 64; i++)
        OK(buf_str(&fits, "]"));
    OK(read_yaml(&d, fits.at));
    for (int i = 0; i < 100000; i++) /* far more than any stack has room for */
        OK(buf_str(&deep, "["));
    expect_refusal(deep.at, "f.yaml:1:66: more than 64 levels");
    buf_done(&deep);
    for (int i = 0; i < 70; i++)
        OK(buf_fmt(&deep, "%*sk:\n", i, ""));
    expect_refusal(deep.at, "f.yaml:66:66: more than 64 levels");
}

static void expect_kind(const struct doc *d, const char *key, enum doc_kind kind, const char *text)
{
    const struct doc *v = doc_get(d, key);
    assert_non_null(v);
    assert_int_equal(v->kind, kind);
    assert_string_equal(v->text, text);
}

/* Only what the header says is anything but text: no yes/no, no octal, no dates (YAML 1.1's surprises). */
static void scalars(void **state)
{
    (void)state;
    OWN_DOC struct doc *d = NULL;
    OK(read_yaml(&d, "t: true\nf: false\ni: -42\nz: 0\nn: null\ntilde: ~\nempty:\nquoted: \"true\"\nsingle: '42'\n"
                     "no: no\nupper: True\noctal: 010\nhex: 0x10\nreal: 1.5\nplus: +1\nhuge: 9223372036854775808\n"
                     "version: 1.30\nfolded: >\n  a\n  b\nblank: ''\nminus0: -0\nmac: 1:2\n"));
    expect_kind(d, "t", DOC_BOOL, "true");
    expect_kind(d, "f", DOC_BOOL, "false");
    expect_kind(d, "i", DOC_INT, "-42");
    expect_kind(d, "z", DOC_INT, "0");
    expect_kind(d, "n", DOC_NULL, "null");
    expect_kind(d, "tilde", DOC_NULL, "null");
    expect_kind(d, "empty", DOC_NULL, "null");
    static const char *const texts[][2] = {
        {"quoted", "true"},  {"single", "42"},    {"no", "no"},
        {"upper", "True"},   {"octal", "010"},    {"hex", "0x10"},
        {"real", "1.5"},     {"plus", "+1"},      {"huge", "9223372036854775808"},
        {"version", "1.30"}, {"folded", "a b\n"}, {"blank", ""},
        {"minus0", "-0"},    {"mac", "1:2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        expect_kind(d, texts[i][0], DOC_STRING, texts[i][1]);
    assert_int_equal(doc_int(d, "i", 0), -42);
    assert_true(doc_bool(d, "t", false) && !doc_bool(d, "f", true) && doc_bool(d, "missing", true));
    assert_null(doc_text(d, "n"));
}

static void places(void **state)
{
    (void)state;
    OWN_DOC struct doc *d = NULL;
    OK(read_yaml(&d, "# first\na:\n  b: [x,\n      y]\n\xc3\xa4: z\nnone:\nlast: 1\n"));
    const struct doc *y = doc_path(d, "a.b")->last;
    assert_int_equal(y->line, 4);
    assert_int_equal(y->col, 7);
    const struct doc *z = doc_get(d, "\xc3\xa4");
    assert_int_equal(z->line, 5);
    assert_int_equal(z->col, 4); /* characters, not bytes */
    assert_int_equal(doc_get(d, "none")->line, 6);
    FAILS(ERR_REFUSED, "f.yaml:4:7: not y", doc_err(ERR_REFUSED, y, "not %s", "y"));
}

static void streams(void **state)
{
    (void)state;
    OWN_DOC struct doc *all = NULL, *none = NULL;
    static const char text[] = "---\na: 1\n---\n# nothing\n---\n- 2\n...\n---\nnull\n";
    OK(doc_yaml_all(&all, "m.yaml", text, sizeof text - 1));
    assert_int_equal(doc_len(all), 2);
    assert_int_equal(doc_int(all->child, "a", 0), 1);
    assert_int_equal(all->last->kind, DOC_LIST);
    FAILS(ERR_USAGE, "m.yaml:6:3: here", doc_err(ERR_USAGE, all->last->child, "here"));
    OK(doc_yaml_all(&none, "m.yaml", "", 0));
    assert_int_equal(doc_len(none), 0);
    OWN_DOC struct doc *nothing = NULL;
    OK(doc_yaml_all(&nothing, "m.yaml", NULL, 0)); /* what an empty buffer holds */
    assert_int_equal(doc_len(nothing), 0);
    struct doc *no = NULL;
    FAILS(ERR_USAGE, "m.yaml: empty", doc_yaml(&no, "m.yaml", NULL, 0));
}

static void byte_order_mark(void **state)
{
    (void)state;
    OWN_DOC struct doc *d = NULL;
    OK(read_yaml(&d, "\xef\xbb\xbf"
                     "a: 1\r\nb: 2\r\n"));
    assert_int_equal(doc_int(d, "a", 0), 1);
    assert_int_equal(doc_int(d, "b", 0), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),        cmocka_unit_test(nul_in_the_file), cmocka_unit_test(levels),
        cmocka_unit_test(scalars),         cmocka_unit_test(places),          cmocka_unit_test(streams),
        cmocka_unit_test(byte_order_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
