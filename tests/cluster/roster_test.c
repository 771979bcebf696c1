/* The hosts a cluster remembers, against those of cluster.yaml. */
#include "cluster/roster.h"

#include "../check.h"

#include <stdlib.h>

static const char before[] =
    "[{name: cp-1, address: 10.0.0.11, user: root, port: 22, controlPlane: true, worker: false},"
    " {name: w-1, address: 10.0.0.21, user: ops, port: 2222, hostKey: \"SHA256:x\", key: /k,"
    "  controlPlane: false, worker: true}]";

/* A cluster with hosts "name address" and nothing else. */
static struct cluster cluster_of(struct host *hosts, size_t n)
{
    return (struct cluster){.hosts = hosts, .n_hosts = n};
}

static struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    OK(doc_yaml(&d, "test", text, strlen(text)));
    return d;
}

static void leaving(void **state)
{
    (void)state;
    struct host hosts[] = {{.name = "cp-1", .address = "10.0.0.11", .user = "root", .port = 22, .control_plane = true},
                           {.name = "w-2", .address = "10.0.0.22", .user = "root", .port = 22, .worker = true}};
    struct cluster c = cluster_of(hosts, 2);
    OWN_DOC struct doc *old = yaml(before);
    OWN_DOC struct doc *list = roster_leaving(old, &c);
    struct host h;
    assert_int_equal(doc_len(list), 1);
    OK(roster_host(&h, list->child, &c));
    assert_string_equal(h.name, "w-1");
    assert_string_equal(h.address, "10.0.0.21");
    assert_string_equal(h.user, "ops");
    assert_int_equal(h.port, 2222);
    assert_string_equal(h.key, "/k");
    assert_string_equal(h.host_key, "SHA256:x");
    assert_true(h.worker && !h.control_plane);
}

static void nobody_is_forgotten(void **state)
{
    (void)state;
    struct host hosts[] = {{.name = "cp-1", .address = "10.0.0.99", .user = "root", .port = 22, .control_plane = true},
                           {.name = "w-2", .address = "10.0.0.22", .user = "root", .port = 22, .worker = true}};
    struct cluster c = cluster_of(hosts, 2);
    OWN_DOC struct doc *old = yaml(before);
    OWN_DOC struct doc *all = roster_join(old, &c);
    assert_int_equal(doc_len(all), 3);
    assert_string_equal(doc_text(all->child, "address"), "10.0.0.99"); /* brought up to date */
    assert_string_equal(doc_text(all->last, "name"), "w-1");
    OWN_DOC struct doc *again = roster_join(all, &c);
    assert_true(doc_equal(all, again));
}

static void marks_are_kept_until_taken_off(void **state)
{
    (void)state;
    OWN_DOC struct doc *labels = yaml("{b: \"2\"}"),
                       *old = yaml("[{name: w-1, address: 10.0.0.21, user: root, port: 22,"
                                   "  controlPlane: false, worker: true, labels: {a: \"1\"},"
                                   "  taints: [{key: k, effect: NoSchedule}]}]");
    struct host hosts[] = {
        {.name = "w-1", .address = "10.0.0.21", .user = "root", .port = 22, .worker = true, .labels = labels}};
    struct cluster c = cluster_of(hosts, 1);
    OWN_DOC struct doc *all = roster_join(old, &c), *now = roster_new(&c), *settled = roster_join(now, &c);
    assert_non_null(doc_path(all->child, "labels.a"));
    assert_non_null(doc_path(all->child, "labels.b"));
    assert_int_equal(doc_len(doc_get(all->child, "taints")), 1);
    assert_null(doc_path(now->child, "labels.a"));
    assert_true(doc_equal(now, settled));
}

/* A run that was cut off between writing this down and the node: the next one still has to take the taint off. */
static void the_taint_of_a_role_too(void **state)
{
    (void)state;
    struct host host = {.name = "cp-1", .address = "10.0.0.11", .user = "root", .port = 22, .control_plane = true};
    struct cluster c = cluster_of(&host, 1);
    OWN_DOC struct doc *old = roster_new(&c);
    host.worker = true;
    OWN_DOC struct doc *all = roster_join(old, &c), *again = roster_join(all, &c), *settled = roster_new(&c);
    const struct doc *taints = doc_get(again->child, "taints");
    assert_int_equal(doc_len(taints), 1);
    assert_string_equal(doc_text(taints->child, "key"), "node-role.kubernetes.io/control-plane");
    assert_non_null(doc_get(doc_get(again->child, "labels"), "node-role.kubernetes.io/worker"));
    assert_int_equal(doc_len(doc_get(settled->child, "taints")), 0);
}

static void a_role_in_place(void **state)
{
    (void)state;
    OWN_DOC struct doc *old = yaml(before), *at = yaml("{roles: [worker]}");
    struct host hosts[] = {
        {.name = "cp-1", .address = "10.0.0.11", .user = "root", .port = 22, .worker = true, .at = at}};
    struct cluster c = cluster_of(hosts, 1);
    FAILS(ERR_USAGE, "test:1:9: cp-1 is a control-plane host in the cluster", roster_check(old, &c));
    hosts[0].control_plane = true;
    OK(roster_check(old, &c));
}

static void one_machine_under_two_names(void **state)
{
    (void)state;
    struct host hosts[] = {{.name = "w-9", .address = "10.0.0.21", .user = "root", .port = 22, .worker = true}};
    struct cluster c = cluster_of(hosts, 1);
    OWN_DOC struct doc *at = yaml("{name: w-9}");
    hosts[0].at = at;
    OWN_DOC struct doc *old = yaml(before);
    OWN_DOC struct doc *list = roster_leaving(old, &c);
    struct host h;
    FAILS(ERR_USAGE, "w-9 has the address of w-1", roster_host(&h, list->last, &c));
}

static void damaged(void **state)
{
    (void)state;
    static const char *const bad[] = {"{}", "{name: a}", "{name: a, user: b, address: nonsense}",
                                      "{name: [a], user: b}"};
    struct cluster c = cluster_of(NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        OWN_DOC struct doc *entry = yaml(bad[i]);
        struct host h;
        FAILS(ERR_FAILED, "damaged", roster_host(&h, entry, &c));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(leaving),
                                       cmocka_unit_test(nobody_is_forgotten),
                                       cmocka_unit_test(marks_are_kept_until_taken_off),
                                       cmocka_unit_test(the_taint_of_a_role_too),
                                       cmocka_unit_test(a_role_in_place),
                                       cmocka_unit_test(one_machine_under_two_names),
                                       cmocka_unit_test(damaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
