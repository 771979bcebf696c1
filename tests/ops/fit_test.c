/* Which version of Kubernetes may follow which: bad-input row 29. What is asked of whole bundles:
 * tests/cli/badinput_test.sh.
 */
#include "check.h"
#include "ops/fit.h"

static struct doc *json(const char *sequence, const char *rest)
{
    struct doc *d = NULL;
    OWN_FREE char *text = str_fmt("{\"epoch\":0,\"sequence\":%s,%s}", sequence, rest);
    OK(doc_json(&d, "t", text, strlen(text)));
    return d;
}

static void upgrades(void **state)
{
    (void)state;
    static const struct {
        const char *from, *sequence, *to;
        bool good;
    } rows[] = {
        {"1.36.3", "2", "{\"version\":\"1.36.4\",\"upgradeFrom\":[]}", true},
        {"1.36.3", "2", "{\"version\":\"v1.36.0\",\"upgradeFrom\":[]}", true},
        {"1.35.9", "2", "{\"version\":\"1.36.4\",\"upgradeFrom\":[\"1.34\",\"1.35\"]}", true},
        {"1.34.9", "2", "{\"version\":\"1.36.4\",\"upgradeFrom\":[\"1.35\"]}", false},
        {"1.3.9", "2", "{\"version\":\"1.36.4\",\"upgradeFrom\":[\"1.35\"]}", false},
        {"1.37.0", "2", "{\"version\":\"1.36.4\",\"upgradeFrom\":[\"1.35\"]}", false},
        {"1.37.0", "0", "{\"version\":\"1.36.4\",\"upgradeFrom\":[\"1.35\"]}", true}, /* a return that was allowed */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN_FREE char *was = str_fmt("\"kubernetes\":\"%s\"", rows[i].from),
                      *is = str_fmt("\"kubernetes\":%s", rows[i].to);
        OWN_DOC struct doc *seen = json("1", was), *head = json(rows[i].sequence, is);
        if (rows[i].good)
            OK(fit_upgrade(seen, head));
        else
            FAILS(ERR_UNTRUSTED, "E_REQUIRES: Kubernetes 1.36.4 cannot follow", fit_upgrade(seen, head));
    }
    OWN_DOC struct doc *none = json("1", "\"x\":1"), *head = json("2", "\"kubernetes\":{\"version\":\"1.36.4\"}");
    OK(fit_upgrade(none, head)); /* an add-on, or a profile without Kubernetes */
    OK(fit_upgrade(head, none));
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(upgrades), cmocka_unit_test(platforms),
                                       cmocka_unit_test(wrong_machine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
