/* What a changed line of cluster.yaml changes on the nodes, and what a wrong one is answered with. */
#include "rig.h"

/* ---- what changes ---- */

static const struct {
    const char *override;
    const char *cp, *w; /* units whose inputs change on a control-plane host and on a worker */
} rows[] = {
    {"kubelet: {maxPods: 50}", "kubelet.service", "kubelet.service"},
    {"kubelet: {maxPods: 110}", "", ""}, /* the default */
    {"kubelet: {failCgroupV1: false}", "kubelet.service", "kubelet.service"},
    {"kubelet: {evictionHardNodefs: 5%}", "kubelet.service", "kubelet.service"},
    {"containerd: {systemdCgroup: false}", "containerd.service", "containerd.service"},
    {"pause: {image: example.com/pause:1}", "containerd.service", "containerd.service"},
    {"kube-proxy: {mode: iptables}", "kube-proxy.service", "kube-proxy.service"},
    {"etcd: {heartbeatIntervalMs: 250}", "etcd.service", ""},
    {"kube-apiserver: {auditLogMaxBackups: 3}", "kube-apiserver.service", ""},
    {"coredns: {replicas: 3}", "", ""}, /* objects only */
    {"flannel: {backend: host-gw}", "", ""},
    {"kubelet: {maxPods: 50}, etcd: {heartbeatIntervalMs: 250}", "etcd.service kubelet.service", "kubelet.service"},
};

static void expect_change(const struct rendering *x, const struct rendering *y, const char *host, const char *want)
{
    const struct generation *a = rendering_of(x, host), *b = rendering_of(y, host);
    OWN_FREE char *units = rig_changed_units(a, b);
    assert_string_equal(units, want);
    assert_int_equal(str_eq(a->digest, b->digest), !*want); /* and nothing that no unit is restarted for */
    assert_true(doc_equal(a->leafs, b->leafs));
    assert_true(doc_equal(a->runtime, b->runtime));
    assert_true(doc_equal(a->secrets, b->secrets));
}

static void overrides(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x;
    rig_init(&g);
    rig_render(&x, &g, rig_cluster(RIG_HOSTS));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN_FREE char *more = str_fmt("  overrides: {%s}\n" RIG_HOSTS, rows[i].override);
        OWN_RENDERING struct rendering y;
        rig_render(&y, &g, rig_cluster(more));
        expect_change(&x, &y, "cp1", rows[i].cp);
        expect_change(&x, &y, "cp3", rows[i].cp);
        expect_change(&x, &y, "w1", rows[i].w);
    }
}

/* One object differs, in one value. */
static void object_overrides(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x, y;
    rig_init(&g);
    rig_render(&x, &g, rig_cluster(RIG_HOSTS));
    rig_render(&y, &g, rig_cluster("  overrides: {coredns: {replicas: 3}}\n" RIG_HOSTS));
    assert_int_equal(doc_len(x.objects), doc_len(y.objects));
    int changed = 0;
    for (struct doc *a = x.objects->child, *b = y.objects->child; a; a = a->next, b = b->next) {
        if (doc_equal(a, b))
            continue;
        changed++;
        assert_string_equal(doc_text(b, "kind"), "Deployment");
        assert_int_equal(doc_int(b, "spec.replicas", 0), 3);
        doc_set_int(doc_get(b, "spec"), "replicas", 2);
        assert_true(doc_equal(a, b));
    }
    assert_int_equal(changed, 1);
}

/* Hosts differ in one line; `units` of cp1 and of w1 stay as they are in all cases. */
static void hosts(void **state)
{
    (void)state;
    static const struct {
        const char *hosts;
        const char *leafs;                     /* of cp1, described otherwise */
        bool cp_same, w_same, targets, member; /* generations of cp1 and w1; runtime files that differ */
    } table[] = {
        {RIG_HOSTS, "", true, true, false, false},
        {RIG_HOSTS "    - {name: w3, roles: [worker], ssh: {address: 10.9.0.23}}\n", "", true, true, false, false},
        {RIG_HOSTS "    - {name: cp4, roles: [control-plane], ssh: {address: 10.9.0.14}}\n", "kube-apiserver", false,
         true, true, true},
        {"  hosts:\n"
         "    - {name: cp1, roles: [control-plane], labels: {a: b}, ssh: {address: 10.9.0.11, user: u, port: 23}}\n"
         "    - {name: cp2, roles: [control-plane], ssh: {address: 10.9.0.12, key: k}}\n"
         "    - {name: cp3, roles: [control-plane, worker], ssh: {address: 10.9.0.13}}\n"
         "    - {name: w1, roles: [worker], labels: {a: b}, ssh: {address: 10.9.0.21},\n"
         "       taints: [{key: k, value: v, effect: NoSchedule}]}\n",
         "", true, true, false, false},
        {"  hosts:\n"
         "    - {name: cp1, roles: [control-plane], ssh: {address: 10.9.0.11}}\n"
         "    - {name: cp2, roles: [control-plane], ssh: {address: 10.9.0.99}}\n"
         "    - {name: cp3, roles: [control-plane, worker], ssh: {address: 10.9.0.13}}\n"
         "    - {name: w1, roles: [worker], ssh: {address: 10.9.0.21}}\n",
         "kube-apiserver", false, true, true, true},
    };
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x;
    rig_init(&g);
    rig_render(&x, &g, rig_cluster(RIG_HOSTS));
    const struct generation *cp = rendering_of(&x, "cp1"), *w = rendering_of(&x, "w1");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        OWN_RENDERING struct rendering y;
        rig_render(&y, &g, rig_cluster(table[i].hosts));
        const struct generation *cp2 = rendering_of(&y, "cp1"), *w2 = rendering_of(&y, "w1");
        OWN_FREE char *cp_units = rig_changed_units(cp, cp2), *w_units = rig_changed_units(w, w2);
        assert_string_equal(cp_units, "");
        assert_string_equal(w_units, "");
        assert_int_equal(str_eq(cp->digest, cp2->digest), table[i].cp_same);
        assert_int_equal(str_eq(w->digest, w2->digest), table[i].w_same);
        DOC_EACH (l, cp->leafs)
            if (!doc_equal(l, doc_get(cp2->leafs, l->key)))
                assert_string_equal(l->key, table[i].leafs);
            else
                assert_string_not_equal(l->key, table[i].leafs);
        assert_true(doc_equal(w->leafs, w2->leafs));
        assert_int_equal(
            !doc_equal(doc_get(w->runtime, "apiserver.targets"), doc_get(w2->runtime, "apiserver.targets")),
            table[i].targets);
        assert_int_equal(!doc_equal(doc_get(cp->initial, "etcd.env"), doc_get(cp2->initial, "etcd.env")),
                         table[i].member);
    }
}

/* ---- what is refused ---- */

static struct err *vars_of(struct rig *g, const char *overrides)
{
    OWN_FREE char *more = str_fmt("  overrides:\n    %s\n" RIG_HOSTS, overrides);
    OWN(cluster_freep) struct cluster *c = rig_cluster(more);
    OWN_DOC struct doc *vars = NULL;
    return render_vars(&vars, c, &g->release, &g->id);
}

static void expect_error(struct rig *g, const char *overrides, const char *error, const char *hint)
{
    OWN(err_freep) struct err *e = vars_of(g, overrides);
    if (!e)
        fail_msg("%s: accepted", overrides);
    assert_int_equal(err_kind(e), ERR_USAGE);
    assert_int_equal(err_exit_code(e), 64);
    OWN_FREE char *want = str_fmt("/cluster.yaml:%s", error);
    if (!str_ends(err_text(e), want))
        fail_msg("%s: \"%s\", not \"%s\"", overrides, err_text(e), want);
    const char *said = err_hint_text(e);
    if (hint ? !said || !strstr(said, hint) : said != NULL)
        fail_msg("%s: the hint is \"%s\"", overrides, said ? said : "");
}

static void wrong_overrides(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error, *hint;
    } table[] = {
        {"kublet: {maxPods: 50}", "9:5: unknown component in overrides: \"kublet\"", "did you mean \"kubelet\"?"},
        {"zookeeper: {a: 1}", "9:5: unknown component in overrides: \"zookeeper\"", "there are: "},
        {"network: {pods: 10.0.0.0/8}", "9:5: unknown component in overrides: \"network\"", "there are: "},
        {"secret: {encryptionKey: a}", "9:5: unknown component in overrides: \"secret\"", "there are: "},
        {"path: {helper: /bin/sh}", "9:5: unknown component in overrides: \"path\"", "there are: "},
        {"kubelet: {maxPod: 50}", "9:15: unknown setting \"maxPod\"", "did you mean \"maxPods\"?"},
        {"kubelet: {zzzzzzzz: 50}", "9:15: unknown setting \"zzzzzzzz\"", "there are: "},
        {"kubelet: {mode: iptables}", "9:15: unknown setting \"mode\"", "there are: "}, /* another group's */
        {"kubelet: 50", "9:14: kubelet must be a map of settings", "write {setting: value}"},
        {"kubelet: [maxPods]", "9:14: kubelet must be a map of settings", "write {setting: value}"},
        {"kubelet:", "9:13: kubelet must be a map of settings", "write {setting: value}"},
        {"kubelet: {maxPods: many}", "9:24: maxPods must be a whole number", "write a number"},
        {"kubelet: {maxPods: \"50\"}", "9:24: maxPods must be a whole number", "write a number"},
        {"kubelet: {maxPods: 5.5}", "9:24: maxPods must be a whole number", "write a number"},
        {"kubelet: {maxPods: true}", "9:24: maxPods must be a whole number", "write a number"},
        {"kubelet: {maxPods: ~}", "9:24: maxPods must be a whole number", "write a number"},
        {"kubelet: {maxPods: [50]}", "9:24: maxPods must be a whole number", "write a number"},
        {"kubelet: {failCgroupV1: 0}", "9:29: failCgroupV1 must be true or false", "write true or false"},
        {"kubelet: {failCgroupV1: \"false\"}", "9:29: failCgroupV1 must be true or false", "write true or false"},
        {"kube-proxy: {mode: true}", "9:24: mode must be text", "write one text"},
        {"kube-proxy: {mode: {a: b}}", "9:24: mode must be text", "write one text"},
        {"kube-proxy: {mode: }", "9:24: mode must be text", "write one text"},
        {"kube-proxy: {mode: \"\"}", "9:24: mode: empty", "write the value"},
        {"kube-proxy: {mode: a b}", "9:24: mode: the byte 0x20 is not accepted", "letters, digits and any of"},
        {"kube-proxy: {mode: \"a$b\"}", "9:24: mode: the character '$' is not accepted", "_ . : / , = @ + % -"},
        {"kube-proxy: {mode: \"\\x1b[0m\"}", "9:24: mode: the byte 0x1b is not accepted", "letters"},
        {"kube-proxy: {mode: \xc3\xbc}", "9:24: mode: the byte 0xc3 is not accepted", "letters"},
    };
    OWN_RIG struct rig g;
    rig_init(&g);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        expect_error(&g, table[i].text, table[i].error, table[i].hint);
}

/* A setting that the next release does not have any more is an error, not a line without effect. */
static void removed_setting(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    rig_init(&g);
    OK(vars_of(&g, "kubelet: {maxPods: 50}"));
    DOC_EACH (c, g.release.components)
        if (str_eq(doc_text(c, "name"), "kubernetes"))
            doc_remove(doc_path(c, "settings.kubelet"), "maxPods");
    expect_error(&g, "kubelet: {maxPods: 50}", "9:15: unknown setting \"maxPods\"", "there are: ");
}

/* Every text setting of every component, with every character that could leave its place. */
static void poisoned_texts(void **state)
{
    (void)state;
    static const char bad[] = " \t\n\r\v\f\x1b\x7f\"'`$;&|<>(){}[]*?!#~^\\";
    OWN_RIG struct rig g;
    rig_init(&g);
    int settings = 0;
    DOC_EACH (component, g.release.components)
        DOC_EACH (group, doc_get(component, "settings"))
            DOC_EACH (s, group) {
                if (!str_eq(doc_text(s, "type"), "string"))
                    continue;
                settings++;
                for (const char *c = bad; *c; c++) {
                    OWN_FREE char *text = str_fmt("%s: {%s: \"a\\x%02xb\"}", group->key, s->key, (unsigned)*c);
                    OWN(err_freep) struct err *e = vars_of(&g, text);
                    if (!e || err_exit_code(e) != 64 || !strstr(err_text(e), "is not accepted"))
                        fail_msg("%s: %s", text, e ? err_text(e) : "accepted");
                }
            }
    assert_true(settings > 5);
}

/* The tables themselves: types that are known, defaults of that type. */
static void tables(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    rig_init(&g);
    DOC_EACH (component, g.release.components)
        DOC_EACH (group, doc_get(component, "settings"))
            DOC_EACH (s, group) {
                const char *type = doc_text(s, "type");
                const struct doc *fallback = doc_get(s, "default");
                enum doc_kind kind = str_eq(type, "int") ? DOC_INT : str_eq(type, "bool") ? DOC_BOOL : DOC_STRING;
                if (kind == DOC_STRING && !str_eq(type, "string"))
                    fail_msg("%s.%s: the type \"%s\" is not known", group->key, s->key, type ? type : "");
                if (fallback && fallback->kind != kind)
                    fail_msg("%s.%s: the default is not of its type", group->key, s->key);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overrides),       cmocka_unit_test(object_overrides), cmocka_unit_test(hosts),
        cmocka_unit_test(wrong_overrides), cmocka_unit_test(removed_setting),  cmocka_unit_test(poisoned_texts),
        cmocka_unit_test(tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
