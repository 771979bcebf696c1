/* Results, exit codes, the three faces, questions and signals. ops/ behind the command line is a fake (fake_ops.c). */
#include "run.h"

#include <ctype.h>
#include <sys/stat.h>

static void plan_and_its_exit_codes(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome none = RUN(NULL, "plan");
    expect(&none, 0, "0 changes\n", "    0.0  cp-1: connect\n    0.0  cp-1: connected\n");
    OWN_OUTCOME struct outcome some = RUN("FAKE=changes", "plan");
    expect(&some, 2,
           "cp-1: activate generation 0123456789ab on an empty node\ncp-1:   start etcd.service\n"
           "cluster: apply v1 ConfigMap kube-system/coredns\ncluster: prune v1 Service default/old\n"
           "cluster: set labels and taints of node w-1\n4 changes\n",
           NULL);
    OWN_OUTCOME struct outcome json = RUN("FAKE=changes", "plan", "-ojson");
    expect(&json, 2, NULL, NULL);
    has(json.out, "{\"changes\":4,");
    OWN_OUTCOME struct outcome refused = RUN(NULL, "preflight");
    expect(&refused, 6,
           "fail  cp-1: disk: 1.0 GB, wanted 2.0 GB\n      fix: make room\nhosts: 1; checks: 1 passed, 0 warned, 1 "
           "failed\n",
           "error: 1 check failed\n  fix: correct it\n");
    OWN_OUTCOME struct outcome file = RUN("FAKE=bad-file", "validate", "--no-bundle");
    expect(&file, 64, "",
           "    0.0  without bundle\nerror: cluster.yaml:3:5: unknown key \"hots\"\n  fix: did you mean \"hosts\"?\n");
}

static void apply_tells(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome none = RUN("FAKE=none", "apply");
    expect(&none, 0, "0 changes\n", NULL);
    OWN_OUTCOME struct outcome done = RUN(NULL, "apply", "-c", "cluster.yaml");
    expect(&done, 0,
           "cp-1: started etcd.service\n4 changes in 41 s\nnext:\n  caisson -c cluster.yaml status\n"
           "  caisson -c cluster.yaml kubeconfig --out kubeconfig\n"
           "  kubectl --kubeconfig kubeconfig get pods --all-namespaces\n",
           NULL);
    has(done.err, "  w-1: failed: no ?[2Jroom left\n");
    OWN_OUTCOME struct outcome part = RUN("FAKE=partial", "apply");
    expect(&part, 5,
           "cp-1: started etcd.service\nstopped before the end; 4 changes were planned\ndone: cp-1\nnot done: objects "
           "of the cluster\n",
           NULL);
    has(part.err, "error: 1 of 2 hosts failed:\n       w-1: no room\n");
}

static void status_is_one_screen(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome o = RUN(NULL, "status");
    expect(&o, 3, /* a host is unreachable */
           "cluster plant-7: NOT READY\nrelease minimal 1.36.3 (0123456789ab)\n"
           "add-on  minimal-test 1.36.2 (456789abcdef)\n\n"
           "NODE  ROLES                 STATE        KUBERNETES  VERSION  GENERATION\n"
           "cp-1  control-plane,worker  degraded     Ready       v1.36.3  4 (aaaaaaaaaaaa)\n"
           "w-1   worker                unreachable  -           -        -, wanted bbbbbbbbbbbb\n"
           "  connect: timed out\n\n"
           "unit    cp-1: kubelet.service is failed (failed)\nunits   1 of 2 run\n"
           "certs   the first to expire is kubelet of cp-1, on 2027-01-02: 200 days left\n"
           "etcd    healthy, 1 member, leader cp-1, version 3.6.16\netcd    cp-1: healthy, "
           "leader\nAPI     ready\n",
           "");
}

/* Times differ from run to run: "ms":123 becomes "ms":0. */
static void blank_times(char *s)
{
    for (char *at = s; (at = strstr(at, "\"ms\":")); at++) {
        char *from = at + 5, *to = from;
        while (isdigit((unsigned char)*to))
            to++;
        *from = '0';
        memmove(from + 1, to, strlen(to) + 1);
    }
}

static void json_lines(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome o = RUN("FAKE=partial", "apply", "-o", "json");
    blank_times(o.err);
    expect(&o, 5, NULL,
           "{\"event\":\"step\",\"host\":\"cp-1\",\"ms\":0,\"text\":\"activate generation\"}\n"
           "{\"done\":200,\"event\":\"progress\",\"host\":\"w-1\",\"ms\":0,\"text\":\"send etcd\",\"total\":200}\n"
           "{\"event\":\"failed\",\"host\":\"w-1\",\"ms\":0,\"text\":\"no ?[2Jroom\\nleft\"}\n"
           "{\"event\":\"done\",\"host\":\"cp-1\",\"ms\":0,\"text\":\"generation is active\"}\n"
           "{\"error\":{\"kind\":\"partial\",\"text\":\"1 of 2 hosts failed:\\nw-1: no room\"}}\n");
    has(o.out, "\"milliseconds\":40500,");
}

static void kubeconfig_file(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *path = check_path(folder, "kubeconfig");
    OWN_BUF struct buf text = {0};
    struct stat st;
    OWN_OUTCOME struct outcome o = RUN(NULL, "kubeconfig", "--out", path);
    expect(&o, 0, NULL, "");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    OK(file_read(&text, AT_FDCWD, path));
    assert_string_equal(buf_text(&text), "apiVersion: v1\nkind: Config\nvia: first\nhours: 24\n");
    OWN_OUTCOME struct outcome json = RUN(NULL, "kubeconfig", "-o", "json");
    expect(&json, 0, "{\"apiVersion\":\"v1\",\"hours\":24,\"kind\":\"Config\",\"via\":\"first\"}\n", "");
}

static void no_terminal_no_question(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome reset = RUN(NULL, "reset");
    expect(&reset, 64, "",
           "error: reset asks first, and there is no terminal to ask on\n"
           "  fix: caisson reset --yes, when every host of cluster plant-7 shall be wiped\n");
    OWN_OUTCOME struct outcome one = RUN(NULL, "trust", "host", "--accept", "SHA256:AAA");
    expect(&one, 6, "pinned  cp-1  ssh-ed25519  SHA256:AAA\nkept    cp-2\n", NULL);
    has(one.err, "w-1: 10.0.0.2 has ssh-ed25519 key SHA256:BBB\n");
    OWN_OUTCOME struct outcome both = RUN(NULL, "trust", "host", "--accept", "SHA256:AAA", "--accept=SHA256:BBB");
    expect(&both, 0, NULL, "");
    OWN_OUTCOME struct outcome none = RUN(NULL, "trust", "host");
    expect(&none, 6, "kept    cp-2\n", NULL);
    OWN_OUTCOME struct outcome blind = RUN(NULL, "trust", "host", "--yes");
    expect(&blind, 64, "", NULL);
    OWN_OUTCOME struct outcome word = RUN(NULL, "trust", "host", "--accept", "yes");
    expect(&word, 64, "", NULL);
}

/* ---- on a terminal ---- */

static void live_lines(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome o = RUN_TERMINAL(NULL, 80, NULL, "apply");
    expect(&o, 0, NULL, NULL);
    has(o.out, "cp-1       0 s  activate generation\r\n");
    has(o.out, "w-1    \033[31m failed\033[0m  no ?[2Jroom left\r\n");
    has(o.out, "total  0 s, 2 hosts: 1 working, 0 done, 1 failed\r\n");
    has(o.out, "\033[3A\033[J");
    has(o.out, "cp-1   \033[32m     ok\033[0m  generation is active\r\n"); /* the last frame stays, above the result */
    assert_true(strstr(strstr(o.out, "     ok"), "4 changes in 41 s") != NULL);
}

static void lines_of_verbs_that_look_go(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome o = RUN_TERMINAL("NO_COLOR=1", 80, NULL, "plan");
    expect(&o, 0, NULL, NULL);
    const char *frame = strstr(o.out, "connected\r\n"); /* a frame only when the machine was slow */
    assert_true(!frame || strstr(frame, "A\033[J"));
    assert_null(strstr(o.out, "\033[32m"));
    has(o.out, "0 changes\r\n");
}

static void narrow_terminal(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome o = RUN_TERMINAL("NO_COLOR=1", 30, NULL, "apply");
    expect(&o, 0, NULL, NULL);
    has(o.out, "cp-1       0 s  activate gener\r\n");
    has(o.out, "total  0 s, 2 hosts: 1 working\r\n");
}

static void dumb_terminal_gets_plain_lines(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome o = RUN_TERMINAL("TERM=dumb", 80, NULL, "apply");
    expect(&o, 0, NULL, NULL);
    has(o.out, "    0.0  cp-1: activate generation\r\n");
    assert_null(strchr(o.out, '\033'));
}

static void reset_wants_the_name(void **state)
{
    (void)state;
    static const struct cue good[] = {{.seen = "go on: ", .type = "plant-7\n"}, {0}};
    static const struct cue bad[] = {{.seen = "go on: ", .type = "yes\n"}, {0}};
    static const struct cue stop[] = {{.seen = "go on: ", .type = "\003"}, {0}};
    OWN_OUTCOME struct outcome a = RUN_TERMINAL(NULL, 80, good, "reset");
    expect(&a, 0, NULL, NULL);
    has(a.out, "all: 7 paths");
    OWN_OUTCOME struct outcome b = RUN_TERMINAL(NULL, 80, bad, "reset", "w-1");
    expect(&b, 6, NULL, NULL);
    has(b.out, "nothing was touched");
    OWN_OUTCOME struct outcome c = RUN_TERMINAL(NULL, 80, stop, "reset");
    expect(&c, 130, NULL, NULL);
}

static void trust_asks_for_each_key(void **state)
{
    (void)state;
    static const struct cue cues[] = {
        {.seen = "cp-1  10.0.0.1  ssh-ed25519 key SHA256:AAA\r\n  trust it? [y/N] ", .type = "y\n"},
        {.seen = "SHA256:BBB\r\n  trust it? [y/N] ", .type = "\n"},
        {0},
    };
    OWN_OUTCOME struct outcome o = RUN_TERMINAL(NULL, 80, cues, "trust", "host");
    expect(&o, 6, NULL, NULL);
    has(o.out, "pinned  cp-1  ssh-ed25519  SHA256:AAA\r\n");
    has(o.out, "1 host key was not accepted");
}

static void interrupts(void **state)
{
    (void)state;
    static const struct cue once[] = {{.seen = "activate", .signal = SIGINT}, {0}};
    static const struct cue twice[] = {
        {.seen = "activate", .type = "\003"}, {.seen = "Ctrl-C again stops at once", .type = "\003"}, {0}};
    OWN_OUTCOME struct outcome safe = RUN_TERMINAL("FAKE=slow", 80, once, "apply");
    expect(&safe, 130, NULL, NULL);
    has(safe.out, "stopping after the running step; Ctrl-C again stops at once\r\n");
    has(safe.out, "ok\033[0m  generation is active\r\n"); /* the step was finished */
    has(safe.out, "cancelled");
    OWN_OUTCOME struct outcome now = RUN_TERMINAL("FAKE=hang", 80, twice, "apply");
    expect(&now, 130, NULL, NULL);
    has(now.out, "stopped  activate generation\r\n");
}

static void broken_pipe(void **state)
{
    (void)state;
    const char *const argv[] = {"/bin/bash", "-c", "\"$0\" help | true; echo ${PIPESTATUS[0]}", PROGRAM, NULL};
    OWN_OUTCOME struct outcome o = run_plain(NULL, argv);
    expect(&o, 0, "0\n", "");
    const char *const full[] = {"/bin/bash", "-c", "\"$0\" help > /dev/full", PROGRAM, NULL};
    OWN_OUTCOME struct outcome f = run_plain(NULL, full);
    expect(&f, 1, "", NULL);
    has(f.err, "error: write the result: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_and_its_exit_codes),
        cmocka_unit_test(apply_tells),
        cmocka_unit_test(status_is_one_screen),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(kubeconfig_file),
        cmocka_unit_test(no_terminal_no_question),
        cmocka_unit_test(live_lines),
        cmocka_unit_test(lines_of_verbs_that_look_go),
        cmocka_unit_test(narrow_terminal),
        cmocka_unit_test(dumb_terminal_gets_plain_lines),
        cmocka_unit_test(reset_wants_the_name),
        cmocka_unit_test(trust_asks_for_each_key),
        cmocka_unit_test(interrupts),
        cmocka_unit_test(broken_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
