/* cluster.yaml as operators get it wrong: what is said, where, and with which exit code. */
#include "check.h"
#include "cluster/cluster.h"

/* The good file; rows below replace some of its lines. */
static const char *const good[] = {
    /*  1 */ "apiVersion: caisson.dev/v1",
    /*  2 */ "kind: Cluster",
    /*  3 */ "metadata: {name: lab}",
    /*  4 */ "spec:",
    /*  5 */ "  release: ./minimal.csn.tar",
    /*  6 */ "  trust: [release.pub]",
    /*  7 */ "  profile: minimal",
    /*  8 */ "  network:",
    /*  9 */ "    pods: 10.244.0.0/16",
    /* 10 */ "    services: 10.96.0.0/12",
    /* 11 */ "    dns: {upstream: [10.0.0.53]}",
    /* 12 */ "  defaults:",
    /* 13 */ "    ssh: {user: admin, port: 22, key: ~/.ssh/id}",
    /* 14 */ "  hosts:",
    /* 15 */ "    - {name: cp1, roles: [control-plane], ssh: {address: 10.9.0.11}}",
    /* 16 */ "    - {name: cp2, roles: [control-plane], ssh: {address: 10.9.0.12}}",
    /* 17 */ "    - {name: cp3, roles: [control-plane], ssh: {address: 10.9.0.13}}",
    /* 18 */ "    - {name: w1, roles: [worker], ssh: {address: 10.9.0.21}}",
    /* 19 */ "  overrides: {kubelet: {maxPods: 50}}",
    /* 20 */ "  acknowledge: []",
};

struct row {
    int line;          /* of the good file, from 1 */
    const char *text;  /* in its place; NULL: the line is left out */
    const char *error; /* "line:col: text" */
    const char *hint;  /* part of it, or NULL: any; there always is a way out */
};

/* Writes the good file with one line replaced. */
static void write_with(const char *folder, int line, const char *text)
{
    OWN_BUF struct buf b = {0};
    for (int i = 1; i <= (int)ARRAY_LEN(good); i++) {
        const char *use = i == line ? text : good[i - 1];
        if (use)
            OK(buf_fmt(&b, "%s\n", use));
    }
    check_write(folder, "cluster.yaml", b.at, b.len);
}

static struct err *load_file(struct cluster **ret, const char *folder)
{
    OWN_FREE char *path = check_path(folder, "cluster.yaml");
    return cluster_load(ret, path);
}

static struct err *load_with(struct cluster **ret, int line, const char *text)
{
    OWN_FOLDER char *folder = check_folder();
    write_with(folder, line, text);
    return load_file(ret, folder);
}

/* The whole text of the error, with its file, and its kind, exit code and hint. */
static void expect_error(const struct row *r)
{
    OWN_FOLDER char *folder = check_folder();
    OWN(cluster_freep) struct cluster *c = NULL;
    write_with(folder, r->line, r->text);
    OWN(err_freep) struct err *e = load_file(&c, folder);
    OWN_FREE char *want = str_fmt("%s/cluster.yaml:%s", folder, r->error);
    if (!e)
        fail_msg("line %d \"%s\": accepted", r->line, r->text ? r->text : "");
    assert_null(c);
    assert_string_equal(err_text(e), want);
    assert_int_equal(err_kind(e), ERR_USAGE);
    assert_int_equal(err_exit_code(e), 64);
    const char *hint = err_hint_text(e);
    if (r->hint && (!hint || !strstr(hint, r->hint)))
        fail_msg("%s: the hint is \"%s\", not \"%s\"", r->error, hint ? hint : "", r->hint);
    if (!hint || !*hint)
        fail_msg("%s: no way out is named", r->error);
}

static void expect_errors(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect_error(&rows[i]);
}

/* ---- keys and types ---- */

static void unknown_keys(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, "apiVersoin: caisson.dev/v1", "1:1: unknown key \"apiVersoin\"", "did you mean \"apiVersion\"?"},
        {3, "metadata: {namex: lab}", "3:12: unknown key \"namex\"", "did you mean \"name\"?"},
        {5, "  releasex: ./a", "5:3: unknown key \"releasex\"", "did you mean \"release\"?"},
        {9, "    pod: 10.244.0.0/16", "9:5: unknown key \"pod\"", "did you mean \"pods\"?"},
        {10, "    zzzzzzzzzz: 1", "10:5: unknown key \"zzzzzzzzzz\"", "known here: pods, services, dns"},
        {11, "    dns: {upstreams: [10.0.0.53]}", "11:11: unknown key \"upstreams\"", "did you mean \"upstream\"?"},
        {13, "    ssh: {usr: admin}", "13:11: unknown key \"usr\"", "did you mean \"user\"?"},
        {13, "    ssh: {hostKey: x}", "13:11: unknown key \"hostKey\"", NULL}, /* a key belongs to one host */
        {18, "    - {name: w1, role: [worker], ssh: {address: 10.9.0.21}}", "18:18: unknown key \"role\"",
         "did you mean \"roles\"?"},
        {18, "    - {name: w1, roles: [worker], ssh: {addressx: 10.9.0.21}}", "18:41: unknown key \"addressx\"",
         "did you mean \"address\"?"},
        {20, "  acknowledged: []", "20:3: unknown key \"acknowledged\"", "did you mean \"acknowledge\"?"},
    };
    expect_errors(rows, ARRAY_LEN(rows));
}

static void duplicate_keys(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {2, "apiVersion: caisson.dev/v1", "2:1: duplicate key \"apiVersion\" (first on line 1)", NULL},
        {7, "  release: ./b.csn.tar", "7:3: duplicate key \"release\" (first on line 5)", NULL},
        {13, "    ssh: {user: a, user: b}", "13:20: duplicate key \"user\" (first on line 13)", NULL},
        {19, "  overrides: {kubelet: {maxPods: 50, maxPods: 60}}",
         "19:38: duplicate key \"maxPods\" (first on line 19)", NULL},
    };
    expect_errors(rows, ARRAY_LEN(rows));
}

static void wrong_types(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {2, "kind: [Cluster]", "2:7: kind must be text, not a list", NULL},
        {3, "metadata: lab", "3:11: metadata must be a map, not text", NULL},
        {3, "metadata: {name: 7}", "3:18: name must be text, not a whole number", NULL},
        {5, "  release: true", "5:12: release must be text, not true or false", NULL},
        {5, "  release:", "5:11: release must be text, not nothing", NULL},
        {6, "  trust: release.pub", "6:10: trust must be a list, not text", NULL},
        {6, "  trust: [a.pub]\n  addons: a.tar", "7:11: addons must be a list, not text", NULL},
        {6, "  trust: [a.pub]\n  addons: [{a: b}]", "7:12: each entry must be text, not a map", NULL},
        {6, "  trust: [a.pub, 7]", "6:18: each entry must be text, not a whole number", NULL},
        {9, "    pods: 10", "9:11: pods must be text, not a whole number", NULL},
        {11, "    dns: [10.0.0.53]", "11:10: dns must be a map, not a list", NULL},
        {13, "    ssh: {port: \"22\"}", "13:17: port must be a whole number, not text", NULL},
        {13, "    ssh: {port: 22.5}", "13:17: port must be a whole number, not text", NULL},
        {18, "    - w1", "18:7: each entry must be a map, not text", NULL},
        {18, "    - {name: w1, roles: worker, ssh: {address: 10.9.0.21}}", "18:25: roles must be a list, not text",
         NULL},
        {18, "    - {name: w1, roles: [worker], ssh: 10.9.0.21}", "18:40: ssh must be a map, not text", NULL},
        {19, "  overrides: []", "19:14: overrides must be a map, not a list", NULL},
        {20, "  acknowledge: single-control-plane", "20:16: acknowledge must be a list, not text", NULL},
    };
    expect_errors(rows, ARRAY_LEN(rows));
}

static void missing_keys(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, NULL, "1:1: \"apiVersion\" is missing", NULL},
        {2, NULL, "1:1: \"kind\" is missing", NULL},
        {3, NULL, "1:1: \"metadata\" is missing", NULL},
        {3, "metadata: {}", "3:11: \"name\" is missing", NULL},
        {5, NULL, "5:3: \"release\" is missing", NULL},
        {6, "  trust: []", "6:10: trust: an empty list", NULL},
        {6, "  product: [a]", "6:12: product must be text, not a list", NULL},
        {6, "  channel: ../a", "6:12: channel: not a DNS-1123 name", NULL},
        {7, NULL, "5:3: \"profile\" is missing", NULL},
        {18, "    - {roles: [worker], ssh: {address: 10.9.0.21}}", "18:7: \"name\" is missing", NULL},
        {18, "    - {name: w1, ssh: {address: 10.9.0.21}}", "18:7: \"roles\" is missing", NULL},
        {18, "    - {name: w1, roles: [worker]}", "18:7: \"ssh\" is missing", NULL},
        {18, "    - {name: w1, roles: [worker], ssh: {user: a}}", "18:40: \"address\" is missing", NULL},
        {18, "    - {name: w1, roles: [], ssh: {address: 10.9.0.21}}", "18:25: roles: none", NULL},
    };
    expect_errors(rows, ARRAY_LEN(rows));
}

static void not_yaml(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {3, "metadata: {name: lab", "4:5: did not find expected ',' or '}'", NULL},
        {3, "metadata: &m {name: lab}", "3:11: anchors (&name) are not accepted; write the value out", NULL},
        {7, "  profile: *m", "7:12: aliases (*name) are not accepted; write the value out", NULL},
        {7, "  profile: !!str minimal", "7:12: tags (!name) are not accepted", NULL},
        {7, "\tprofile: minimal", "7:1: found character that cannot start any token", NULL},
        {20, "---\nmore: 1", "21:1: a second document; this file holds one", NULL},
    };
    expect_errors(rows, ARRAY_LEN(rows));
}

/* ---- values ---- */

static void bad_values(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, "apiVersion: caisson.dev/v2", "1:13: apiVersion: not one that this caisson reads", "caisson.dev/v1"},
        {2, "kind: Component", "2:7: kind: must be Cluster", NULL},
        {5, "  release: \"\"", "5:12: release: empty", NULL},
        {5, "  release: https://dl.example/a.csn.tar", "5:12: release: an address; it must be a file here",
         "caisson bundle ingest"},
        {6, "  trust: [\"\"]", "6:11: entry: empty", NULL},
        {6, "  trust: [a.pub]\n  addons: [\"a\\nb\"]", "7:12: entry: a control character in the value", NULL},
        {6, "  trust: [a.pub]\n  addons: [\"\"]", "7:12: entry: empty", NULL},
        {11, "    dns: {upstream: [dns.example.com]}", "11:22: upstream: not the IPv4 address of a name server", NULL},
        {13, "    ssh: {user: -oProxyCommand=x}", "13:17: user: not a user's name", NULL},
        {13, "    ssh: {user: \"\"}", "13:17: user: not a user's name", NULL},
        {13, "    ssh: {port: 0}", "13:17: port: not a port", NULL},
        {13, "    ssh: {port: 65536}", "13:17: port: not a port", NULL},
        {13, "    ssh: {port: -22}", "13:17: port: not a port", NULL},
        {18, "    - {name: w1, roles: [workr], ssh: {address: 10.9.0.21}}", "18:26: unknown role \"workr\"",
         "did you mean \"worker\"?"},
        {18, "    - {name: w1, roles: [gateway], ssh: {address: 10.9.0.21}}", "18:26: unknown role \"gateway\"",
         "roles are control-plane and worker"},
        {18, "    - {name: w1, roles: [worker], ssh: {address: w1.example.com}}",
         "18:50: address: \"w1.example.com\" is no IPv4 address", NULL},
        {18, "    - {name: w1, roles: [worker], ssh: {address: 10.9.0.21, hostKey: SHA256:x}}",
         "18:70: hostKey: not a fingerprint \"SHA256:...\"", "ssh-keygen -lf"},
        {20, "  acknowledge: [single-controlplane]", "20:17: no warning is called \"single-controlplane\"",
         "did you mean \"single-control-plane\"?"},
        {20, "  acknowledge: [everything]", "20:17: no warning is called \"everything\"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_error(&rows[i]);
}

static void labels_and_taints(void **state)
{
    (void)state;
    static const char label[] = "18:%d: labels: not a Kubernetes label name and value";
    static const struct {
        const char *map;
        int col; /* 0: accepted */
    } rows[] = {
        {"labels: {zone: a}", 0},           {"labels: {example.com/zone: \"\"}", 0},
        {"labels: {zone: 7}", 0},           {"labels: {zone: true}", 0},
        {"labels: {zone: }", 77},           {"labels: {zone: [a]}", 77},
        {"labels: {zone: -a}", 77},         {"labels: {zone: a.}", 77},
        {"labels: {zone: a b}", 77},        {"labels: {\"\": a}", 75},
        {"labels: {zone/: a}", 78},         {"labels: {/zone: a}", 78},
        {"labels: {Zone.com/zone: a}", 86}, {"labels: {a/b/c: a}", 78},
        {"labels: {\"$(id)\": a}", 80},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN_FREE char *line = str_fmt("    - {name: w1, roles: [worker], ssh: {address: 10.9.0.21}, %s}", rows[i].map);
        OWN_FREE char *error = str_fmt(label, rows[i].col);
        OWN(cluster_freep) struct cluster *c = NULL;
        if (rows[i].col)
            expect_error(&(struct row){18, line, error, NULL});
        else
            OK(load_with(&c, 18, line));
    }
#define WITH_TAINT(taint) "    - {name: w1, roles: [worker], taints: [" taint "], ssh: {address: 10.9.0.21}}"
    static const struct row taints[] = {
        {18, WITH_TAINT("{key: a, effect: NoSched}"), "18:61: effect: not an effect of a taint",
         "NoSchedule, PreferNoSchedule, NoExecute"},
        {18, WITH_TAINT("{key: a}"), "18:44: \"effect\" is missing", NULL},
        {18, WITH_TAINT("{key: a=b, effect: NoExecute}"), "18:50: key: not a Kubernetes label name", NULL},
        {18, WITH_TAINT("{key: a, value: \"b:c\", effect: NoExecute}"), "18:60: value: not a Kubernetes label value",
         NULL},
    };
    expect_errors(taints, ARRAY_LEN(taints));
}

static void names(void **state)
{
    (void)state;
    char long_label[80] = {0}, long_name[300] = {0};
    memset(long_label, 'a', 64);
    for (size_t i = 0; i < 254; i++)
        long_name[i] = i % 50 == 49 ? '.' : 'a';
    const char *const bad[] = {"CP1",  "cp_1",     "-cp1",  "cp1-",     "cp 1",     "cp1.",
                               ".cp1", "cp1..lab", "cp1/x", "\xc3\xbc", long_label, long_name};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        OWN_FREE char *host = str_fmt("    - {name: \"%s\", roles: [worker], ssh: {address: 10.9.0.21}}", bad[i]);
        OWN_FREE char *cluster = str_fmt("metadata: {name: \"%s\"}", bad[i]);
        OWN_FREE char *profile = str_fmt("  profile: \"%s\"", bad[i]);
        const char *hint = "lower-case letters, digits and '-'";
        expect_error(&(struct row){18, host, "18:14: name: not a DNS-1123 name", hint});
        expect_error(&(struct row){3, cluster, "3:18: name: not a DNS-1123 name", hint});
        expect_error(&(struct row){7, profile, "7:12: profile: not a DNS-1123 name", hint});
    }
    long_label[63] = '\0';
    const char *const fine[] = {"a", "0", "w1.example.com", "a--b", long_label};
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        OWN(cluster_freep) struct cluster *c = NULL;
        OWN_FREE char *host = str_fmt("    - {name: \"%s\", roles: [worker], ssh: {address: 10.9.0.21}}", fine[i]);
        OK(load_with(&c, 18, host));
        assert_non_null(cluster_host(c, fine[i]));
    }
}

/* ---- things that do not go together ---- */

static void twins(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {18, "    - {name: cp2, roles: [worker], ssh: {address: 10.9.0.21}}",
         "18:14: duplicate host name \"cp2\" (first on line 16)", NULL},
        {18, "    - {name: w1, roles: [worker], ssh: {address: 10.9.0.13}}",
         "18:50: duplicate address 10.9.0.13 (host \"cp3\" has it)", NULL},
    };
    expect_errors(rows, ARRAY_LEN(rows));
}

static void networks(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {9, "    pods: 10.100.0.0/16", "9:11: the pod network and the service network overlap",
         "choose two blocks that share no address"},
        {10, "    services: 10.0.0.0/8", "9:11: the pod network and the service network overlap",
         "choose two blocks that share no address"},
        {9, "    pods: 0.0.0.0/0", "9:11: the pod network and the service network overlap",
         "choose two blocks that share no address"},
        {9, "    pods: 10.9.0.0/16", "15:58: address: 10.9.0.11 lies in the pod network", NULL},
        {10, "    services: 10.9.0.0/24", "15:58: address: 10.9.0.11 lies in the service network", NULL},
        {18, "    - {name: w1, roles: [worker], ssh: {address: 10.96.0.1}}",
         "18:50: address: 10.96.0.1 lies in the service network", NULL},
        {9, "    pods: 10.244.0.1/16", "9:11: pods: \"10.244.0.1/16\" is no IPv4 block", "10.244.0.0/16"},
        {9, "    pods: \"fd00::/48\"", "9:11: pods: \"fd00::/48\" is no IPv4 block", NULL},
        {10, "    services: 10.96.0.0", "10:15: services: \"10.96.0.0\" is no IPv4 block", "10.96.0.0/12"},
        {10, "    services: 10.96.0.0/28", "10:15: services: a /28 block is too small", "the least is /27"},
        {9, "    pods: 10.244.0.0/23",
         "9:11: pods: a /23 block has room for 2 nodes, which take a /24 each; there are 4 hosts",
         "use a /22 or larger"},
        {9, "    pods: 10.244.0.0/26",
         "9:11: pods: a /26 block has room for 0 nodes, which take a /24 each; there are 4 hosts",
         "use a /22 or larger"},
    };
    expect_errors(rows, ARRAY_LEN(rows));
}

/* Loads a cluster of `n` control-plane hosts. */
static struct err *load_quorum(struct cluster **ret, int n, const char *acknowledge)
{
    OWN_FOLDER char *folder = check_folder();
    OWN_BUF struct buf b = {0};
    for (int i = 0; i < 4; i++)
        OK(buf_fmt(&b, "%s\n", good[i]));
    OK(buf_fmt(&b, "  release: r\n  trust: [t]\n  profile: p\n  acknowledge: [%s]\n  hosts:\n", acknowledge));
    OK(buf_str(&b, "    - {name: w1, roles: [worker], ssh: {address: 10.9.1.1}}\n"));
    for (int i = 1; i <= n; i++)
        OK(buf_fmt(&b, "    - {name: cp%d, roles: [control-plane], ssh: {address: 10.9.0.%d}}\n", i, i));
    check_write(folder, "cluster.yaml", b.at, b.len);
    return load_file(ret, folder);
}

static void quorum(void **state)
{
    (void)state;
    static const struct {
        int n;
        const char *acknowledge, *error, *warning;
    } rows[] = {
        {0, "", "10:5: no host has the role control-plane", NULL},
        {0, "single-control-plane", "10:5: no host has the role control-plane", NULL},
        {1, "", "10:5: one control-plane node: the cluster stops when this machine stops", NULL},
        {1, "even-control-plane", "10:5: one control-plane node: the cluster stops", NULL},
        {1, "single-control-plane", NULL, NULL},
        {2, "", NULL, "2 control-plane nodes survive the loss of 0, as 1 would"},
        {2, "single-control-plane", NULL, "2 control-plane nodes survive the loss of 0, as 1 would"},
        {2, "even-control-plane", NULL, NULL},
        {3, "", NULL, NULL},
        {4, "", NULL, "4 control-plane nodes survive the loss of 1, as 3 would"},
        {4, "single-control-plane, even-control-plane", NULL, NULL},
        {5, "", NULL, NULL},
        {6, "", NULL, "6 control-plane nodes survive the loss of 2, as 5 would"},
        {7, "", NULL, NULL},
        {8, "even-control-plane", "10:5: 8 control-plane nodes; etcd works with at most 7", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN(cluster_freep) struct cluster *c = NULL;
        OWN(err_freep) struct err *e = load_quorum(&c, rows[i].n, rows[i].acknowledge);
        if (rows[i].error) {
            assert_non_null(e);
            assert_int_equal(err_exit_code(e), 64);
            assert_non_null(strstr(err_text(e), rows[i].error));
            continue;
        }
        OK(TAKE(e));
        assert_int_equal(cluster_control_planes(c), rows[i].n);
        assert_int_equal(c->warnings.n, rows[i].warning ? 1 : 0);
        if (!rows[i].warning)
            continue;
        assert_true(str_starts(c->warnings.at[0], "even-control-plane: ")); /* the name to acknowledge */
        assert_non_null(strstr(c->warnings.at[0], rows[i].warning));
    }
    OWN(cluster_freep) struct cluster *c = NULL;
    OWN(err_freep) struct err *e = load_quorum(&c, 1, "");
    assert_non_null(strstr(err_hint_text(e), "`acknowledge: [single-control-plane]`"));
}

/* ---- files ---- */

static void files(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *path = check_path(folder, "cluster.yaml");
    OWN(cluster_freep) struct cluster *c = NULL;
    OWN(err_freep) struct err *e = cluster_load(&c, path);
    assert_int_equal(err_kind(e), ERR_USAGE);
    assert_int_equal(err_exit_code(e), 64);
    assert_non_null(strstr(err_text(e), path));
    assert_non_null(strstr(err_text(e), "No such file or directory"));
    assert_string_equal(err_hint_text(e), "`caisson init` writes one to start from; -c FILE names another one");
    FAILS(ERR_USAGE, folder, cluster_load(&c, folder)); /* a folder */
    check_write(folder, "cluster.yaml", "", 0);
    FAILS(ERR_USAGE, "cluster.yaml: empty", load_file(&c, folder));
    check_write(folder, "cluster.yaml", "# nothing\n", 10);
    FAILS(ERR_USAGE, "cluster.yaml: empty", load_file(&c, folder));
    check_write(folder, "cluster.yaml", "- a\n", 4);
    FAILS(ERR_USAGE, "cluster.yaml:1:1: each entry must be a map, not a list", load_file(&c, folder));
    check_write(folder, "cluster.yaml", "a: b\0c", 6);
    FAILS(ERR_USAGE, "cluster.yaml:1:5: ", load_file(&c, folder));
    check_write(folder, "cluster.yaml", "a: \xff\n", 5);
    FAILS(ERR_USAGE, "cluster.yaml:1:4: ", load_file(&c, folder));
    assert_null(c);
}

static void addons(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN(cluster_freep) struct cluster *c = NULL;
    write_with(folder, 6, "  trust: [release.pub]\n  addons: [more/a.csn.tar, /b.csn.tar]");
    OK(load_file(&c, folder));
    OWN_FREE char *first = str_fmt("%s/more/a.csn.tar", c->dir);
    assert_int_equal(c->addons.n, 2);
    assert_string_equal(c->addons.at[0], first);
    assert_string_equal(c->addons.at[1], "/b.csn.tar");
    cluster_free(TAKE(c));
    write_with(folder, 6, "  trust: [release.pub]\n  addons: []");
    OK(load_file(&c, folder));
    assert_int_equal(c->addons.n, 0);
}

static void values(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *real = realpath(folder, NULL);
    OWN(cluster_freep) struct cluster *c = NULL;
    write_with(folder, 18,
               "    - {name: w1, roles: [worker, control-plane], labels: {a: b}, "
               "ssh: {address: 10.9.0.21, user: root, port: 2222, key: /k, hostKey: "
               "\"SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO+/\"}}");
    OK(load_file(&c, folder));
    OWN_FREE char *release = str_fmt("%s/minimal.csn.tar", real), *trust = str_fmt("%s/release.pub", real);
    OWN_FREE char *key = str_fmt("%s/.ssh/id", getenv("HOME")), *vault = cluster_path(c, "secrets.vault");
    OWN_FREE char *vault_want = str_fmt("%s/secrets.vault", real);
    assert_string_equal(c->name, "lab");
    assert_string_equal(c->dir, real);
    assert_string_equal(c->release, release);
    assert_string_equal(c->trust.at[0], trust);
    assert_string_equal(vault, vault_want);
    assert_string_equal(c->api_address, "10.96.0.1");
    assert_string_equal(c->dns_address, "10.96.0.10");
    assert_int_equal(c->n_hosts, 4);
    assert_string_equal(c->hosts[0].user, "admin");
    assert_string_equal(c->hosts[0].key, key);
    assert_int_equal(c->hosts[0].port, 22);
    assert_true(c->hosts[0].control_plane && !c->hosts[0].worker);
    const struct host *w = cluster_host(c, "w1");
    assert_true(w && w->control_plane && w->worker && w->port == 2222);
    assert_string_equal(w->user, "root");
    assert_string_equal(w->key, "/k");
    assert_string_equal(doc_text(w->labels, "a"), "b");
    assert_null(cluster_host(c, "w2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_keys), cmocka_unit_test(duplicate_keys),
        cmocka_unit_test(wrong_types),  cmocka_unit_test(missing_keys),
        cmocka_unit_test(not_yaml),     cmocka_unit_test(bad_values),
        cmocka_unit_test(names),        cmocka_unit_test(labels_and_taints),
        cmocka_unit_test(twins),        cmocka_unit_test(networks),
        cmocka_unit_test(quorum),       cmocka_unit_test(files),
        cmocka_unit_test(addons),       cmocka_unit_test(values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
