/* Many machines at once, some of which fail: sessions, the helper's way there, calls, bodies, tunnels, cancel. */
#include "run/machines.h"
#include "run/node.h"
#include "run/pool.h"

#include "base/clock.h"
#include "crypt/digest.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { MACHINES = 6, BODY = 700000 };

static struct machines lab;
static const char *no_lab;

static int group_setup(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    no_lab = machines_start(&lab, MACHINES);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    if (!no_lab)
        machines_stop(&lab);
    return 0;
}

#define NEED_LAB()                                                                                                     \
    do {                                                                                                               \
        if (no_lab) {                                                                                                  \
            print_message("%s\n", no_lab);                                                                             \
            skip();                                                                                                    \
        }                                                                                                              \
        for (size_t machine = 0; machine < lab.n; machine++)                                                           \
            machines_set(&lab, machine, "");                                                                           \
    } while (0)

/* ---- one run over all machines ---- */

struct job {
    struct cancel cancel;
    struct node *node[MACHINES];
    uint64_t sent[MACHINES]; /* bytes of a helper */
    struct err *error[MACHINES];
    atomic_int opened, under_way;
};

static void job_start(struct job *j)
{
    *j = (struct job){0};
    OK(cancel_init(&j->cancel));
}

static void job_end(struct job *j)
{
    for (size_t i = 0; i < lab.n; i++) {
        node_free(j->node[i]);
        err_free(j->error[i]);
    }
    cancel_done(&j->cancel);
}

#define OWN_JOB OWN(job_end)

static struct err *open_one(void *arg, size_t i)
{
    struct job *j = arg;
    struct err *e = node_open(&j->node[i], &lab.at[i], "/nonexistent", &j->cancel, &j->sent[i]);
    atomic_fetch_add(&j->opened, 1);
    return e;
}

/* All errors but those of `bad` (one bit a machine) are NULL. */
static void only_fail(const struct job *j, unsigned bad)
{
    for (size_t i = 0; i < lab.n; i++) {
        if (j->error[i] && !(bad & (1u << i)))
            print_error("%s: %s\n", lab.names[i], err_text(j->error[i]));
        assert_int_equal(j->error[i] != NULL, (bad & (1u << i)) != 0);
    }
}

static void run_all(struct job *j, struct err *(*fn)(void *arg, size_t i), size_t limit)
{
    for (size_t i = 0; i < lab.n; i++) {
        err_free(j->error[i]);
        j->error[i] = NULL;
    }
    pool_run(lab.n, limit, fn, j, j->error);
}

/* ---- what runs on each ---- */

static struct err *produce(void *arg, int fd)
{
    return fd_write_all(fd, arg, BODY);
}

/* Stores a blob that differs from machine to machine, and sees that it is there. */
static struct err *put_blob(struct job *j, size_t i)
{
    OWN_FREE char *bytes = malloc(BODY);
    char hex[DIGEST_HEX];
    memset(bytes, (int)('a' + i), BODY);
    TRY(digest_hex(hex, bytes, BODY));
    struct doc *args = doc_new_map(), *ask = doc_new_map();
    doc_set_text(args, "digest", hex);
    doc_set_int(args, "size", BODY);
    doc_add_text(doc_set(ask, "blobs", doc_new_list()), hex);
    TRY(node_send(NULL, j->node[i], "blob.put", args, &(struct wire_body){.produce = produce, .arg = bytes},
                  &j->cancel));
    OWN_DOC struct doc *have = NULL;
    TRY(node_call(&have, j->node[i], "store.have", ask, &j->cancel));
    return doc_len(doc_path(have, "missing.blobs")) ? err_new(ERR_FAILED, "the blob is not there") : NULL;
}

struct caller {
    struct job *j;
    size_t i;
    struct err *error;
    pthread_t thread;
};

static void *caller_main(void *arg)
{
    struct caller *c = arg;
    for (int n = 0; !c->error && n < 10; n++) {
        OWN_DOC struct doc *reply = NULL;
        c->error = node_call(&reply, c->j->node[c->i], "hello", NULL, &c->j->cancel);
    }
    return NULL;
}

/* Several threads share one connection while a body goes over it. */
static struct err *work_one(void *arg, size_t i)
{
    struct job *j = arg;
    struct caller callers[3];
    for (size_t k = 0; k < ARRAY_LEN(callers); k++) {
        callers[k] = (struct caller){.j = j, .i = i};
        assert_int_equal(pthread_create(&callers[k].thread, NULL, caller_main, &callers[k]), 0);
    }
    struct err *e = put_blob(j, i);
    for (size_t k = 0; k < ARRAY_LEN(callers); k++) {
        assert_int_equal(pthread_join(callers[k].thread, NULL), 0);
        if (e)
            err_free(callers[k].error);
        else
            e = callers[k].error;
    }
    return e;
}

static void all_at_once(void **state)
{
    (void)state;
    NEED_LAB();
    for (int round = 0; round < 2; round++) {
        OWN_JOB struct job j;
        job_start(&j);
        run_all(&j, open_one, round ? 2 : MACHINES);
        only_fail(&j, 0);
        for (size_t i = 0; i < lab.n; i++)
            assert_int_equal(j.sent[i] > 0, round == 0); /* the helper goes there once */
        run_all(&j, work_one, MACHINES);
        only_fail(&j, 0);
    }
}

static void a_changed_helper_is_replaced(void **state)
{
    (void)state;
    NEED_LAB();
    OWN_FREE char *path = machines_path(&lab, 1, "var/lib/caisson/bin/caisson-node");
    OK(file_replace(AT_FDCWD, path, "#!/bin/sh\n", 10, 0755));
    machines_set(&lab, 1, "chatter");
    OWN_JOB struct job j;
    job_start(&j);
    run_all(&j, open_one, MACHINES);
    only_fail(&j, 0);
    for (size_t i = 0; i < lab.n; i++)
        assert_int_equal(j.sent[i] > 0, i == 1);
    run_all(&j, work_one, MACHINES);
    only_fail(&j, 0);
}

static const char *machine_name(const void *arg, size_t i)
{
    (void)arg;
    return lab.names[i];
}

static void some_cannot_be_reached(void **state)
{
    (void)state;
    NEED_LAB();
    struct host good = lab.at[4];
    machines_set(&lab, 1, "refuse");
    lab.at[4].host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    OWN_JOB struct job j;
    job_start(&j);
    run_all(&j, open_one, MACHINES);
    lab.at[4] = good;
    only_fail(&j, 1u << 1 | 1u << 4);
    assert_int_equal(err_kind(j.error[1]), ERR_REFUSED);
    assert_non_null(strstr(err_text(j.error[1]), "no root rights"));
    assert_int_equal(err_kind(j.error[4]), ERR_UNTRUSTED);
    struct err *all = pool_join(j.error, lab.n, machine_name, NULL);
    FAILS(ERR_REFUSED, "2 of 6 hosts failed", all);
}

/* ---- what breaks off ---- */

/* A body that never ends by itself: the call is under way until something ends it. */
static struct err *produce_slowly(void *arg, int fd)
{
    struct job *j = arg;
    atomic_fetch_add(&j->under_way, 1);
    for (;;) {
        TRY(fd_write_all(fd, "x", 1)); /* EPIPE once the call is over */
        clock_sleep_ms(5);
    }
}

static struct err *send_for_ever(void *arg, size_t i)
{
    struct job *j = arg;
    struct doc *args = doc_new_map();
    char hex[DIGEST_HEX];
    TRY(digest_hex(hex, "never", 5));
    doc_set_text(args, "digest", hex);
    doc_set_int(args, "size", 1 << 30);
    return node_send(NULL, j->node[i], "blob.put", args, &(struct wire_body){.produce = produce_slowly, .arg = j},
                     &j->cancel);
}

struct breaker {
    struct job *j;
    int wanted;
    size_t victim; /* MACHINES: cancel instead */
};

/* Waits until all calls are under way, then cuts a machine's helper or cancels the run. */
static void *breaker_main(void *arg)
{
    const struct breaker *b = arg;
    while (atomic_load(&b->j->under_way) < b->wanted)
        clock_sleep_ms(5);
    if (b->victim < lab.n)
        machines_kill(&lab, b->victim);
    clock_sleep_ms(50);
    cancel_set(&b->j->cancel);
    return NULL;
}

static void break_all(struct job *j, size_t victim)
{
    pthread_t thread;
    struct breaker b = {.j = j, .wanted = MACHINES, .victim = victim};
    run_all(j, open_one, MACHINES);
    only_fail(j, 0);
    assert_int_equal(pthread_create(&thread, NULL, breaker_main, &b), 0);
    run_all(j, send_for_ever, MACHINES);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void cancel_in_the_middle(void **state)
{
    (void)state;
    NEED_LAB();
    OWN_JOB struct job j;
    job_start(&j);
    break_all(&j, MACHINES);
    for (size_t i = 0; i < lab.n; i++) {
        assert_non_null(j.error[i]);
        assert_int_equal(err_kind(j.error[i]), ERR_CANCELLED);
    }
}

static void a_helper_dies_in_the_middle(void **state)
{
    (void)state;
    NEED_LAB();
    OWN_JOB struct job j;
    job_start(&j);
    break_all(&j, 3);
    for (size_t i = 0; i < lab.n; i++)
        assert_non_null(j.error[i]);
    assert_true(err_kind(j.error[3]) == ERR_UNREACHABLE || err_kind(j.error[3]) == ERR_CANCELLED);
    assert_int_equal(err_kind(j.error[0]), ERR_CANCELLED);
}

static void *cancel_soon(void *arg)
{
    struct job *j = arg;
    while (atomic_load(&j->opened) < MACHINES - 1)
        clock_sleep_ms(5);
    cancel_set(&j->cancel);
    return NULL;
}

static void cancel_while_one_hangs(void **state)
{
    (void)state;
    NEED_LAB();
    static const char *const modes[] = {"hang", "deaf"};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        machines_set(&lab, 2, modes[i]);
        OWN_JOB struct job j;
        job_start(&j);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &j), 0);
        run_all(&j, open_one, MACHINES);
        assert_int_equal(pthread_join(thread, NULL), 0);
        only_fail(&j, 1u << 2);
        assert_int_equal(err_kind(j.error[2]), ERR_CANCELLED);
    }
}

/* ---- tunnels ---- */

struct server {
    int fd, port;
    bool reads; /* else it accepts and does nothing */
    pthread_t thread;
    atomic_bool stop;
};

static void *echo_main(void *arg)
{
    OWN_FD int fd = (int)(intptr_t)arg;
    char chunk[4096];
    for (ssize_t n; (n = recv(fd, chunk, sizeof chunk, 0)) > 0;)
        if (send(fd, chunk, (size_t)n, MSG_NOSIGNAL) != n) /* blocking: all of it or an error */
            break;
    return NULL;
}

static void *server_main(void *arg)
{
    struct server *s = arg;
    int held[64];
    pthread_t threads[64];
    size_t n = 0;
    for (; n < 64; n++) {
        held[n] = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        if (held[n] < 0 || atomic_load(&s->stop))
            break;
        if (s->reads)
            assert_int_equal(pthread_create(&threads[n], NULL, echo_main, (void *)(intptr_t)held[n]), 0);
    }
    own_close(&held[n]);
    for (size_t i = 0; i < n; i++) {
        if (s->reads)
            (void)pthread_join(threads[i], NULL);
        else
            own_close(&held[i]);
    }
    return NULL;
}

static int connect_tcp(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void server_start(struct server *s, bool reads)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    *s = (struct server){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .reads = reads};
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(s->fd, 64), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void server_stop(struct server *s)
{
    atomic_store(&s->stop, true);
    OWN_FD int knock = connect_tcp(s->port);
    (void)pthread_join(s->thread, NULL);
    own_close(&s->fd);
}

static int connect_unix(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    assert_int_equal(*path, '@'); /* an abstract name: a NUL instead of the '@', and its exact length */
    (void)snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "%s", path + 1);
    assert_int_equal(
        connect(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))), 0);
    return fd;
}

static int tunnel_port;

/* Four connections of one machine, each says something and hears it again. */
static struct err *echo_one(void *arg, size_t i)
{
    const struct job *j = arg;
    const char *path = NULL;
    int fd[4];
    TRY(node_forward(&path, j->node[i], tunnel_port));
    for (size_t k = 0; k < ARRAY_LEN(fd); k++) {
        fd[k] = connect_unix(path);
        TRY(fd_write_all(fd[k], lab.names[i], strlen(lab.names[i])));
        assert_int_equal(shutdown(fd[k], SHUT_WR), 0);
    }
    for (size_t k = 0; k < ARRAY_LEN(fd); k++) {
        OWN_BUF struct buf heard = {0};
        TRY(fd_read_all(fd[k], &heard));
        own_close(&fd[k]);
        if (!str_eq(buf_text(&heard), lab.names[i]))
            return err_new(ERR_FAILED, "heard \"%s\"", buf_text(&heard));
    }
    return NULL;
}

static void tunnels(void **state)
{
    (void)state;
    NEED_LAB();
    struct server server;
    OWN_JOB struct job j;
    job_start(&j);
    run_all(&j, open_one, MACHINES);
    only_fail(&j, 0);
    server_start(&server, true);
    tunnel_port = server.port;
    run_all(&j, echo_one, MACHINES);
    server_stop(&server);
    only_fail(&j, 0);
}

/* A server that reads nothing: everything on the way is full, and the end of the node does not wait for it. */
static void tunnel_into_a_deaf_server(void **state)
{
    (void)state;
    NEED_LAB();
    struct server server;
    const char *path = NULL;
    OWN_JOB struct job j;
    job_start(&j);
    OK(open_one(&j, 0));
    server_start(&server, false);
    OK(node_forward(&path, j.node[0], server.port));
    OWN_FD int fd = connect_unix(path);
    static const char chunk[65536];
    int64_t quiet_since = clock_ms();
    while (clock_ms() - quiet_since < 300)
        if (send(fd, chunk, sizeof chunk, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            quiet_since = clock_ms();
    node_free(j.node[0]);
    j.node[0] = NULL;
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(a_changed_helper_is_replaced),
        cmocka_unit_test(some_cannot_be_reached),
        cmocka_unit_test(cancel_in_the_middle),
        cmocka_unit_test(a_helper_dies_in_the_middle),
        cmocka_unit_test(cancel_while_one_hangs),
        cmocka_unit_test(tunnels),
        cmocka_unit_test(tunnel_into_a_deaf_server),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
