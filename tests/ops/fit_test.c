/* Which version of Kubernetes may follow which: bad-input row 29. What is asked of whole bundles:
 * tests/cli/badinput_test.sh.
 */
#include "check.h"
#include "ops/fit.h"

static struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    OK(doc_yaml(&d, "t", text, strlen(text)));
    return d;
}

/* On record is p/m at 0.1, and p/old at 0.9 of a time before; the release is of p and this profile. */
static void upgrades(void **state)
{
    (void)state;
    static const struct {
        const char *m, *old, *profile;
        int sequence;
        const char *to;
        bool good;
    } rows[] = {
        {"1.36.3", NULL, "m", 2, "{version: 1.36.4, upgradeFrom: []}", true},
        {"1.36.3", NULL, "m", 2, "{version: v1.36.0, upgradeFrom: []}", true},
        {"1.35.9", NULL, "m", 2, "{version: 1.36.4, upgradeFrom: [\"1.34\", \"1.35\"]}", true},
        {"1.34.9", NULL, "m", 2, "{version: 1.36.4, upgradeFrom: [\"1.35\"]}", false},
        {"1.3.9", NULL, "m", 2, "{version: 1.36.4, upgradeFrom: [\"1.35\"]}", false},
        {"1.37.0", NULL, "m", 2, "{version: 1.36.4, upgradeFrom: [\"1.35\"]}", false},
        {"1.37.0", NULL, "m", 0, "{version: 1.36.4, upgradeFrom: [\"1.35\"]}", true},  /* an allowed return */
        {NULL, "1.37.0", "m", 0, "{version: 1.36.4, upgradeFrom: [\"1.35\"]}", false}, /* not from what runs now */
        {"1.36.3", NULL, "new", 0, "{version: 1.36.4, upgradeFrom: []}", true},        /* another profile */
        {"1.34.9", NULL, "new", 5, "{version: 1.36.4, upgradeFrom: [\"1.35\"]}", false},
        {"1.37.0", NULL, "new", 5, "{version: 1.36.4, upgradeFrom: [\"1.35\"]}", false},
        {"1.9.1", "1.37.0", "m", 2, "{version: 1.36.4, upgradeFrom: [\"1.9\"]}", false}, /* the newest counts */
        {"1.36.3", "1.9.0", "new", 5, "{version: 1.36.4, upgradeFrom: []}", true},
        {NULL, NULL, "m", 2, "{version: 1.36.4}", true}, /* a profile without Kubernetes */
        {"1.36.3", NULL, "m", 2, "{}", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN_DOC struct doc *map = yaml("{p/m: {product: p, profile: m, epoch: 0, sequence: 1}, p/old: {product: p, "
                                       "profile: old, epoch: 0, sequence: 9}}");
        OWN_FREE char *text = str_fmt("{product: p, profile: %s, epoch: 0, sequence: %d, kubernetes: %s}",
                                      rows[i].profile, rows[i].sequence, rows[i].to);
        OWN_DOC struct doc *head = yaml(text);
        if (rows[i].m)
            doc_set_text(doc_get(map, "p/m"), "kubernetes", rows[i].m);
        if (rows[i].old)
            doc_set_text(doc_get(map, "p/old"), "kubernetes", rows[i].old);
        print_message("row %zu\n", i);
        if (rows[i].good)
            OK(fit_upgrade(map, head));
        else
            FAILS(ERR_UNTRUSTED, "E_REQUIRES: Kubernetes 1.36.4 cannot follow", fit_upgrade(map, head));
    }
}

/* A change of profile keeps product and channel, unless cluster.yaml says otherwise. */
static void another_kind(void **state)
{
    (void)state;
    static const struct {
        const char *head, *product, *channel, *refused;
    } rows[] = {
        {"{product: p, profile: m, channel: stable}", NULL, NULL, NULL},
        {"{product: p, profile: new, channel: stable}", NULL, NULL, NULL},
        {"{product: p, profile: new, channel: beta}", NULL, NULL, "E_PRODUCT: b is a bundle of channel \"beta\""},
        {"{product: p, profile: new, channel: beta}", NULL, "beta", NULL},
        {"{product: q, profile: m, channel: stable}", NULL, NULL, "E_PRODUCT: b is a bundle of product \"q\""},
        {"{product: q, profile: m, channel: beta}", "q", NULL, NULL},
    };
    OWN_DOC struct doc *map = yaml("{p/m: {product: p, profile: m, channel: stable, epoch: 0, sequence: 1}}");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN_DOC struct doc *head = yaml(rows[i].head);
        struct cluster c = {.file = "f", .release = "b", .product = rows[i].product, .channel = rows[i].channel};
        struct context x = {.cluster = &c, .floors = map, .release = {.head = head}};
        if (rows[i].refused)
            FAILS(ERR_UNTRUSTED, rows[i].refused, fit_cluster(&x));
        else
            OK(fit_cluster(&x));
    }
}

static void platforms(void **state)
{
    (void)state;
    assert_string_equal(fit_platform("x86_64"), "linux/amd64");
    assert_string_equal(fit_platform("aarch64"), "linux/arm64");
    assert_string_equal(fit_platform("riscv64"), "riscv64");
}

/* Row 29, a wrong platform: one machine of the fleet is enough. */
static void wrong_machine(void **state)
{
    (void)state;
    struct host hosts[] = {{.name = "cp-1"}, {.name = "w-1"}};
    OWN_DOC struct doc *one = doc_new_map(), *two = doc_new_map(), *head = doc_new_map();
    struct member at[] = {{.host = &hosts[0], .state = one}, {.host = &hosts[1], .state = two}};
    struct context x = {.release = {.head = head}};
    struct fleet f = {.x = &x, .at = at, .n = 2};
    doc_add_text(doc_set(head, "platforms", doc_new_list()), "linux/amd64");
    doc_set_text(one, "arch", "x86_64");
    doc_set_text(two, "arch", "x86_64");
    OK(fit_machines(&f));
    doc_set_text(two, "arch", "aarch64");
    FAILS(ERR_UNTRUSTED, "w-1: E_PLATFORM: the release is for linux/amd64, the machine is linux/arm64",
          fit_machines(&f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(upgrades), cmocka_unit_test(another_kind),
                                       cmocka_unit_test(platforms), cmocka_unit_test(wrong_machine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
