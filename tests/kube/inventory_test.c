/* What pruning would delete and keep. */
#include "kube/inventory.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    assert_null(doc_yaml(&d, "test", text, strlen(text)));
    return d;
}

/* "delete ConfigMap a/b, keep Namespace n" of a plan. */
static void plan_is(const char *before, const char *after, unsigned allow, const char *want)
{
    OWN_DOC struct doc *b = yaml(before), *a = yaml(after);
    OWN_DOC struct doc *plan = prune_plan(b, a, allow);
    OWN_BUF struct buf got = {0};
    DOC_EACH (s, plan) {
        const char *ns = doc_text(s, "namespace");
        assert_null(buf_fmt(&got, "%s%s %s %s%s%s", got.len ? ", " : "", doc_text(s, "action"), doc_text(s, "kind"),
                            ns ? ns : "", ns ? "/" : "", doc_text(s, "name")));
    }
    assert_string_equal(buf_text(&got), want);
}

#define CM(name) "{apiVersion: v1, kind: ConfigMap, namespace: a, name: " name "}"
#define NAMESPACE "{apiVersion: v1, kind: Namespace, name: a}"
#define CRD_ENTRY "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, name: x.y}"
#define PVC_ENTRY "{apiVersion: v1, kind: PersistentVolumeClaim, namespace: a, name: data}"

static void test_plan(void **state)
{
    (void)state;
    plan_is("[]", "[]", 0, "");
    plan_is("[" CM("x") "]", "[" CM("x") "]", 0, "");
    plan_is("[]", "[" CM("x") "]", 0, "");
    plan_is("[" CM("x") ", " CM("y") ", " CM("z") "]", "[" CM("y") "]", 0,
            "delete ConfigMap a/z, delete ConfigMap a/x");
    plan_is("[" CM("x") "]", "[{apiVersion: v1, kind: ConfigMap, namespace: b, name: x}]", 0, "delete ConfigMap a/x");
    plan_is("[" CM("x") "]", "[{apiVersion: v1, kind: Secret, namespace: a, name: x}]", 0, "delete ConfigMap a/x");
}

static void test_precious_kinds_need_a_flag(void **state)
{
    (void)state;
    const char *all = "[" NAMESPACE ", " CRD_ENTRY ", " PVC_ENTRY "]";
    plan_is(all, "[]", 0, "keep PersistentVolumeClaim a/data, keep CustomResourceDefinition x.y, keep Namespace a");
    plan_is(all, "[]", PRUNE_CRDS,
            "keep PersistentVolumeClaim a/data, delete CustomResourceDefinition x.y, keep Namespace a");
    plan_is(all, "[]", PRUNE_CRDS | PRUNE_NAMESPACES | PRUNE_VOLUME_CLAIMS,
            "delete PersistentVolumeClaim a/data, delete CustomResourceDefinition x.y, delete Namespace a");
    plan_is("[{apiVersion: apiextensions.k8s.io/v1beta1, kind: CustomResourceDefinition, name: x.y}]", "[]", 0,
            "keep CustomResourceDefinition x.y");
    plan_is("[{apiVersion: example.dev/v1, kind: Namespace, name: a}]", "[]", 0, "delete Namespace a");
}

/* The same object under another version of its group is the same object. */
static void test_versions(void **state)
{
    (void)state;
    plan_is("[{apiVersion: policy/v1beta1, kind: PodDisruptionBudget, namespace: a, name: x}]",
            "[{apiVersion: policy/v1, kind: PodDisruptionBudget, namespace: a, name: x}]", 0, "");
    plan_is("[{apiVersion: extensions/v1beta1, kind: Ingress, namespace: a, name: x}]",
            "[{apiVersion: networking.k8s.io/v1, kind: Ingress, namespace: a, name: x}]", 0, "delete Ingress a/x");
    plan_is("[{apiVersion: v1, kind: Event, namespace: a, name: x}]",
            "[{apiVersion: events.k8s.io/v1, kind: Event, namespace: a, name: x}]", 0, "delete Event a/x");
}

static void test_entries(void **state)
{
    (void)state;
    OWN_DOC struct doc *list = doc_new_list();
    OWN_DOC struct doc *o =
        yaml("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: n}, spec: {}}");
    OWN_BUF struct buf text = {0};
    inventory_add(list, o, "abc");
    assert_null(doc_json_write(&text, list));
    assert_string_equal(buf_text(&text), "[{\"apiVersion\":\"apps/v1\",\"digest\":\"abc\",\"kind\":\"Deployment\","
                                         "\"name\":\"d\",\"namespace\":\"n\"}]");
    OWN_DOC struct doc *other = yaml("{apiVersion: apps/v2, kind: Deployment, namespace: n, name: d}");
    assert_ptr_equal(inventory_find(list, other), list->child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_precious_kinds_need_a_flag),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
