/* What may follow what: bad-input rows 26 and 27, and the way back that is signed for. */
#include "check.h"
#include "wire/floor.h"

static struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    OK(doc_yaml(&d, "t", text, strlen(text)));
    return d;
}

static struct doc *record(int epoch, int64_t sequence, const char *digest, int root, const char *back)
{
    OWN_FREE char *text = str_fmt(
        "{product: p, profile: m, channel: stable, version: v1, epoch: %d, sequence: %lld, digest: \"sha256:%s\", "
        "root: %d, issued: \"2026-01-01T00:00:00Z\", rollbackTo: %s}",
        epoch, (long long)sequence, digest, root, back);
    assert_non_null(text);
    return yaml(text);
}

#define BACK "[{epoch: 0, sequence: 3}, {epoch: 1, sequence: 1}]"
#define BIG (INT64_C(1) << 53)

/* The release seen is 1.5, digest aa, root document 2, which allows a return to 0.3 and 1.1. */
static const struct {
    const char *what;
    int epoch;
    int64_t sequence;
    const char *digest;
    int root;
    const char *allow; /* by the operator */
    const char *refused;
} rows[] = {
    {"the same", 1, 5, "aa", 2, "[]", NULL},
    {"the next", 1, 6, "bb", 2, "[]", NULL},
    {"the next, with a newer root document", 1, 6, "bb", 3, "[]", NULL},
    {"the farthest", 1, 10005, "bb", 2, "[]", NULL},
    {"too far", 1, 10006, "bb", 2, "[]", "E_FASTFORWARD: sequence 10006 of p/m is more than 10000 above 5"},
    {"as far as it goes", 1, BIG - 1, "bb", 2, "[]", "E_FASTFORWARD"},
    {"a new epoch begins anywhere", 2, BIG - 1, "bb", 2, "[]", NULL},
    {"a new epoch may begin low", 2, 0, "bb", 2, "[]", NULL},
    {"another one of the same number", 1, 5, "bb", 2, "[]", "E_ROLLBACK: another release 1.5 of p/m"},
    {"another one, and allowed", 1, 5, "bb", 2, "[{epoch: 1, sequence: 5}]", "E_ROLLBACK: another release"},
    {"a lower sequence", 1, 4, "bb", 2, "[]", "E_ROLLBACK: release 1.4 of p/m is older than 1.5"},
    {"a lower epoch, however high the sequence", 0, BIG - 1, "bb", 2, "[]", "E_ROLLBACK"},
    {"back, only the operator", 1, 4, "bb", 2, "[{epoch: 1, sequence: 4}]", "E_ROLLBACK"},
    {"back, only the publisher", 1, 1, "bb", 2, "[]", "E_ROLLBACK"},
    {"back, the operator meant another one", 1, 1, "bb", 2, "[{epoch: 0, sequence: 3}]", "E_ROLLBACK"},
    {"back, both", 1, 1, "bb", 2, "[{epoch: 1, sequence: 1}]", NULL},
    {"back over an epoch, both", 0, 3, "bb", 2, "[{epoch: 9, sequence: 9}, {epoch: 0, sequence: 3}]", NULL},
    {"an older chain", 1, 6, "bb", 1, "[]", "E_ROOT_CHAIN: it ends with root document 1 of p; document 2 was seen"},
    {"an older chain in the same release", 1, 5, "aa", 1, "[]", "E_ROOT_CHAIN"},
    {"an older chain, and back by both", 1, 1, "bb", 1, "[{epoch: 1, sequence: 1}]", "E_ROOT_CHAIN"},
};

static void transitions(void **state)
{
    (void)state;
    OWN_DOC struct doc *seen = record(1, 5, "aa", 2, BACK), *none = doc_new_map(), *map = doc_new_map();
    floor_set(map, seen);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN_DOC struct doc *next = record(rows[i].epoch, rows[i].sequence, rows[i].digest, rows[i].root, "[]");
        OWN_DOC struct doc *allow = yaml(rows[i].allow);
        print_message("%s\n", rows[i].what);
        OK(floor_check(none, next, allow));
        if (rows[i].refused)
            FAILS(ERR_UNTRUSTED, rows[i].refused, floor_check(map, next, allow));
        else
            OK(floor_check(map, next, allow));
        bool far = rows[i].refused && str_starts(rows[i].refused, "E_FASTFORWARD");
        if (far || !rows[i].refused) /* who has missed some is not the judge of distance */
            OK(floor_check_not_back(map, next, allow));
        else
            FAILS(ERR_UNTRUSTED, rows[i].refused, floor_check_not_back(map, next, allow));
    }
}

/* The way out says what would be enough. */
static void hints(void **state)
{
    (void)state;
    OWN_DOC struct doc *seen = record(1, 5, "aa", 2, BACK), *map = doc_new_map();
    floor_set(map, seen);
    static const struct {
        int sequence;
        const char *hint;
    } want[] = {{1, "--allow-rollback 1.1"}, {4, "release 1.5 does not name 1.4"}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        OWN_DOC struct doc *next = record(1, want[i].sequence, "bb", 2, "[]");
        struct err *e = floor_check(map, next, NULL);
        assert_non_null(e);
        assert_non_null(strstr(err_hint_text(e), want[i].hint));
        err_free(e);
    }
}

static void set_time(struct doc *r, const char *time)
{
    doc_set_text(r, "issued", time);
}

static void what_is_kept(void **state)
{
    (void)state;
    OWN_DOC struct doc *map = doc_new_map(), *high = record(1, 5, "aa", 2, BACK), *low = record(1, 1, "bb", 2, "[]");
    set_time(high, "2026-05-05T00:00:00Z");
    assert_null(floor_find(map, high));
    floor_set(map, high);
    assert_true(floor_is_same(floor_find(map, high), high));
    assert_false(floor_is_same(floor_find(map, high), low));
    /* after an allowed return the position is exactly that, and the newest time and root document stay */
    floor_set(map, low);
    const struct doc *now = floor_find(map, low);
    assert_int_equal(doc_len(map), 1);
    assert_int_equal(doc_int(now, "sequence", 0), 1);
    assert_string_equal(doc_text(now, "issued"), "2026-05-05T00:00:00Z");
    assert_int_equal(doc_len(doc_get(now, "rollbackTo")), 0);
    /* a newer chain alone is worth remembering */
    OWN_DOC struct doc *chain = record(1, 1, "bb", 3, "[]");
    assert_false(floor_is_same(now, chain));
    OK(floor_check_form(map));
}

static void highest_wins(void **state)
{
    (void)state;
    OWN_DOC struct doc *map = doc_new_map(), *one = doc_new_map(), *two = doc_new_map(),
                       *r = record(0, 7, "aa", 3, "[]"), *s = record(1, 2, "bb", 2, "[]"),
                       *other = record(0, 1, "cc", 1, "[]");
    doc_set_text(other, "profile", "addon");
    set_time(r, "2027-01-01T00:00:00Z");
    floor_set(one, r);
    floor_set(two, s);
    floor_set(two, other);
    for (int i = 0; i < 2; i++) { /* in any order, and again */
        OK(floor_merge(map, i ? one : two));
        OK(floor_merge(map, i ? two : one));
        assert_int_equal(doc_len(map), 2);
        assert_int_equal(doc_int(floor_find(map, s), "epoch", 0), 1);
        assert_int_equal(doc_int(floor_find(map, s), "root", 0), 3);
        assert_int_equal(doc_int(floor_find(map, other), "root", 0), 3);
        assert_string_equal(doc_text(floor_find(map, s), "issued"), "2027-01-01T00:00:00Z");
        assert_int_equal(floor_newest(map), 1798761600);
        assert_string_equal(doc_text(floor_find(map, other), "digest"), "sha256:cc");
    }
}

/* Root documents are the product's: no other profile or add-on brings an older chain in, and no other product minds. */
static void one_chain_of_a_product(void **state)
{
    (void)state;
    OWN_DOC struct doc *map = doc_new_map(), *base = record(1, 5, "aa", 3, "[]"), *addon = record(0, 1, "bb", 2, "[]");
    assert_int_equal(floor_newest(map), 0);
    doc_set_text(addon, "profile", "addon");
    floor_set(map, addon);
    OK(floor_check_root(map, base));
    floor_set(map, base);
    assert_int_equal(doc_int(floor_find(map, addon), "root", 0), 3);
    static const char old[] = "E_ROOT_CHAIN: it ends with root document 2 of p; document 3 was seen";
    FAILS(ERR_UNTRUSTED, old, floor_check_root(map, addon));
    FAILS(ERR_UNTRUSTED, old, floor_check(map, addon, NULL));
    doc_set_text(addon, "profile", "never-seen");
    FAILS(ERR_UNTRUSTED, old, floor_check_not_back(map, addon, NULL));
    doc_set_text(addon, "product", "q");
    OK(floor_check(map, addon, NULL));
}

/* Two releases of one position: nobody can say which was here. */
static void conflicts(void **state)
{
    (void)state;
    OWN_DOC struct doc *one = doc_new_map(), *two = doc_new_map(), *r = record(0, 7, "aa", 1, "[]"),
                       *twin = record(0, 7, "bb", 1, "[]");
    floor_set(one, r);
    floor_set(two, twin);
    FAILS(ERR_UNTRUSTED, "E_ROLLBACK: another release 0.7 of p/m than the one seen before, sha256:aa",
          floor_merge(one, two));
    assert_string_equal(doc_text(floor_find(one, r), "digest"), "sha256:aa");
}

static void forms(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[]",
        "{p/m: 1}",
        "{p/m: {}}",
        "{p/x: {product: p, profile: m, channel: c, version: v, epoch: 0, sequence: 0, digest: d, root: 1, issued: "
        "\"2026-01-01T00:00:00Z\", rollbackTo: []}}",
        "{p/m: {product: p, profile: m, channel: c, version: v, epoch: 0, sequence: 0, digest: d, root: 1, issued: "
        "\"2026-02-30T00:00:00Z\", rollbackTo: []}}",
        "{p/m: {product: p, profile: m, channel: c, version: v, epoch: -1, sequence: 0, digest: d, root: 1, issued: "
        "\"2026-01-01T00:00:00Z\", "
        "rollbackTo: []}}",
        "{p/m: {product: p, profile: m, channel: c, version: v, epoch: 0, sequence: 0, digest: d, root: 1, issued: "
        "\"2026-01-01T00:00:00Z\", "
        "rollbackTo: [{epoch: 0}]}}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        OWN_DOC struct doc *d = yaml(bad[i]);
        struct err *e = floor_check_form(d);
        assert_non_null(e);
        assert_int_equal(err_kind(e), ERR_UNTRUSTED);
        err_free(e);
    }
    OWN_DOC struct doc *none = doc_new_map();
    OK(floor_check_form(none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(transitions),
                                       cmocka_unit_test(hints),
                                       cmocka_unit_test(what_is_kept),
                                       cmocka_unit_test(highest_wins),
                                       cmocka_unit_test(one_chain_of_a_product),
                                       cmocka_unit_test(conflicts),
                                       cmocka_unit_test(forms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
