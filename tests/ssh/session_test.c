/* The ssh room against a real sshd. */
#include "check.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "ssh/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static struct rig rig;
static const char *no_rig;

static int group_setup(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN); /* as every caller of ssh_exec() does: who writes after the end gets EPIPE */
    no_rig = rig_start(&rig, "");
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    if (!no_rig)
        rig_stop(&rig);
    return 0;
}

#define NEED_RIG()                                                                                                     \
    do {                                                                                                               \
        if (no_rig) {                                                                                                  \
            print_message("%s\n", no_rig);                                                                             \
            skip();                                                                                                    \
        }                                                                                                              \
    } while (0)

/* Runs a command with `input`, returns its status; output in `out`. */
static int run(const struct ssh_target *t, const char *command, const char *input, struct buf *out)
{
    OWN(ssh_freep) struct ssh *s = NULL;
    OWN_FD int fd = -1;
    int status = -1;
    OK(ssh_open(&s, t, NULL));
    OK(ssh_exec(s, command, &fd));
    OK(fd_write_all(fd, input, strlen(input)));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    OK(fd_read_all(fd, out));
    OK(ssh_wait(s, &status, clock_ms() + 20000, NULL));
    return status;
}

static void test_login_and_run(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    OWN_BUF struct buf out = {0};
    assert_int_equal(run(&t, "cat; exit 7", "hello", &out), 7);
    assert_string_equal(buf_text(&out), "hello");
    assert_int_equal(run(&t, "kill -9 $$", "", &out), 255);
}

static void test_every_key_type(void **state)
{
    (void)state;
    NEED_RIG();
    const char *const types[] = {"ed25519", "ecdsa", "rsa"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const char *keys[1];
        struct ssh_target t = rig_target(&rig, keys);
        OWN_FREE char *file = str_fmt("%s/user_%s", rig.dir, types[i]);
        keys[0] = file;
        OWN_BUF struct buf out = {0};
        assert_int_equal(run(&t, "true", "", &out), 0);
    }
}

static void test_wrong_key(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    struct ssh *s = NULL;
    keys[0] = rig.other_key;
    struct err *e = ssh_open(&s, &t, NULL);
    assert_non_null(e);
    assert_non_null(strstr(err_text(e), rig.other_key));
    assert_non_null(strstr(err_text(e), "publickey"));
    assert_non_null(strstr(err_hint_text(e), "authorized_keys"));
    FAILS(ERR_UNREACHABLE, "refused by the machine", e);
    keys[0] = "/nonexistent/key";
    FAILS(ERR_UNREACHABLE, "/nonexistent/key (no such file)", ssh_open(&s, &t, NULL));
    t.user = "nobody-of-that-name";
    keys[0] = rig.key;
    FAILS(ERR_UNREACHABLE, "login as nobody-of-that-name refused", ssh_open(&s, &t, NULL));
}

/* Keys with a passphrase are the agent's business. */
static void test_agent(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    OWN_FREE char *place = str_fmt("%s/agent", rig.dir);
    const char *const start[] = {"ssh-agent", "-D", "-a", place, NULL}, *const add[] = {"ssh-add", "-q", rig.key, NULL};
    const char *const add_other[] = {"ssh-add", "-q", rig.other_key, NULL};
    pid_t agent = -1;
    struct ssh *s = NULL;
    OWN_BUF struct buf out = {0};
    t.n_key_files = 0;
    t.no_agent = false;
    assert_int_equal(setenv("SSH_AUTH_SOCK", place, 1), 0);
    FAILS(ERR_UNREACHABLE, "agent (does not answer)", ssh_open(&s, &t, NULL));
    assert_int_equal(posix_spawnp(&agent, start[0], NULL, NULL, (char *const *)start, environ), 0);
    for (int i = 0; i < 100 && !file_exists(AT_FDCWD, place); i++)
        clock_sleep_ms(20);
    FAILS(ERR_UNREACHABLE, "agent (", ssh_open(&s, &t, NULL));
    OK(child_run(add_other, &(struct child_opts){.timeout_ms = 10000}, NULL));
    FAILS(ERR_UNREACHABLE, "agent (1 refused)", ssh_open(&s, &t, NULL));
    OK(child_run(add, &(struct child_opts){.timeout_ms = 10000}, NULL));
    assert_int_equal(run(&t, "true", "", &out), 0);
    assert_int_equal(kill(agent, SIGTERM), 0);
    assert_int_equal(waitpid(agent, NULL, 0), agent);
    assert_int_equal(unsetenv("SSH_AUTH_SOCK"), 0);
}

static void test_key_others_can_read(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    struct ssh *s = NULL;
    assert_int_equal(chmod(rig.key, 0644), 0);
    struct err *e = ssh_open(&s, &t, NULL);
    assert_int_equal(chmod(rig.key, 0600), 0);
    FAILS(ERR_UNREACHABLE, "chmod 600", e);
}

static void test_unknown_host_key(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    struct ssh *s = NULL;
    t.known_hosts = "/nonexistent/known_hosts";
    struct err *e = ssh_open(&s, &t, NULL);
    assert_non_null(e);
    assert_non_null(strstr(err_hint_text(e), "caisson trust host cp-1"));
    FAILS(ERR_UNTRUSTED, "not known yet", e);
}

static void test_changed_host_key(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    struct ssh *s = NULL;
    OWN_BUF struct buf pub = {0}, line = {0};
    OWN_FREE char *file = str_fmt("%s.pub", rig.other_key);
    OK(file_read(&pub, AT_FDCWD, file));
    OK(buf_fmt(&line, "[127.0.0.1]:%d %s", rig.port, buf_text(&pub)));
    OK(file_replace(AT_FDCWD, rig.known, line.at, line.len, 0600));
    FAILS(ERR_UNTRUSTED, "not the one in", ssh_open(&s, &t, NULL));
    rig_know(&rig, "ed25519", false);
}

static void test_revoked_host_key(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    struct ssh *s = NULL;
    OWN_BUF struct buf known = {0}, both = {0};
    OK(file_read(&known, AT_FDCWD, rig.known));
    OK(buf_fmt(&both, "%s@revoked %s", buf_text(&known), buf_text(&known)));
    OK(file_replace(AT_FDCWD, rig.known, both.at, both.len, 0600));
    FAILS(ERR_UNTRUSTED, "revoked", ssh_open(&s, &t, NULL));
    rig_know(&rig, "ed25519", false);
}

/* The machine has three host keys; the file names only one of them, so that one must be asked for. */
static void test_known_hosts_decides_the_algorithm(void **state)
{
    (void)state;
    NEED_RIG();
    const char *const types[] = {"rsa", "ecdsa", "ed25519"};
    for (size_t i = 0; i < 2 * ARRAY_LEN(types); i++) {
        const char *keys[1];
        struct ssh_target t = rig_target(&rig, keys);
        OWN_BUF struct buf out = {0};
        rig_know(&rig, types[i / 2], i % 2);
        assert_int_equal(run(&t, "true", "", &out), 0);
    }
    rig_know(&rig, "ed25519", false);
}

static void test_pinned_fingerprint(void **state)
{
    (void)state;
    NEED_RIG();
    const char *const types[] = {"ed25519", "ecdsa", "rsa"};
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    struct ssh *s = NULL;
    t.known_hosts = NULL;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        char pin[80];
        OWN_BUF struct buf out = {0};
        rig_fingerprint(&rig, types[i], pin);
        t.host_key = pin;
        assert_int_equal(run(&t, "true", "", &out), 0);
    }
    t.host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    FAILS(ERR_UNTRUSTED, "pinned for it", ssh_open(&s, &t, NULL));
    t.host_key = "SHA256:"; /* a prefix of the right one is not the right one */
    FAILS(ERR_UNTRUSTED, "pinned for it", ssh_open(&s, &t, NULL));
    t.host_key = "MD5:aa:bb";
    FAILS(ERR_USAGE, "SHA256:", ssh_open(&s, &t, NULL));
}

static void test_host_key_for_trust(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    OWN(ssh_host_key_done) struct ssh_host_key k = {0};
    char want[80];
    t.known_hosts = NULL;
    OK(ssh_host_key(&k, &t, NULL));
    rig_fingerprint(&rig, "ed25519", want);
    assert_string_equal(k.fingerprint, want);
    assert_string_equal(k.type, "ssh-ed25519");
    OWN_FREE char *line = str_fmt("%s\n", k.line);
    OK(file_replace(AT_FDCWD, rig.known, line, strlen(line), 0600));
    t.known_hosts = rig.known;
    OWN_BUF struct buf out = {0};
    assert_int_equal(run(&t, "true", "", &out), 0);
}

static void test_stderr_is_kept(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    OWN(ssh_freep) struct ssh *s = NULL;
    OWN_FD int fd = -1;
    OWN_BUF struct buf out = {0};
    char tail[SSH_STDERR_MAX + 1];
    int status = -1;
    OK(ssh_open(&s, &t, NULL));
    OK(ssh_exec(s, "i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; echo out", &fd));
    OK(fd_read_all(fd, &out));
    OK(ssh_wait(s, &status, clock_ms() + 20000, NULL));
    ssh_stderr(s, tail);
    assert_int_equal(strlen(tail), SSH_STDERR_MAX);
    assert_non_null(strstr(tail, "line 1999\n"));
    assert_string_equal(buf_text(&out), "out\n");
}

/* ---- much data ---- */

#define MUCH ((uint64_t)200 << 20)

/* Byte stream number `seed`, eight bytes at a time. */
static void stream_fill(uint64_t *p, size_t words, uint64_t at, uint64_t seed)
{
    for (size_t i = 0; i < words; i++)
        p[i] = (at / 8 + i + seed) * 0x9e3779b97f4a7c15u;
}

struct sender {
    int fd;
    uint64_t total, seed;
};

static void *send_main(void *p)
{
    struct sender *s = p;
    static const size_t words = 8192;
    uint64_t *chunk = malloc(words * 8);
    for (uint64_t at = 0; chunk && at < s->total; at += words * 8) {
        stream_fill(chunk, words, at, s->seed);
        struct err *e = fd_write_all(s->fd, chunk, words * 8);
        if (e) {
            err_free(e);
            break;
        }
    }
    (void)shutdown(s->fd, SHUT_WR);
    free(chunk);
    return NULL;
}

static uint64_t receive_all(int fd, uint64_t seed)
{
    size_t words = 8192;
    uint64_t at = 0, *got = malloc(words * 8), *want = malloc(words * 8);
    assert_true(got && want);
    for (;; at += words * 8) {
        bool eof = false;
        struct err *e = fd_read_exact(fd, got, words * 8, &eof);
        if (eof || e) {
            err_free(e);
            break;
        }
        stream_fill(want, words, at, seed);
        assert_memory_equal(got, want, words * 8);
    }
    free(got);
    free(want);
    return at;
}

static void both_ways(const struct rig *r, uint64_t total)
{
    const char *keys[1];
    struct ssh_target t = rig_target(r, keys);
    OWN(ssh_freep) struct ssh *s = NULL;
    OWN_FD int fd = -1;
    int status = -1;
    pthread_t thread;
    OK(ssh_open(&s, &t, NULL));
    OK(ssh_exec(s, "cat", &fd));
    struct sender sender = {fd, total, 7};
    assert_int_equal(pthread_create(&thread, NULL, send_main, &sender), 0);
    uint64_t got = receive_all(fd, 7);
    assert_int_equal(pthread_join(thread, NULL), 0);
    OK(ssh_wait(s, &status, clock_ms() + 20000, NULL));
    assert_int_equal(status, 0);
    assert_int_equal(got, total);
}

static void test_much_data_both_ways(void **state)
{
    (void)state;
    NEED_RIG();
    both_ways(&rig, MUCH);
}

static void test_rekey_in_between(void **state)
{
    (void)state;
    NEED_RIG();
    struct rig r;
    assert_null(rig_start(&r, "RekeyLimit 8M\n"));
    both_ways(&r, MUCH / 4);
    rig_stop(&r);
}

static void test_each_cipher(void **state)
{
    (void)state;
    NEED_RIG();
    const char *const ciphers[] = {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com",
                                   "aes128-ctr", "aes256-ctr"};
    for (size_t i = 0; i < ARRAY_LEN(ciphers); i++) {
        struct rig r;
        OWN_FREE char *line = str_fmt("Ciphers %s\n", ciphers[i]);
        assert_null(rig_start(&r, line));
        both_ways(&r, (uint64_t)4 << 20);
        rig_stop(&r);
    }
}

static void test_peer_killed(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    OWN(ssh_freep) struct ssh *s = NULL;
    OWN_FD int fd = -1;
    pthread_t thread;
    OK(ssh_open(&s, &t, NULL));
    OK(ssh_exec(s, "sleep 0.3; kill -9 $PPID; sleep 1", &fd));
    struct sender sender = {fd, MUCH, 1};
    assert_int_equal(pthread_create(&thread, NULL, send_main, &sender), 0);
    struct err *e = ssh_wait(s, NULL, clock_ms() + 20000, NULL);
    assert_non_null(e);
    assert_non_null(strstr(err_text(e), "cp-1 (127.0.0.1:"));
    FAILS(ERR_UNREACHABLE, "connection", e); /* seen by itself: not by the deadline, which says "timed out" */
    assert_int_equal(receive_all(fd, 1), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* The caller walks away from a command that talks without end. */
static void test_free_while_running(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    struct ssh *s = NULL;
    int fd = -1;
    OK(ssh_open(&s, &t, NULL));
    OK(ssh_exec(s, "cat /dev/zero", &fd));
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
    int64_t from = clock_ms();
    ssh_free(s);
    assert_in_range(clock_ms() - from, 0, 1000);
    (void)close(fd);
}

/* ---- connecting ---- */

static int listen_only(int *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static void *cancel_soon(void *p)
{
    clock_sleep_ms(150);
    cancel_set(p);
    return NULL;
}

static void test_cancel_and_timeout(void **state)
{
    (void)state;
    struct ssh_target t = {.name = "cp-1", .address = "127.0.0.1", .user = "root"};
    OWN_FD int silent = listen_only(&t.port);
    OWN(cancel_done) struct cancel c = {-1};
    struct ssh *s = NULL;
    pthread_t thread;
    assert_true(silent >= 0);
    OK(cancel_init(&c));
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &c), 0);
    int64_t from = clock_ms();
    FAILS(ERR_CANCELLED, "cancelled", ssh_open(&s, &t, &c));
    assert_in_range(clock_ms() - from, 100, 1500);
    assert_int_equal(pthread_join(thread, NULL), 0);
    t.timeout_ms = 300;
    from = clock_ms();
    FAILS(ERR_UNREACHABLE, "timed out", ssh_open(&s, &t, NULL));
    assert_in_range(clock_ms() - from, 250, 2000);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct ssh_target t = {.name = "cp-1", .address = "127.0.0.1", .user = "root"};
    struct ssh *s = NULL;
    int fd = listen_only(&t.port);
    (void)close(fd);
    FAILS(ERR_UNREACHABLE, "Connection refused", ssh_open(&s, &t, NULL));
    t.address = "no-such-host.invalid";
    FAILS(ERR_UNREACHABLE, "look up no-such-host.invalid", ssh_open(&s, &t, NULL));
}

static void *one_session(void *p)
{
    const struct ssh_target *t = p;
    OWN_BUF struct buf out = {0};
    OWN(ssh_freep) struct ssh *s = NULL;
    OWN_FD int fd = -1;
    struct err *e = ssh_open(&s, t, NULL);
    if (!e)
        e = ssh_exec(s, "head -c 1000000 /dev/zero", &fd);
    if (!e)
        e = fd_read_all(fd, &out);
    if (!e && out.len != 1000000)
        e = err_new(ERR_FAILED, "%zu bytes", out.len);
    return e;
}

static void test_twenty_at_once(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1];
    struct ssh_target t = rig_target(&rig, keys);
    pthread_t threads[20];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_session, &t), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *e = NULL;
        assert_int_equal(pthread_join(threads[i], &e), 0);
        OK(e);
    }
}

static void test_through_a_jump_host(void **state)
{
    (void)state;
    NEED_RIG();
    const char *keys[1], *jump_keys[1];
    struct ssh_target jump = rig_target(&rig, jump_keys), t = rig_target(&rig, keys);
    OWN_BUF struct buf out = {0};
    struct ssh *s = NULL;
    jump.name = "bastion";
    t.jump = &jump;
    assert_int_equal(run(&t, "cat; exit 3", "through", &out), 3);
    assert_string_equal(buf_text(&out), "through");
    jump_keys[0] = rig.other_key;
    FAILS(ERR_UNREACHABLE, "through its jump host: bastion", ssh_open(&s, &t, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login_and_run),
        cmocka_unit_test(test_every_key_type),
        cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_agent),
        cmocka_unit_test(test_key_others_can_read),
        cmocka_unit_test(test_unknown_host_key),
        cmocka_unit_test(test_changed_host_key),
        cmocka_unit_test(test_revoked_host_key),
        cmocka_unit_test(test_known_hosts_decides_the_algorithm),
        cmocka_unit_test(test_pinned_fingerprint),
        cmocka_unit_test(test_host_key_for_trust),
        cmocka_unit_test(test_stderr_is_kept),
        cmocka_unit_test(test_much_data_both_ways),
        cmocka_unit_test(test_rekey_in_between),
        cmocka_unit_test(test_each_cipher),
        cmocka_unit_test(test_peer_killed),
        cmocka_unit_test(test_free_while_running),
        cmocka_unit_test(test_cancel_and_timeout),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_twenty_at_once),
        cmocka_unit_test(test_through_a_jump_host),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
