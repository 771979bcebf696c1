/* What a drain does with each pod. */
#include "kube/drain.h"

#include "../check.h"

#define POD(name, more) "{metadata: {namespace: a, name: " name more "}}"
#define OWNED(kind) ", ownerReferences: [{kind: " kind ", controller: true}]"

/* "evict a/x, leave a/y" of a plan over one list of pods. */
static void plan_is(const char *pods, const char *want)
{
    OWN_FREE char *text = str_fmt("{items: [%s]}", pods);
    OWN_DOC struct doc *list = NULL;
    OWN_BUF struct buf got = {0};
    assert_non_null(text);
    OK(doc_yaml(&list, "pods", text, strlen(text)));
    OWN_DOC struct doc *plan = drain_plan(list);
    DOC_EACH (s, plan)
        OK(buf_fmt(&got, "%s%s %s/%s", got.len ? ", " : "", doc_text(s, "action"), doc_text(s, "namespace"),
                   doc_text(s, "name")));
    assert_string_equal(buf_text(&got), want);
}

static void test_plan(void **state)
{
    (void)state;
    plan_is("", "");
    plan_is(POD("x", OWNED("ReplicaSet")), "evict a/x");
    plan_is(POD("x", OWNED("DaemonSet")), "leave a/x");
    plan_is(POD("x", ", ownerReferences: [{kind: ReplicaSet}]"), "refuse a/x"); /* an owner, but no controller */
    plan_is(POD("x", ", annotations: {kubernetes.io/config.mirror: abc}"), "leave a/x");
    plan_is(POD("x", ""), "refuse a/x");
    plan_is(POD("x", ", deletionTimestamp: now"), "evict a/x"); /* is going: only waited for */
    plan_is("{metadata: {namespace: a, name: x}, status: {phase: Succeeded}}", "leave a/x");
    plan_is("{metadata: {namespace: a, name: x}, status: {phase: Failed}}", "leave a/x");
    plan_is(POD("x", OWNED("StatefulSet")) ", " POD("y", OWNED("DaemonSet")) ", " POD("z", OWNED("Job")),
            "evict a/x, leave a/y, evict a/z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
