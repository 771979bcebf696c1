/* Calls, bodies, events and tunnels between a real client and a real server over socket pairs. */
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "wire/client.h"
#include "wire/frame.h"
#include "wire/pump.h"
#include "wire/server.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

struct rig {
    int fd[2];
    pthread_t server;
    struct wire_client *c;
    atomic_int handled;
};

static struct err *op_sum(struct stream *s, struct doc *reply)
{
    uint64_t sum = 0, bytes = 0;
    for (;;) {
        unsigned char chunk[10000];
        size_t n = 0;
        TRY(stream_read(s, chunk, sizeof chunk, &n, NULL));
        for (size_t i = 0; i < n; i++)
            sum += chunk[i];
        bytes += n;
        if (!n)
            break;
    }
    doc_set_int(reply, "bytes", (int64_t)bytes);
    doc_set_int(reply, "sum", (int64_t)sum);
    return NULL;
}

static struct err *op_tunnel(struct stream *s, struct doc *reply)
{
    TRY(wire_answer(s, reply));
    for (;;) { /* an echo that shouts */
        char chunk[4096];
        size_t n = 0;
        TRY(stream_read(s, chunk, sizeof chunk, &n, NULL));
        for (size_t i = 0; i < n; i++)
            chunk[i] ^= 1;
        if (!n)
            return NULL;
        TRY(stream_write(s, chunk, n, NULL));
    }
}

static struct err *op_big(const struct doc *request, struct doc *reply)
{
    size_t n = (size_t)doc_int(request, "n", 0);
    OWN_FREE char *text = malloc(n + 1);
    memset(text, 'x', n);
    text[n] = '\0';
    doc_set_text(reply, "text", text);
    return NULL;
}

static struct err *handle(void *arg, struct stream *s, const struct doc *request, struct doc *reply)
{
    struct rig *r = arg;
    const char *op = doc_text(request, "op");
    if (str_eq(op, "sum"))
        return op_sum(s, reply);
    if (str_eq(op, "dial"))
        return op_tunnel(s, reply);
    if (str_eq(op, "big"))
        return op_big(request, reply);
    if (str_eq(op, "events"))
        for (int i = 0; i < 5; i++) {
            OWN_DOC struct doc *e = doc_new_map();
            doc_set_int(e, "step", i);
            TRY(stream_event(s, e));
        }
    if (str_eq(op, "sleep"))
        clock_sleep_ms(doc_int(request, "ms", 0));
    if (str_eq(op, "fail")) {
        doc_set_bool(doc_set(reply, "details", doc_new_map()), "rolledBack", true);
        return err_hint(err_new(ERR_REFUSED, "too %s", "late"), "come earlier");
    }
    atomic_fetch_add(&r->handled, 1);
    return NULL;
}

static void *server_main(void *arg)
{
    struct rig *r = arg;
    struct wire_handler h = {.handle = handle, .arg = r};
    struct err *e = wire_serve(r->fd[1], r->fd[1], &h);
    assert_null(e);
    return NULL;
}

static void rig_up(struct rig *r)
{
    memset(r, 0, sizeof *r);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, r->fd), 0);
    assert_int_equal(pthread_create(&r->server, NULL, server_main, r), 0);
    struct err *e = wire_client_new(&r->c, r->fd[0], r->fd[0]);
    assert_null(e);
}

static void rig_down(struct rig *r)
{
    wire_client_free(r->c);
    shutdown(r->fd[0], SHUT_RDWR);
    pthread_join(r->server, NULL);
    close(r->fd[0]);
    close(r->fd[1]);
}

static struct doc *request_of(const char *op)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "op", op);
    return d;
}

static void answers_and_errors(void **state)
{
    (void)state;
    struct rig r;
    rig_up(&r);
    OWN_DOC struct doc *q = request_of("hello"), *f = request_of("fail"), *reply = NULL, *failed = NULL;
    struct err *e = wire_call(&reply, r.c, q, NULL);
    assert_null(e);
    assert_true(doc_bool(reply, "ok", false));
    e = wire_call(&failed, r.c, f, NULL);
    assert_int_equal(err_kind(e), ERR_REFUSED);
    assert_string_equal(err_text(e), "too late");
    assert_string_equal(err_hint_text(e), "come earlier");
    assert_true(doc_bool(failed, "error.rolledBack", false));
    err_free(e);
    rig_down(&r);
}

static void big_records(void **state)
{
    (void)state;
    struct rig r;
    rig_up(&r);
    OWN_DOC struct doc *q = request_of("big"), *reply = NULL, *none = NULL;
    doc_set_int(q, "n", 3 << 20);
    OWN_FREE char *pad = calloc(1, (1 << 20) + 1);
    memset(pad, 'p', 1 << 20);
    doc_set_text(q, "pad", pad);
    struct err *e = wire_call(&reply, r.c, q, NULL);
    assert_null(e);
    assert_int_equal(strlen(doc_text(reply, "text")), 3 << 20);
    doc_set_int(q, "n", 5 << 20); /* more than a record may have: an error, not a hang, and the rest goes on */
    struct cancel late;
    e = cancel_init(&late);
    assert_null(e);
    e = wire_call(&none, r.c, q, &late);
    assert_non_null(e);
    err_free(e);
    cancel_done(&late);
    rig_down(&r);
}

static struct err *produce_bytes(void *arg, int fd)
{
    size_t n = *(size_t *)arg;
    char chunk[50000];
    memset(chunk, 3, sizeof chunk);
    while (n) {
        size_t now = n < sizeof chunk ? n : sizeof chunk;
        TRY(fd_write_all(fd, chunk, now));
        n -= now;
    }
    return NULL;
}

static struct err *produce_failure(void *arg, int fd)
{
    (void)arg;
    TRY(fd_write_all(fd, "abc", 3));
    return err_new(ERR_UNTRUSTED, "digest differs");
}

static void bodies(void **state)
{
    (void)state;
    struct rig r;
    rig_up(&r);
    size_t n = ((size_t)40 << 20) + 17;
    OWN_DOC struct doc *q = request_of("sum"), *reply = NULL;
    struct wire_body body = {.fd = -1, .produce = produce_bytes, .arg = &n};
    struct err *e = wire_call_data(&reply, r.c, q, &body, NULL, NULL);
    assert_null(e);
    assert_int_equal(doc_int(reply, "bytes", 0), n);
    assert_int_equal(doc_int(reply, "sum", 0), 3 * n);
    struct wire_body bad = {.fd = -1, .produce = produce_failure};
    e = wire_call_data(NULL, r.c, q, &bad, NULL, NULL);
    assert_int_equal(err_kind(e), ERR_UNTRUSTED);
    err_free(e);
    OWN_DOC struct doc *f = request_of("fail"); /* answers without reading the body */
    e = wire_call_data(NULL, r.c, f, &body, NULL, NULL);
    assert_int_equal(err_kind(e), ERR_REFUSED);
    err_free(e);
    rig_down(&r);
}

static void count_event(void *arg, const struct doc *event)
{
    int *n = arg;
    assert_int_equal(doc_int(event, "step", -1), *n);
    ++*n;
}

static void events(void **state)
{
    (void)state;
    struct rig r;
    rig_up(&r);
    int n = 0;
    OWN_DOC struct doc *q = request_of("events");
    struct wire_events ev = {.on_event = count_event, .arg = &n};
    struct err *e = wire_call_data(NULL, r.c, q, NULL, &ev, NULL);
    assert_null(e);
    assert_int_equal(n, 5);
    rig_down(&r);
}

struct caller {
    struct rig *r;
    size_t bytes;
    unsigned failures;
};

static void *caller_main(void *arg)
{
    struct caller *c = arg;
    for (int i = 0; i < 20; i++) {
        OWN_DOC struct doc *q = request_of("sum"), *reply = NULL;
        struct wire_body body = {.fd = -1, .produce = produce_bytes, .arg = &c->bytes};
        struct err *e = wire_call_data(&reply, c->r->c, q, &body, NULL, NULL);
        c->failures += e || doc_int(reply, "bytes", 0) != (int64_t)c->bytes;
        err_free(e);
    }
    return NULL;
}

static void many_at_once(void **state)
{
    (void)state;
    struct rig r;
    rig_up(&r);
    struct caller callers[24];
    pthread_t threads[24];
    for (size_t i = 0; i < 24; i++) {
        callers[i] = (struct caller){.r = &r, .bytes = i * i * 1000};
        pthread_create(&threads[i], NULL, caller_main, &callers[i]);
    }
    for (size_t i = 0; i < 24; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].failures, 0);
    }
    rig_down(&r);
}

static void *tunnel_writer(void *arg)
{
    int fd = *(int *)arg;
    char chunk[30000];
    memset(chunk, 'a', sizeof chunk);
    for (int i = 0; i < 200; i++)
        err_ignore(fd_write_all(fd, chunk, sizeof chunk));
    shutdown(fd, SHUT_WR);
    return NULL;
}

static void tunnels(void **state)
{
    (void)state;
    struct rig r;
    rig_up(&r);
    OWN_DOC struct doc *q = request_of("dial");
    int fd = -1, idle = -1;
    struct err *e = wire_tunnel(r.c, q, &fd, NULL);
    assert_null(e);
    e = wire_tunnel(r.c, q, &idle, NULL); /* one that is open and silent at the end */
    assert_null(e);
    pthread_t t;
    pthread_create(&t, NULL, tunnel_writer, &fd);
    OWN_BUF struct buf got = {0};
    e = fd_read_all(fd, &got);
    assert_null(e);
    pthread_join(t, NULL);
    assert_int_equal(got.len, 200 * 30000);
    assert_int_equal(got.at[12345], 'a' ^ 1);
    close(fd);
    /* A slow reader must not stop other calls: fill a tunnel nobody reads. */
    int stuck = -1;
    e = wire_tunnel(r.c, q, &stuck, NULL);
    assert_null(e);
    char chunk[65536] = {0};
    for (int i = 0; i < 400 && send(stuck, chunk, sizeof chunk, MSG_DONTWAIT) > 0; i++)
        clock_sleep_ms(1);
    OWN_DOC struct doc *hello = request_of("hello");
    e = wire_call(NULL, r.c, hello, NULL);
    assert_null(e);
    rig_down(&r);
    char byte;
    assert_int_equal(recv(idle, &byte, 1, 0), 0); /* the tunnel ended with the connection */
    close(idle);
    close(stuck);
}

static void *cut_main(void *arg)
{
    struct rig *r = arg;
    clock_sleep_ms(150);
    shutdown(r->fd[1], SHUT_RDWR);
    return NULL;
}

static void death_in_a_call(void **state)
{
    (void)state;
    struct rig r;
    rig_up(&r);
    pthread_t t;
    pthread_create(&t, NULL, cut_main, &r);
    OWN_DOC struct doc *q = request_of("sleep");
    doc_set_int(q, "ms", 600);
    int64_t begun = clock_ms();
    struct err *e = wire_call(NULL, r.c, q, NULL);
    assert_int_equal(err_kind(e), ERR_UNREACHABLE);
    assert_true(clock_ms() - begun < 500);
    err_free(e);
    e = wire_call(NULL, r.c, q, NULL); /* later calls fail at once */
    assert_int_equal(err_kind(e), ERR_UNREACHABLE);
    err_free(e);
    pthread_join(t, NULL);
    rig_down(&r);
    assert_int_equal(atomic_load(&r.handled), 1); /* what was begun was finished */
}

static void *cancel_main(void *arg)
{
    clock_sleep_ms(100);
    cancel_set(arg);
    return NULL;
}

static void cancelled_call(void **state)
{
    (void)state;
    struct rig r;
    rig_up(&r);
    struct cancel c;
    struct err *e = cancel_init(&c);
    assert_null(e);
    pthread_t t;
    pthread_create(&t, NULL, cancel_main, &c);
    OWN_DOC struct doc *q = request_of("sleep"), *hello = request_of("hello");
    doc_set_int(q, "ms", 400);
    e = wire_call(NULL, r.c, q, &c);
    assert_int_equal(err_kind(e), ERR_CANCELLED);
    err_free(e);
    e = wire_call(NULL, r.c, hello, NULL);
    assert_null(e);
    pthread_join(t, NULL);
    cancel_done(&c);
    rig_down(&r);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_and_errors),
        cmocka_unit_test(big_records),
        cmocka_unit_test(bodies),
        cmocka_unit_test(events),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(tunnels),
        cmocka_unit_test(death_in_a_call),
        cmocka_unit_test(cancelled_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
