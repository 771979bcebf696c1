/* The client against a real etcd and kube-apiserver. No controllers run: nothing becomes ready that needs one. */
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "http/serve.h"
#include "kube/common.h"
#include "kube/nodes.h"

#include <fcntl.h>

static struct serve server;
static const char *no_server;
static char url[300];
static char *ca, *cert, *key;

static char *slurp(const char *name)
{
    struct buf b = {0};
    OWN_FREE char *path = str_fmt("%s/%s", server.dir, name);
    OK(file_read(&b, AT_FDCWD, path));
    return buf_take(&b);
}

static int setup(void **state)
{
    (void)state;
    no_server = serve_start(&server, SOURCE_DIR "/tests/kube/apiserver.py");
    if (no_server)
        return 0;
    if (str_starts(server.line, "skip")) {
        no_server = server.line;
        return 0;
    }
    if (!str_starts(server.line, "port ")) {
        print_error("%s\n", server.line);
        return 1;
    }
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%s", server.line + 5);
    ca = slurp("ca.pem");
    cert = slurp("client.pem");
    key = slurp("client.key");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (server.pid > 0)
        serve_stop(&server);
    free(ca);
    free(cert);
    free(key);
    return 0;
}

/* What is not found is looked for again so long: its kind may be new. */
static struct kube *client_for(int64_t retry_ms)
{
    struct kube *k = NULL;
    if (no_server) {
        print_message("%s\n", no_server);
        skip();
    }
    OK(kube_new(&k,
                &(struct kube_server){.url = url, .ca_pem = ca, .cert_pem = cert, .key_pem = key, .retry_ms = retry_ms},
                NULL));
    return k;
}

static struct kube *client(void)
{
    return client_for(10000);
}

static void test_ready(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client();
    OK(kube_ready(k, "/readyz", clock_ms() + 60000));
}

static void test_apply_changes_only_our_fields(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client();
    OWN_DOC struct doc *ns = named("v1", "Namespace", NULL, "test"), *stored = NULL, *again = NULL;
    OWN_DOC struct doc *map =
        yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: test}, data: {a: '1'}}");
    OK(kube_apply(k, ns, NULL));
    OK(kube_wait(k, ns, clock_ms() + 60000));
    OK(kube_apply(k, map, &stored));
    assert_string_equal(doc_text(stored, "data.a"), "1");
    OK(kube_apply(k, map, &again));
    assert_string_equal(doc_text(again, "metadata.resourceVersion"), doc_text(stored, "metadata.resourceVersion"));
    OWN_DOC struct doc *other =
        yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: other, b: '2'}}");
    OWN_DOC struct doc *answer = NULL, *live = NULL;
    long status = 0;
    OK(kube_call(k, "PATCH", "/api/v1/namespaces/test/configmaps/c", "application/merge-patch+json", other, &status,
                 &answer));
    assert_int_equal(status, 200);
    OK(kube_apply(k, map, NULL));
    OK(kube_get_object(k, &live, map));
    assert_string_equal(doc_text(live, "data.a"), "1"); /* ours again, by force */
    assert_string_equal(doc_text(live, "data.b"), "2"); /* not ours, left alone */
}

static void test_errors_of_the_api(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client();
    OWN_DOC struct doc *bad =
        yaml("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: test}, spec: "
             "{replicas: 1, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {x: y}}, "
             "spec: {containers: [{name: c, image: i}]}}}}");
    FAILS(ERR_FAILED, "apply Deployment test/d: HTTP 422 Invalid: Deployment.apps \"d\" is invalid",
          kube_apply(k, bad, NULL));
    OWN_DOC struct doc *lost = named("v1", "ConfigMap", "nowhere", "c");
    FAILS(ERR_FAILED, "HTTP 404 NotFound: namespaces \"nowhere\" not found", kube_apply(k, lost, NULL));
    OWN_DOC struct doc *typo =
        yaml("{apiVersion: v1, kind: Service, metadata: {name: s, namespace: test}, spec: {prots: []}}");
    struct err *e = kube_apply(k, typo, NULL);
    assert_non_null(e);
    FAILS(ERR_FAILED, "prots", e);
}

static void test_strangers_are_refused(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *mine = client();
    OWN(kube_freep) struct kube *k = NULL;
    OWN_DOC struct doc *got = NULL;
    OK(kube_new(&k, &(struct kube_server){.url = url, .ca_pem = ca, .retry_ms = -1}, NULL));
    FAILS(ERR_REFUSED, "HTTP 403 Forbidden", kube_get(k, &got, "/api/v1/secrets"));
    assert_non_null(mine);
}

static void test_crd_and_its_object(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client_for(60000);
    OWN_DOC struct doc *crd = yaml(
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: boxes.test.dev}, spec: "
        "{group: test.dev, scope: Namespaced, names: {plural: boxes, singular: box, kind: Box}, versions: [{name: v1, "
        "served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: "
        "true}}}]}}");
    OWN_DOC struct doc *box =
        yaml("{apiVersion: test.dev/v1, kind: Box, metadata: {name: b, namespace: test}, spec: {size: 3}}");
    OWN_DOC struct doc *live = NULL;
    OK(kube_apply(k, crd, NULL));
    OK(kube_apply(k, box, NULL)); /* at once: its kind is waited for */
    OK(kube_wait(k, crd, clock_ms() + 60000));
    OK(kube_get_object(k, &live, box));
    assert_int_equal(doc_int(live, "spec.size", 0), 3);
    OK(kube_delete(k, box, "Background"));
    OK(kube_wait_gone(k, box, clock_ms() + 60000));
    OK(kube_delete(k, crd, "Background"));
    OK(kube_wait_gone(k, crd, clock_ms() + 60000));
}

static void test_wait_names_what_is_missing(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client();
    OWN_DOC struct doc *ds =
        yaml("{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: ds, namespace: test}, spec: {selector:"
             " {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: "
             "c, image: i}]}}}}");
    OK(kube_apply(k, ds, NULL));
    FAILS(ERR_FAILED, "DaemonSet test/ds is not ready: InProgress: not seen", kube_wait(k, ds, clock_ms() + 600));
}

static void test_node_patch(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client();
    OWN_DOC struct doc *node = kube_node("n"), *stored = NULL, *live = NULL;
    OWN_DOC struct doc *labels = yaml("{metadata: {labels: {a: '1', b: '2'}}}");
    OWN_DOC struct doc *cordon = yaml("{metadata: {labels: {a: null}}, spec: {unschedulable: true}}");
    OWN_DOC struct doc *one = yaml("{spec: {taints: [{key: one, effect: NoSchedule}]}}");
    OWN_DOC struct doc *two = yaml("{spec: {taints: [{key: two, effect: NoSchedule}]}}");
    bool other = false;
    OK(kube_node_patch(k, "n", cordon, 404, &other));
    assert_true(other);
    FAILS(ERR_FAILED, "n: HTTP 404 NotFound", kube_node_patch(k, "n", cordon, 409, &other));
    OK(kube_apply(k, node, &stored));
    OK(kube_node_patch(k, "n", labels, 404, &other));
    assert_false(other);
    OK(kube_node_patch(k, "n", cordon, 404, &other));
    OK(kube_node_patch(k, "n", one, 0, &other));
    OK(kube_node_patch(k, "n", two, 0, &other));
    doc_set(doc_set(one, "metadata", doc_new_map()), "resourceVersion",
            doc_clone(doc_path(stored, "metadata.resourceVersion")));
    OK(kube_node_patch(k, "n", one, 409, &other)); /* made of a node that others have changed since */
    assert_true(other);
    OK(kube_get_object(k, &live, node));
    assert_null(doc_path(live, "metadata.labels.a"));
    assert_string_equal(doc_text(live, "metadata.labels.b"), "2");
    assert_true(doc_bool(live, "spec.unschedulable", false));
    assert_null(doc_find(doc_path(live, "spec.taints"), "key", "one")); /* the API merges no taints */
    assert_non_null(doc_find(doc_path(live, "spec.taints"), "key", "two"));
}

static void test_inventory_and_prune(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client();
    OWN_DOC struct doc *before = doc_new_list(), *after = doc_new_list(), *plan = NULL, *stored = NULL, *live = NULL;
    OWN_DOC struct doc *role = yaml("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: "
                                    "'caisson:test'}, rules: []}");
    OWN_DOC struct doc *ns = named("v1", "Namespace", NULL, "test");
    OWN_DOC struct doc *system = named("v1", "Namespace", NULL, "kube-system");
    OK(kube_apply(k, role, NULL));
    OK(kube_wait(k, system, clock_ms() + 90000));
    inventory_add(before, ns, NULL);
    inventory_add(before, role, "x");
    OK(kube_inventory_put(k, before));
    OK(kube_inventory_get(k, &stored));
    assert_true(doc_equal(before, stored));
    plan = prune_plan(stored, after, 0);
    OK(kube_prune(k, plan));
    OK(kube_get_object(k, &live, role));
    assert_null(live);
    OK(kube_get_object(k, &live, ns));
    assert_non_null(live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready),
        cmocka_unit_test(test_apply_changes_only_our_fields),
        cmocka_unit_test(test_errors_of_the_api),
        cmocka_unit_test(test_strangers_are_refused),
        cmocka_unit_test(test_crd_and_its_object),
        cmocka_unit_test(test_wait_names_what_is_missing),
        cmocka_unit_test(test_node_patch),
        cmocka_unit_test(test_inventory_and_prune),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
