#include "wire/client.h"

#include "base/own.h"
#include "base/str.h"
#include "wire/frame.h"
#include "wire/mux.h"
#include "wire/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define STREAMS_MAX 200 /* below what the node allows */

struct tunnel {
    struct tunnel *next;
    struct stream *s;
    int fd;
    pthread_t thread;
    atomic_bool done;
};

struct wire_client {
    struct mux *m;
    pthread_mutex_t lock; /* the list of tunnels */
    struct tunnel *tunnels;
};

struct err *wire_client_new(struct wire_client **ret, int in_fd, int out_fd)
{
    struct wire_client *c = calloc(1, sizeof *c);
    if (!c)
        return err_os(ENOMEM, "connection");
    struct mux_opts o = {
        .in_fd = in_fd, .out_fd = out_fd, .max_streams = STREAMS_MAX, .ping_ms = 5000, .silence_ms = 15000};
    struct err *e = mux_new(&c->m, &o);
    if (e) {
        free(c);
        return e;
    }
    pthread_mutex_init(&c->lock, NULL);
    *ret = c;
    return NULL;
}

bool wire_client_is_broken(struct wire_client *c)
{
    return mux_is_broken(c->m);
}

/* ---- answers ---- */

static enum err_kind kind_named(const char *name)
{
    for (enum err_kind k = ERR_FAILED; k <= ERR_CANCELLED; k++)
        if (str_eq(err_kind_name(k), name))
            return k;
    return ERR_FAILED;
}

/* The error inside an answer, or NULL. */
static struct err *reply_error(const struct doc *reply)
{
    const struct doc *d = doc_get(reply, "error");
    if (!d)
        return doc_bool(reply, "ok", false) ? NULL : err_new(ERR_FAILED, "the node's answer has no result");
    const char *text = doc_text(d, "text");
    const char *hint = doc_text(d, "hint");
    struct err *e = err_new(kind_named(doc_text(d, "kind")), "%s", text ? text : "failed without a reason");
    return hint ? err_hint(e, "%s", hint) : e;
}

/* One record; *ret_reply is set by the answer. */
static struct err *record_take(struct doc **ret_reply, struct stream *s, const struct wire_events *events,
                               const struct cancel *cancel)
{
    bool is_reply = false;
    OWN_DOC struct doc *d = NULL;
    TRY(stream_next(&d, &is_reply, s, cancel));
    if (is_reply)
        *ret_reply = TAKE(d);
    else if (events && events->on_event)
        events->on_event(events->arg, d);
    return NULL;
}

/* ---- bodies ---- */

/* Where a body comes from: a descriptor, -1 after its end, and perhaps a thread that writes to the other side of it. */
struct source {
    int fd;
    bool has_thread;
    pthread_t thread;
    const struct wire_body *body;
    int pipe_in, pipe_out;
    struct err *failed; /* of the thread; valid after the join */
};

static void *source_main(void *arg)
{
    struct source *src = arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE); /* when the node has answered already nobody reads the rest: EPIPE is enough */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    src->failed = src->body->produce(src->body->arg, src->pipe_out);
    own_close(&src->pipe_out);
    return NULL;
}

static struct err *source_open(struct source *src, const struct wire_body *body)
{
    *src = (struct source){.fd = body ? body->fd : -1, .body = body, .pipe_in = -1, .pipe_out = -1};
    if (!body || !body->produce)
        return NULL;
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) < 0)
        return err_os(errno, "pipe");
    (void)fcntl(fd[0], F_SETPIPE_SZ, 1 << 20); /* only faster */
    src->fd = src->pipe_in = fd[0];
    src->pipe_out = fd[1];
    int sys = pthread_create(&src->thread, NULL, source_main, src);
    if (sys) {
        own_close(&src->pipe_out);
        return err_os(sys, "start thread");
    }
    src->has_thread = true;
    return NULL;
}

/* Waits for the thread; its error. */
static struct err *source_join(struct source *src)
{
    if (!src->has_thread)
        return NULL;
    src->has_thread = false;
    pthread_join(src->thread, NULL);
    return TAKE(src->failed);
}

static void source_done(struct source *src)
{
    own_close(&src->pipe_in); /* a thread that still writes gets EPIPE */
    src->pipe_in = -1;
    err_ignore(source_join(src)); /* the call has its result or a better reason */
}

/* Moves one piece. Only a body that is whole gets its END. */
static struct err *source_step(struct source *src, struct stream *s, size_t credit, char *chunk)
{
    ssize_t n = read(src->fd, chunk, credit < FRAME_PAYLOAD_MAX ? credit : FRAME_PAYLOAD_MAX);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return NULL;
    if (n < 0)
        return err_os(errno, "read what goes to the node");
    if (n > 0)
        return stream_write(s, chunk, (size_t)n, NULL);
    src->fd = -1;
    TRY(source_join(src));
    return stream_end(s);
}

/* Waits until there is something to do; true when the source can be read. */
static struct err *call_wait(bool *ret, const struct source *src, struct stream *s, size_t credit,
                             const struct cancel *cancel)
{
    struct pollfd p[] = {{.fd = credit ? src->fd : -1, .events = POLLIN},
                         {.fd = stream_fd(s), .events = POLLIN},
                         {.fd = cancel ? cancel->fd : -1, .events = POLLIN}};
    *ret = false;
    if (poll(p, 3, -1) < 0)
        return errno == EINTR ? NULL : err_os(errno, "call");
    *ret = p[0].revents != 0;
    return p[2].revents ? err_new(ERR_CANCELLED, "cancelled") : NULL;
}

/* Sends the body and takes records until the answer is there. */
static struct err *call_run(struct doc **ret_reply, struct stream *s, struct source *src,
                            const struct wire_events *events, const struct cancel *cancel)
{
    OWN_FREE char *chunk = malloc(FRAME_PAYLOAD_MAX);
    if (!chunk)
        return err_os(ENOMEM, "call");
    while (!*ret_reply) {
        struct stream_state st = stream_look(s);
        if (st.record || st.failed || src->fd < 0) {
            TRY(record_take(ret_reply, s, events, cancel));
            continue;
        }
        bool ready = false;
        TRY(call_wait(&ready, src, s, st.credit, cancel));
        struct err *e = ready ? source_step(src, s, st.credit, chunk) : NULL;
        if (e && stream_look(s).failed) {
            err_free(e); /* the node's answer says why, or else record_take() has the connection's reason */
            continue;
        }
        TRY(e);
    }
    return NULL;
}

struct err *wire_call_data(struct doc **ret_reply, struct wire_client *c, const struct doc *request,
                           const struct wire_body *body, const struct wire_events *events, const struct cancel *cancel)
{
    OWN(stream_closep) struct stream *s = NULL;
    OWN_DOC struct doc *reply = NULL;
    if (ret_reply)
        *ret_reply = NULL;
    TRY(cancel_check(cancel));
    TRY(stream_open(&s, c->m, request));
    OWN(source_done) struct source src;
    TRY(source_open(&src, body));
    if (src.fd < 0)
        TRY(stream_end(s));
    TRY(call_run(&reply, s, &src, events, cancel));
    struct err *e = reply_error(reply);
    if (ret_reply)
        *ret_reply = TAKE(reply);
    return e;
}

struct err *wire_call(struct doc **ret_reply, struct wire_client *c, const struct doc *request,
                      const struct cancel *cancel)
{
    return wire_call_data(ret_reply, c, request, NULL, NULL, cancel);
}

/* ---- tunnels ---- */

static void tunnel_free(struct tunnel *t)
{
    own_close(&t->fd);
    stream_close(t->s);
    free(t);
}

static void *tunnel_main(void *arg)
{
    struct tunnel *t = arg;
    err_ignore(pump_tunnel(t->s, t->fd, NULL)); /* who uses the tunnel sees its end */
    own_close(&t->fd);
    t->fd = -1;
    stream_close(t->s);
    t->s = NULL;
    atomic_store(&t->done, true);
    return NULL;
}

/* Joins the tunnels that are over. */
static void tunnels_reap(struct wire_client *c, bool all)
{
    pthread_mutex_lock(&c->lock);
    for (struct tunnel **at = &c->tunnels; *at;) {
        struct tunnel *t = *at;
        if (!all && !atomic_load(&t->done)) {
            at = &t->next;
            continue;
        }
        pthread_join(t->thread, NULL);
        *at = t->next;
        tunnel_free(t);
    }
    pthread_mutex_unlock(&c->lock);
}

static struct err *tunnel_start(struct wire_client *c, struct stream **s, int *ret_fd)
{
    int fd[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
        return err_os(errno, "tunnel");
    OWN_FD int theirs = fd[0];
    struct tunnel *t = calloc(1, sizeof *t);
    if (!t) {
        own_close(&fd[1]);
        return err_os(ENOMEM, "tunnel");
    }
    t->fd = fd[1];
    t->s = TAKE(*s);
    int sys = pthread_create(&t->thread, NULL, tunnel_main, t);
    if (sys) {
        tunnel_free(t);
        return err_os(sys, "tunnel");
    }
    pthread_mutex_lock(&c->lock);
    t->next = c->tunnels;
    c->tunnels = t;
    pthread_mutex_unlock(&c->lock);
    *ret_fd = TAKE_FD(theirs);
    return NULL;
}

struct err *wire_tunnel(struct wire_client *c, const struct doc *request, int *ret_fd, const struct cancel *cancel)
{
    tunnels_reap(c, false);
    OWN(stream_closep) struct stream *s = NULL;
    OWN_DOC struct doc *reply = NULL;
    TRY(cancel_check(cancel));
    TRY(stream_open(&s, c->m, request));
    while (!reply)
        TRY(record_take(&reply, s, NULL, cancel));
    TRY(reply_error(reply));
    return tunnel_start(c, &s, ret_fd);
}

void wire_client_free(struct wire_client *c)
{
    if (!c)
        return;
    mux_break(c->m, "closed");
    tunnels_reap(c, true);
    mux_free(c->m);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
