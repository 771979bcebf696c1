/* What the real definitions become on the nodes of a cluster. */
#include "node/manifest.h"
#include "rig.h"

static void start(struct rig *g, struct rendering *x, const char *more)
{
    rig_init(g);
    rig_render(x, g, rig_cluster(more));
}

/* ---- same inputs, same bytes ---- */

static void deterministic(void **state)
{
    (void)state;
    OWN_RIG struct rig g1, g2;
    OWN_RENDERING struct rendering x1, x2;
    start(&g1, &x1, RIG_HOSTS);
    start(&g2, &x2, RIG_HOSTS);
    for (size_t i = 0; i < x1.cluster->n_hosts; i++) {
        OWN_FREE char *a = rig_bytes(&x1.of[i]), *b = rig_bytes(&x2.of[i]);
        assert_string_equal(a, b);
    }
    OWN_FREE char *a = rig_json(x1.objects), *b = rig_json(x2.objects);
    assert_string_equal(a, b);
    assert_string_not_equal(x1.of[0].digest, x1.of[1].digest); /* no two nodes are one */
}

/* What was rendered before has no part in it: not the order of the hosts, not an earlier failure. */
static void order_free(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x;
    start(&g, &x, RIG_HOSTS);
    OWN_FREE char *vars = rig_json(x.vars);
    for (size_t i = x.cluster->n_hosts; i-- > 0;) {
        struct generation again = {0};
        OK(render_generation(&again, x.cluster, &g.release, &g.id, x.vars, &x.cluster->hosts[i]));
        OWN_FREE char *a = rig_bytes(&x.of[i]), *b = rig_bytes(&again);
        assert_string_equal(a, b);
        generation_done(&again);
    }
    OWN_FREE char *after = rig_json(x.vars);
    assert_string_equal(vars, after);
}

/* ---- who gets what ---- */

#define NODE_UNITS                                                                                                     \
    "containerd.service kube-api-balancer.service kube-api-balancer.socket kube-proxy.service kubelet.service"
#define ALL_UNITS                                                                                                      \
    "containerd.service etcd.service kube-api-balancer.service kube-api-balancer.socket kube-apiserver.service "       \
    "kube-controller-manager.service kube-proxy.service kube-scheduler.service kubelet.service"
#define NODE_LEAFS "kube-proxy kubelet-client kubelet-serving"
#define ALL_LEAFS                                                                                                      \
    "etcd-peer etcd-server front-proxy-client kube-apiserver kube-apiserver-etcd-client "                              \
    "kube-apiserver-kubelet-client kube-controller-manager kube-proxy kube-scheduler kubelet-client kubelet-serving"
#define NODE_FILES                                                                                                     \
    "containerd/config.toml crictl.yaml kube-proxy/config.json kube-proxy/kubeconfig kubelet/config.json "             \
    "kubelet/kubeconfig kubernetes/ca.crt"
#define ALL_FILES                                                                                                      \
    "containerd/config.toml crictl.yaml etcd/ca.crt kube-apiserver/admission.json kube-apiserver/audit-policy.json "   \
    "kube-apiserver/authentication.json kube-apiserver/encryption.json kube-controller-manager/kubeconfig "            \
    "kube-proxy/config.json kube-proxy/kubeconfig kube-scheduler/kubeconfig kubelet/config.json kubelet/kubeconfig "   \
    "kubernetes/ca.crt kubernetes/etcd-ca.crt kubernetes/front-proxy-ca.crt kubernetes/service-account.key "           \
    "kubernetes/service-account.pub"

static void expect_names(const struct generation *g, const char *list, const char *want)
{
    OWN_FREE char *names = rig_names(doc_get(g->manifest, list), "name");
    assert_string_equal(names, want);
}

static void expect_trees(const struct generation *g, const char *const names[], size_t n)
{
    const struct doc *trees = doc_get(g->manifest, "trees");
    assert_int_equal(doc_len(trees), n);
    for (size_t i = 0; i < n; i++) {
        char hex[DIGEST_HEX];
        OK(digest_hex(hex, names[i], strlen(names[i])));
        if (!doc_list_has(trees, hex))
            fail_msg("%s: no tree %s", g->host->name, names[i]);
    }
}

static void roles(void **state)
{
    (void)state;
    static const char *const trees[] = {"containerd",      "runc", "crictl",  "cni-plugins",
                                        "kubernetes-node", "etcd", "kubectl", "kubernetes-control-plane"};
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x;
    start(&g, &x, RIG_HOSTS);
    for (size_t i = 0; i < x.cluster->n_hosts; i++) {
        const struct generation *n = &x.of[i];
        bool cp = n->host->control_plane;
        expect_names(n, "units", cp ? ALL_UNITS : NODE_UNITS);
        expect_names(n, "leafs", cp ? ALL_LEAFS : NODE_LEAFS);
        expect_names(n, "files", cp ? ALL_FILES : NODE_FILES);
        expect_trees(n, trees, cp ? 8 : 5);
        assert_int_equal(doc_len(doc_get(n->manifest, "images")), 4);
        assert_int_equal(doc_len(n->runtime), 1);
        assert_int_equal(doc_len(n->initial), cp ? 1 : 0);
    }
}

static void image_for_a_role(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x;
    rig_init(&g);
    struct doc *images = NULL;
    DOC_EACH (c, doc_get(g.release.head, "components"))
        if (str_eq(doc_text(c, "name"), "coredns"))
            images = doc_get(c, "images");
    struct doc *roles = doc_set(images->child, "role", doc_new_list());
    doc_add_text(roles, "worker");
    rig_render(&x, &g, rig_cluster(RIG_HOSTS));
    assert_int_equal(doc_len(doc_get(rendering_of(&x, "cp1")->manifest, "images")), 3);
    assert_int_equal(doc_len(doc_get(rendering_of(&x, "cp3")->manifest, "images")), 4); /* both roles */
    assert_int_equal(doc_len(doc_get(rendering_of(&x, "w1")->manifest, "images")), 4);
}

static void runtime_files(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x;
    start(&g, &x, RIG_HOSTS);
    static const char targets[] = "10.9.0.11:6443\n10.9.0.12:6443\n10.9.0.13:6443\n";
    const struct doc *w = doc_get(rendering_of(&x, "w1")->runtime, "apiserver.targets");
    assert_string_equal(w->text, targets);
    const struct doc *env = doc_get(rendering_of(&x, "cp2")->initial, "etcd.env");
    assert_string_equal(env->text, "ETCD_INITIAL_CLUSTER=cp1=https://10.9.0.11:2380,cp2=https://10.9.0.12:2380,"
                                   "cp3=https://10.9.0.13:2380\n"
                                   "ETCD_INITIAL_CLUSTER_STATE=new\nETCD_INITIAL_CLUSTER_TOKEN=lab\n");
}

/* ---- what the node will check ---- */

static void expect_sources(const struct generation *n)
{
    char hex[DIGEST_HEX];
    DOC_EACH (f, doc_get(n->manifest, "files")) {
        const char *digest = doc_text(f, "digest");
        bool secret = str_eq(doc_text(f, "source"), "secret");
        const char *text = doc_text(secret ? n->secrets : n->texts, digest);
        assert_non_null(text);
        OK(digest_hex(hex, text, strlen(text)));
        assert_int_equal(str_eq(hex, digest), !secret); /* a plain digest of a secret would let one guess it */
        if (secret)
            assert_string_equal(doc_text(f, "mode"), "0600");
    }
    DOC_EACH (u, doc_get(n->manifest, "units")) {
        const char *text = doc_text(n->texts, doc_text(u, "digest"));
        assert_non_null(text);
        OK(digest_hex(hex, text, strlen(text)));
        assert_string_equal(hex, doc_text(u, "digest"));
    }
}

static void manifests_are_sound(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x;
    start(&g, &x, RIG_HOSTS);
    for (size_t i = 0; i < x.cluster->n_hosts; i++) {
        const struct generation *n = &x.of[i];
        char hex[DIGEST_HEX];
        OWN_FREE char *bytes = rig_json(n->manifest);
        OK(manifest_check(n->manifest));
        OK(digest_hex(hex, bytes, strlen(bytes)));
        assert_string_equal(hex, n->digest);
        expect_sources(n);
    }
}

/* No reference is left anywhere, and no unit needs a shell. */
static void nothing_unfilled(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x;
    start(&g, &x, RIG_HOSTS);
    OWN_FREE char *objects = rig_json(x.objects);
    assert_null(strstr(objects, "${"));
    for (size_t i = 0; i < x.cluster->n_hosts; i++) {
        OWN_FREE char *bytes = rig_bytes(&x.of[i]);
        assert_null(strstr(bytes, "${"));
        assert_null(strstr(bytes, "/sh -c"));
        assert_null(strstr(bytes, "tree//")); /* a package that the release does not have */
    }
}

/* ---- texts ---- */

static struct doc *json_file(const struct generation *g, const char *name)
{
    const char *text = rig_file(g, name);
    struct doc *d = NULL;
    assert_non_null(text);
    OK(doc_json(&d, name, text, strlen(text)));
    return d;
}

static void kubelet_config(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x, y;
    start(&g, &x, RIG_HOSTS);
    OWN_DOC struct doc *d = json_file(rendering_of(&x, "w1"), "kubelet/config.json");
    static const struct {
        const char *path;
        enum doc_kind kind;
        const char *text;
    } rows[] = {
        {"kind", DOC_STRING, "KubeletConfiguration"},
        {"maxPods", DOC_INT, "110"},
        {"podPidsLimit", DOC_INT, "4096"},
        {"readOnlyPort", DOC_INT, "0"},
        {"imageGCHighThresholdPercent", DOC_INT, "85"},
        {"seccompDefault", DOC_BOOL, "true"},
        {"authentication.anonymous.enabled", DOC_BOOL, "false"},
        {"cgroupDriver", DOC_STRING, "systemd"},
        {"clusterDomain", DOC_STRING, "cluster.local"},
        {"containerLogMaxSize", DOC_STRING, "10Mi"},
        {"tlsCertFile", DOC_STRING, "/var/lib/caisson/pki/kubelet-serving/tls.crt"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct doc *v = doc_path(d, rows[i].path);
        if (!v || v->kind != rows[i].kind || !str_eq(v->text, rows[i].text))
            fail_msg("%s is %s", rows[i].path, v ? v->text : "not there");
    }
    assert_string_equal(doc_get(d, "clusterDNS")->child->text, "10.96.0.10");
    assert_string_equal(doc_get(doc_get(d, "evictionHard"), "nodefs.available")->text, "10%");
    assert_null(doc_get(d, "failCgroupV1")); /* not set: the program's own default rules */
    assert_null(doc_get(d, "oomScoreAdj"));
    OWN_DOC struct doc *proxy = json_file(rendering_of(&x, "w1"), "kube-proxy/config.json");
    assert_int_equal(doc_get(proxy, "conntrack")->kind, DOC_MAP);
    assert_int_equal(doc_len(doc_get(proxy, "conntrack")), 0);
    rig_render(&y, &g,
               rig_cluster("  overrides:\n    kubelet: {failCgroupV1: false, oomScoreAdj: -5, containerLogMaxSize: 7}\n"
                           "    kube-proxy: {conntrackMaxPerCore: 0, conntrackTcpEstablishedTimeout: 0s}\n" RIG_HOSTS));
    OWN_DOC struct doc *e = json_file(rendering_of(&y, "w1"), "kubelet/config.json");
    assert_int_equal(doc_get(e, "failCgroupV1")->kind, DOC_BOOL);
    assert_int_equal(doc_int(e, "oomScoreAdj", 0), -5);
    assert_int_equal(doc_get(e, "containerLogMaxSize")->kind, DOC_STRING); /* a text setting stays text */
    OWN_DOC struct doc *other = json_file(rendering_of(&y, "w1"), "kube-proxy/config.json");
    OWN_FREE char *conntrack = rig_json(doc_get(other, "conntrack"));
    assert_string_equal(conntrack, "{\"maxPerCore\":0,\"tcpEstablishedTimeout\":\"0s\"}");
}

static void other_texts(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x;
    start(&g, &x, RIG_HOSTS);
    const struct generation *cp = rendering_of(&x, "cp1");
    /* the setting's default holds ${version} */
    assert_non_null(strstr(rig_file(cp, "containerd/config.toml"), "sandbox = 'registry.k8s.io/pause:3.10.2'"));
    assert_non_null(strstr(rig_file(cp, "containerd/config.toml"), "SystemdCgroup = true\n"));
    assert_string_equal(rig_file(cp, "kubernetes/service-account.key"), CANARY_KEY "\n");
    OWN_DOC struct doc *audit = json_file(cp, "kube-apiserver/audit-policy.json");
    OWN_FREE char *rules = rig_json(doc_get(audit, "rules"));
    assert_non_null(strstr(rules, "{\"group\":\"\",\"resources\":[\"events\"]}")); /* the core group is an empty text */
    static const char *const json[] = {"kube-apiserver/admission.json", "kube-apiserver/authentication.json",
                                       "kube-apiserver/encryption.json", "kubelet/kubeconfig"};
    for (size_t i = 0; i < ARRAY_LEN(json); i++) {
        OWN_DOC struct doc *d = json_file(cp, json[i]);
        assert_non_null(doc_text(d, "kind"));
    }
}

static void leafs(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x;
    start(&g, &x, RIG_HOSTS);
    const struct doc *api = doc_get(rendering_of(&x, "cp1")->leafs, "kube-apiserver");
    OWN_FREE char *dns = rig_json(doc_get(api, "dns")), *ips = rig_json(doc_get(api, "ips"));
    assert_string_equal(dns, "[\"kubernetes\",\"kubernetes.default\",\"kubernetes.default.svc\","
                             "\"kubernetes.default.svc.cluster.local\",\"localhost\",\"cp1\",\"cp2\",\"cp3\"]");
    assert_string_equal(ips, "[\"127.0.0.1\",\"::1\",\"10.96.0.1\",\"10.9.0.11\",\"10.9.0.12\",\"10.9.0.13\"]");
    const struct doc *kubelet = doc_get(rendering_of(&x, "w2")->leafs, "kubelet-serving");
    assert_string_equal(doc_text(kubelet, "cn"), "system:node:w2");
    assert_string_equal(doc_get(kubelet, "ips")->child->text, "10.9.0.22");
    assert_string_equal(doc_get(kubelet, "orgs")->child->text, "system:nodes");
    assert_int_equal(doc_int(doc_get(rendering_of(&x, "cp1")->leafs, "etcd-peer"), "owner", 0), 52379);
    /* another authority under the same name: every certificate of it is described otherwise */
    OWN_FREE char *before = strdup(doc_text(kubelet, "description"));
    OWN_RENDERING struct rendering y;
    doc_set_text(g.authorities, "kubernetes", "-- the next certificate --\n");
    rig_render(&y, &g, rig_cluster(RIG_HOSTS));
    const struct doc *now = doc_get(rendering_of(&y, "w2")->leafs, "kubelet-serving");
    assert_string_not_equal(doc_text(now, "description"), before);
    assert_string_equal(doc_text(doc_get(rendering_of(&x, "cp1")->leafs, "etcd-peer"), "description"),
                        doc_text(doc_get(rendering_of(&y, "cp1")->leafs, "etcd-peer"), "description"));
}

/* ---- secrets ---- */

static void secrets_stay(void **state)
{
    (void)state;
    static const char *const canaries[] = {CANARY_KEY, CANARY_ENCRYPTION, CANARY_DIGEST_KEY};
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x;
    start(&g, &x, RIG_HOSTS);
    OWN_FREE char *objects = rig_json(x.objects), *vars = rig_json(x.vars);
    for (size_t i = 0; i < x.cluster->n_hosts; i++) {
        const struct generation *n = &x.of[i];
        OWN_FREE char *manifest = rig_json(n->manifest), *texts = rig_json(n->texts), *leaf = rig_json(n->leafs),
                      *runtime = rig_json(n->runtime), *secrets = rig_json(n->secrets);
        const char *const open[] = {manifest, texts, leaf, runtime, objects, vars};
        for (size_t k = 0; k < ARRAY_LEN(canaries); k++)
            for (size_t j = 0; j < ARRAY_LEN(open); j++)
                assert_null(strstr(open[j], canaries[k]));
        assert_int_equal(doc_len(n->secrets), n->host->control_plane ? 2 : 0);
        assert_int_equal(strstr(secrets, CANARY_KEY) != NULL, n->host->control_plane);
        assert_null(strstr(secrets, CANARY_DIGEST_KEY));
    }
    /* a secret in a file that is not marked so is an error, not a leak */
    struct generation out = {0};
    struct doc *component = g.release.components->child, *f = doc_add(doc_get(component, "files"), doc_new_map());
    doc_set_text(f, "name", "leak");
    doc_set_text(f, "text", "${secret.encryptionKey}");
    FAILS(ERR_USAGE, "generation of cp1: component etcd: leak: ",
          render_generation(&out, x.cluster, &g.release, &g.id, x.vars, &x.cluster->hosts[0]));
    assert_null(out.manifest);
}

/* Another secret means another generation and a restart of what uses it, and of nothing else. */
static void changed_secret(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x, y;
    start(&g, &x, RIG_HOSTS);
    doc_set_text(g.shared, "encryptionKey", "bmV4dA==");
    rig_render(&y, &g, rig_cluster(RIG_HOSTS));
    OWN_FREE char *cp = rig_changed_units(rendering_of(&x, "cp1"), rendering_of(&y, "cp1"));
    assert_string_equal(cp, "kube-apiserver.service");
    assert_string_equal(rendering_of(&x, "w1")->digest, rendering_of(&y, "w1")->digest);
}

/* ---- objects ---- */

static void check_images(const struct doc *d, const struct doc *images, int *seen)
{
    DOC_EACH (v, d) {
        check_images(v, images, seen);
        if (!str_eq(v->key, "image") || v->kind != DOC_STRING)
            continue;
        bool known = false;
        DOC_EACH (i, images)
            known |= str_starts(i->text, v->text) && i->text[strlen(v->text)] == '@';
        if (!known)
            fail_msg("%s: an object wants an image that no node has", v->text);
        ++*seen;
    }
}

static void objects(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN_RENDERING struct rendering x, y;
    start(&g, &x, RIG_HOSTS);
    int images = 0;
    bool deployment = false;
    check_images(x.objects, doc_get(rendering_of(&x, "w1")->manifest, "images"), &images);
    assert_int_equal(images, 5);
    DOC_EACH (o, x.objects) {
        assert_non_null(doc_text(o, "apiVersion"));
        assert_non_null(doc_text(o, "metadata.name"));
        DOC_EACH (r, doc_get(o, "rules"))
            assert_true(doc_len(doc_get(r, "apiGroups")) > 0);
        if (!str_eq(doc_text(o, "kind"), "Deployment"))
            continue;
        deployment = true;
        assert_int_equal(doc_int(o, "spec.replicas", 0), 2);
        assert_int_equal(doc_path(o, "spec.replicas")->kind, DOC_INT);
    }
    assert_true(deployment);
    OWN_FREE char *plain = rig_json(x.objects);
    assert_null(strstr(plain, "forward ."));
    assert_non_null(strstr(plain, "\"clusterIP\":\"10.96.0.10\""));
    rig_render(&y, &g,
               rig_cluster("  network: {services: 10.32.0.0/16, pods: 10.0.0.0/16,\n"
                           "    dns: {upstream: [192.0.2.1, 192.0.2.2]}}\n" RIG_HOSTS));
    OWN_FREE char *other = rig_json(y.objects);
    assert_non_null(strstr(other, "forward . 192.0.2.1 192.0.2.2\\n"));
    assert_non_null(strstr(other, "\"clusterIP\":\"10.32.0.10\""));
    assert_non_null(strstr(other, "\\\"Network\\\": \\\"10.0.0.0/16\\\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deterministic),  cmocka_unit_test(order_free),
        cmocka_unit_test(roles),          cmocka_unit_test(image_for_a_role),
        cmocka_unit_test(runtime_files),  cmocka_unit_test(nothing_unfilled),
        cmocka_unit_test(kubelet_config), cmocka_unit_test(manifests_are_sound),
        cmocka_unit_test(other_texts),    cmocka_unit_test(leafs),
        cmocka_unit_test(secrets_stay),   cmocka_unit_test(changed_secret),
        cmocka_unit_test(objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
