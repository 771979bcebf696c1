/* The client against a mock that misbehaves on demand. */
#include "base/clock.h"
#include "base/str.h"
#include "http/serve.h"
#include "kube/common.h"

#include <unistd.h>

static struct serve server;
static const char *no_server;
static char url[300];

static int setup(void **state)
{
    (void)state;
    no_server = serve_start(&server, SOURCE_DIR "/tests/kube/mock.py");
    if (!no_server)
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%s", server.line);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (!no_server)
        serve_stop(&server);
    return 0;
}

static struct kube *client(int64_t retry_ms)
{
    struct kube *k = NULL;
    if (no_server) {
        print_message("%s\n", no_server);
        skip();
    }
    OK(kube_new(&k, &(struct kube_server){.url = url, .retry_ms = retry_ms}, NULL));
    return k;
}

static struct err *apply(struct kube *k, const char *name)
{
    OWN_DOC struct doc *o = named("v1", "ConfigMap", "default", name);
    return kube_apply(k, o, NULL);
}

static void test_paths(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client(1000);
    static const struct {
        const char *version, *kind, *ns, *name, *want;
    } rows[] = {
        {"v1", "ConfigMap", "kube-system", "a", "/api/v1/namespaces/kube-system/configmaps/a"},
        {"v1", "ConfigMap", NULL, "a", "/api/v1/namespaces/default/configmaps/a"},
        {"v1", "ConfigMap", "n", NULL, "/api/v1/namespaces/n/configmaps"},
        {"v1", "ConfigMap", NULL, NULL, "/api/v1/configmaps"},
        {"v1", "Namespace", "ignored", "a", "/api/v1/namespaces/a"},
        {"v1", "Node", NULL, NULL, "/api/v1/nodes"},
        {"apps/v1", "Deployment", "n", "d", "/apis/apps/v1/namespaces/n/deployments/d"},
        {"rbac.authorization.k8s.io/v1", "ClusterRole", NULL, "system:x y",
         "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:x%20y"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN_FREE char *path = NULL;
        OK(kube_path(k, &path, rows[i].version, rows[i].kind, rows[i].ns, rows[i].name));
        assert_string_equal(path, rows[i].want);
    }
    OWN_FREE char *path = NULL;
    const char *const evil[] = {"../nodes", "..", "a/b", "a%2fb", ""};
    for (size_t i = 0; i < ARRAY_LEN(evil); i++)
        FAILS(ERR_FAILED, "cannot be the name", kube_path(k, &path, "v1", "ConfigMap", "n", evil[i]));
    FAILS(ERR_FAILED, "no kind Nothing in v1", kube_path(k, &path, "v1", "Nothing", NULL, "x"));
    FAILS(ERR_FAILED, "no kind X in no.dev/v1", kube_path(k, &path, "no.dev/v1", "X", NULL, "x"));
}

static void test_apply_get_delete(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client(1000);
    OWN_DOC struct doc *o = named("v1", "ConfigMap", "default", "plain"), *stored = NULL, *live = NULL, *counts = NULL;
    OK(kube_apply(k, o, &stored));
    assert_string_equal(doc_text(stored, "metadata.name"), "plain");
    OK(kube_get_object(k, &live, o));
    assert_non_null(live);
    doc_free(TAKE(live));
    OK(kube_delete(k, o, "Foreground"));
    OK(kube_delete(k, o, "Foreground"));
    OK(kube_get_object(k, &live, o));
    assert_null(live);
    OK(kube_get(k, &counts, "/counts"));
    assert_int_equal(doc_int(counts, "policy Foreground", 0), 1);
}

static void test_trouble_that_passes(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client(5000);
    OK(apply(k, "busy"));
    OK(apply(k, "webhook"));
    OK(apply(k, "conflict"));
}

static void test_trouble_that_stays(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client(1000);
    FAILS(ERR_FAILED, "apply ConfigMap default/invalid: HTTP 422 Invalid: trouble with invalid", apply(k, "invalid"));
    FAILS(ERR_REFUSED, "HTTP 403 Forbidden", apply(k, "forbidden"));
    FAILS(ERR_FAILED, "HTTP 409 Conflict", apply(k, "always-conflict"));
    int64_t from = clock_ms();
    FAILS(ERR_FAILED, "HTTP 500 InternalError: trouble with broken", apply(k, "broken"));
    assert_in_range(clock_ms() - from, 500, 2500);
    FAILS(ERR_FAILED, "HTTP 502: <h1>Bad gateway</h1>", apply(k, "html"));
    struct err *e = apply(k, "stranger");
    assert_non_null(e);
    assert_non_null(strstr(err_hint_text(e), "certificate"));
    FAILS(ERR_UNTRUSTED, "HTTP 401", e);
    OWN_DOC struct doc *nameless = yaml("{apiVersion: v1, kind: ConfigMap, metadata: {generateName: x-}}");
    FAILS(ERR_FAILED, "without metadata.name", kube_apply(k, nameless, NULL));
}

static void test_a_kind_that_comes_later(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client(5000);
    OWN_DOC struct doc *o = named("late.dev/v1", "Later", "default", "x"),
                       *missing = named("late.dev/v1", "Never", "n", "x");
    OK(kube_apply(k, o, NULL));
    FAILS(ERR_FAILED, "no kind Never in late.dev/v1", kube_apply(k, missing, NULL));
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct kube *k = NULL;
    OWN(cancel_done) struct cancel c = {-1};
    OWN_DOC struct doc *got = NULL;
    OK(cancel_init(&c));
    OK(kube_new(&k, &(struct kube_server){.url = "http://127.0.0.1:1", .retry_ms = 500}, &c));
    int64_t from = clock_ms();
    FAILS(ERR_UNREACHABLE, "127.0.0.1:1", kube_get(k, &got, "/api/v1"));
    assert_in_range(clock_ms() - from, 150, 2000);
    FAILS(ERR_UNREACHABLE, "not ready", kube_ready(k, "/readyz", clock_ms() + 300));
    cancel_set(&c);
    FAILS(ERR_CANCELLED, "cancelled", kube_get(k, &got, "/api/v1"));
    kube_free(k);
}

static void test_ready(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client(1000);
    FAILS(ERR_FAILED, "HTTP 500: [-]etcd failed", kube_ready(k, "/readyz", clock_ms() - 1));
    OK(kube_ready(k, "/readyz", clock_ms() + 5000));
}

static void test_wait(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client(1000);
    OWN_DOC struct doc *web =
        yaml("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: n, generation: 1},"
             " spec: {replicas: 2}, status: {observedGeneration: 1, replicas: 1}}");
    OWN_DOC struct doc *none = named("apps/v1", "Deployment", "n", "none");
    OWN_DOC struct doc *plain = named("v1", "ConfigMap", "n", "waited");
    OK(kube_apply(k, web, NULL));
    OK(kube_apply(k, plain, NULL));
    OK(kube_wait(k, plain, clock_ms() + 1000));
    struct err *e = kube_wait(k, web, clock_ms() + 300);
    assert_non_null(e);
    const char *text = err_text(e);
    assert_non_null(strstr(text, "FailedMount of web-abc-1: newest"));
    assert_true(strstr(text, "newest") < strstr(text, "middle") && strstr(text, "middle") < strstr(text, "older"));
    assert_null(strstr(text, "oldest"));
    assert_null(strstr(text, "another"));
    assert_null(strstr(text, "normal"));
    FAILS(ERR_FAILED, "Deployment n/web is not ready: InProgress: replicas: 1/2", e);
    FAILS(ERR_FAILED, "does not exist", kube_wait(k, none, clock_ms() + 100));
    OK(kube_wait_gone(k, none, clock_ms() + 100));
    FAILS(ERR_FAILED, "ConfigMap n/waited is still there", kube_wait_gone(k, plain, clock_ms() + 100));
}

static void test_inventory_and_prune(void **state)
{
    (void)state;
    OWN(kube_freep) struct kube *k = client(1000);
    OWN_DOC struct doc *before = NULL, *again = NULL, *after = doc_new_list(), *plan = NULL, *live = NULL;
    const char *const names[] = {"keep", "old", "adopted", "vanished"};
    OK(kube_inventory_get(k, &before));
    assert_int_equal(doc_len(before), 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        OWN_DOC struct doc *o = named("v1", "ConfigMap", "p", names[i]);
        if (i < 3)
            OK(kube_apply(k, o, NULL));
        inventory_add(before, o, "d");
        if (i == 0)
            inventory_add(after, o, "d");
    }
    OK(kube_inventory_put(k, before));
    OK(kube_inventory_get(k, &again));
    assert_true(doc_equal(before, again));
    plan = prune_plan(before, after, 0);
    OK(kube_prune(k, plan));
    assert_int_equal(doc_len(plan), 3);
    assert_string_equal(doc_text(plan->child, "reason"), "was gone already");
    assert_string_equal(doc_text(plan->child->next, "action"), "keep");
    assert_string_equal(doc_text(plan->last, "name"), "old");
    OWN_DOC struct doc *old = named("v1", "ConfigMap", "p", "old"), *keep = named("v1", "ConfigMap", "p", "keep");
    OK(kube_get_object(k, &live, old));
    assert_null(live);
    OK(kube_get_object(k, &live, keep));
    assert_non_null(live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_apply_get_delete),
        cmocka_unit_test(test_trouble_that_passes),
        cmocka_unit_test(test_trouble_that_stays),
        cmocka_unit_test(test_a_kind_that_comes_later),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_ready),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_inventory_and_prune),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
