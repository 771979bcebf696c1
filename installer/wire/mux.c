#include "wire/mux_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#define INPUT_MAX ((size_t)4 * (FRAME_HEAD + FRAME_PAYLOAD_MAX))

/* ---- the end of a connection ---- */

struct err *mux_why(const struct mux *m)
{
    return err_new(ERR_UNREACHABLE, "%s", m->why);
}

void mux_break(struct mux *m, const char *why)
{
    pthread_mutex_lock(&m->lock);
    if (!m->is_broken) {
        m->is_broken = true;
        (void)snprintf(m->why, sizeof m->why, "%s", why);
        cancel_set(&m->broken);
        for (unsigned i = 0; i < MUX_BUCKETS; i++)
            for (struct stream *s = m->table[i]; s; s = s->next)
                stream_wake(s);
    }
    pthread_mutex_unlock(&m->lock);
}

bool mux_is_broken(struct mux *m)
{
    pthread_mutex_lock(&m->lock);
    bool broken = m->is_broken;
    pthread_mutex_unlock(&m->lock);
    return broken;
}

void mux_wait(struct mux *m)
{
    err_ignore(wait_fd(m->broken.fd, POLLIN, -1, NULL)); /* no deadline, no cancel: only a bad descriptor fails */
}

static struct err *mux_why_locking(struct mux *m)
{
    pthread_mutex_lock(&m->lock);
    struct err *e = mux_why(m);
    pthread_mutex_unlock(&m->lock);
    return e;
}

/* ---- sending ---- */

static struct err *send_parts(struct mux *m, struct iovec *part)
{
    unsigned n = part[1].iov_len ? 2 : 1;
    while (n) {
        ssize_t w = writev(m->o.out_fd, part, (int)n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0 && errno != EAGAIN)
            return err_os(errno, "send to the other side");
        if (w < 0) {
            TRY(wait_fd(m->o.out_fd, POLLOUT, -1, &m->broken));
            continue;
        }
        size_t done = (size_t)w;
        while (n && done >= part->iov_len) {
            done -= part->iov_len;
            part++;
            n--;
        }
        if (n) {
            part->iov_base = (char *)part->iov_base + done;
            part->iov_len -= done;
        }
    }
    return NULL;
}

struct err *mux_send(struct mux *m, const struct frame *f, const void *payload)
{
    unsigned char head[FRAME_HEAD];
    frame_encode(head, f);
    struct iovec part[2] = {{.iov_base = head, .iov_len = sizeof head},
                            {.iov_base = (void *)(uintptr_t)payload, .iov_len = f->length}};
    pthread_mutex_lock(&m->out_lock);
    struct err *e = mux_is_broken(m) ? mux_why_locking(m) : send_parts(m, part);
    if (e)
        mux_break(m, err_text(e)); /* half a frame may have gone out; keeps the first reason */
    pthread_mutex_unlock(&m->out_lock);
    if (!e)
        return NULL;
    err_free(e);
    return mux_why_locking(m);
}

struct err *mux_send_record(struct mux *m, enum frame_type type, uint32_t stream, const struct doc *d)
{
    OWN_SECRET_BUF struct buf text = {.max = FRAME_RECORD_MAX};
    TRY_CTX(doc_json_write(&text, d), "message to the other side");
    for (size_t at = 0; at < text.len;) {
        size_t n = text.len - at < FRAME_PAYLOAD_MAX ? text.len - at : FRAME_PAYLOAD_MAX;
        struct frame f = {.type = type, .more = at + n < text.len, .stream = stream, .length = (uint32_t)n};
        TRY(mux_send(m, &f, text.at + at));
        at += n;
    }
    return NULL;
}

/* Asks for a sign of life without ever waiting: a busy or full way out means that something is being sent anyway. */
static void send_ping(struct mux *m)
{
    if (pthread_mutex_trylock(&m->out_lock) != 0)
        return;
    unsigned char head[FRAME_HEAD];
    frame_encode(head, &(struct frame){.type = FRAME_PING});
    struct pollfd p = {.fd = m->o.out_fd, .events = POLLOUT};
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT)) {
        ssize_t w = write(m->o.out_fd, head, sizeof head);
        if (w > 0 && (size_t)w < sizeof head)
            mux_break(m, "the way to the other side broke off in a frame");
    }
    pthread_mutex_unlock(&m->out_lock);
}

/* ---- the table of streams ---- */

struct stream *mux_find(struct mux *m, uint32_t id)
{
    struct stream *s = m->table[id % MUX_BUCKETS];
    while (s && s->id != id)
        s = s->next;
    return s;
}

struct err *mux_add(struct stream **ret, struct mux *m, uint32_t id)
{
    if (m->is_broken)
        return mux_why(m);
    if (m->n_streams >= m->o.max_streams)
        return err_new(ERR_REFUSED, "more than %u calls at a time on one connection", m->o.max_streams);
    struct stream *s = calloc(1, sizeof *s);
    if (!s)
        return err_os(ENOMEM, "stream");
    struct err *e = cancel_init(&s->wake);
    if (e) {
        free(s);
        return e;
    }
    s->m = m;
    s->id = id;
    s->rx_credit = FRAME_WINDOW_START;
    s->tx_credit = FRAME_WINDOW_START;
    s->part.max = FRAME_RECORD_MAX;
    s->next = m->table[id % MUX_BUCKETS];
    m->table[id % MUX_BUCKETS] = s;
    m->n_streams++;
    *ret = s;
    return NULL;
}

void mux_drop(struct stream *s)
{
    struct stream **at = &s->m->table[s->id % MUX_BUCKETS];
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->m->n_streams--;
}

static void stream_forget(struct stream *s)
{
    mux_drop(s);
    stream_destroy(s);
}

/* ---- receiving ---- */

/* The answer to a request that gets no stream. */
static struct err *request_refuse(struct mux *m, uint32_t id, struct err *why)
{
    OWN_DOC struct doc *reply = doc_new_map();
    struct doc *e = doc_set(reply, "error", doc_new_map());
    doc_set_text(e, "kind", err_kind_name(err_kind(why)));
    doc_set_text(e, "text", err_text(why));
    err_free(why);
    TRY(mux_send_record(m, FRAME_REPLY, id, reply));
    return mux_send(m, &(struct frame){.type = FRAME_RESET, .stream = id}, NULL);
}

/* The first frame of a request makes the stream; *ret stays NULL when it was refused. */
static struct err *request_begin(struct stream **ret, struct mux *m, const struct frame *f)
{
    if (!m->o.on_request)
        return err_new(ERR_FAILED, "protocol: a request from the node");
    pthread_mutex_lock(&m->lock);
    *ret = mux_find(m, f->stream);
    struct err *e = NULL;
    bool is_new = !*ret && f->stream > m->last_id;
    bool is_second = *ret && !(*ret)->part_open; /* looked at under the lock: its handler may be closing it */
    if (is_new) {
        m->last_id = f->stream;
        e = mux_add(ret, m, f->stream);
    }
    pthread_mutex_unlock(&m->lock);
    if (e)
        return request_refuse(m, f->stream, e);
    if (is_second)
        return err_new(ERR_FAILED, "protocol: second request on stream %u", f->stream);
    return NULL;
}

static struct err *request_take(struct mux *m, const struct frame *f, const unsigned char *payload)
{
    struct stream *s = NULL;
    TRY(request_begin(&s, m, f));
    if (!s)
        return NULL; /* the rest of a request that was refused */
    s->part_open = f->more;
    s->part_type = FRAME_REQUEST;
    TRY(buf_add(&s->part, payload, f->length));
    if (f->more)
        return NULL;
    struct buf text = s->part;
    s->part = (struct buf){.max = FRAME_RECORD_MAX};
    m->o.on_request(m->o.arg, s, &text);
    return NULL;
}

static struct err *frame_take(struct mux *m, const struct frame *f, const unsigned char *payload)
{
    if (f->type == FRAME_PING)
        return mux_send(m, &(struct frame){.type = FRAME_PONG}, NULL);
    if (f->type == FRAME_PONG)
        return NULL;
    if (f->type == FRAME_REQUEST)
        return request_take(m, f, payload);
    pthread_mutex_lock(&m->lock);
    struct stream *s = mux_find(m, f->stream);
    struct err *e = NULL;
    if (s && s->part_open && s->part_type == FRAME_REQUEST && f->type == FRAME_RESET)
        stream_forget(s); /* nobody owns it yet */
    else if (s)
        e = stream_take(s, f, payload);
    else if (f->stream > m->last_id)
        e = err_new(ERR_FAILED, "protocol: frame type %d on stream %u, which nobody opened", f->type, f->stream);
    pthread_mutex_unlock(&m->lock);
    return e; /* a stream that is closed here may still get what was under way */
}

/* Takes the whole frames out of the first `len` bytes; *ret_used of them are done. */
static struct err *input_take(struct mux *m, const unsigned char *p, size_t len, size_t *ret_used)
{
    size_t at = 0;
    while (len - at >= FRAME_HEAD) {
        struct frame f;
        TRY(frame_decode(&f, p + at));
        if (len - at < FRAME_HEAD + (size_t)f.length)
            break;
        TRY(frame_take(m, &f, p + at + FRAME_HEAD));
        at += FRAME_HEAD + f.length;
    }
    *ret_used = at;
    return NULL;
}

static bool mux_is_idle(struct mux *m)
{
    pthread_mutex_lock(&m->lock);
    bool idle = m->n_streams == 0;
    pthread_mutex_unlock(&m->lock);
    return idle;
}

/* Waits for input. Silence counts only while somebody waits for an answer. */
static struct err *input_wait(struct mux *m, int64_t *since_ms)
{
    int64_t pinged_ms = *since_ms;
    for (;;) {
        int64_t tick = m->o.ping_ms ? clock_ms() + m->o.ping_ms : -1;
        struct err *e = wait_fd(m->o.in_fd, POLLIN, tick, &m->broken);
        if (!e || err_kind(e) != ERR_UNREACHABLE)
            return e;
        err_free(e);
        int64_t now = clock_ms();
        if (mux_is_idle(m) || now - pinged_ms > 2 * m->o.silence_ms) {
            *since_ms = pinged_ms = now; /* idle until now, or we ourselves were stopped (suspend) */
            continue;
        }
        if (now - *since_ms >= m->o.silence_ms)
            return err_new(ERR_UNREACHABLE, "no sign of life for %lld s", (long long)(m->o.silence_ms / 1000));
        pinged_ms = now;
        send_ping(m);
    }
}

static struct err *input_run(struct mux *m, unsigned char *input)
{
    size_t len = 0;
    int64_t since_ms = clock_ms();
    for (;;) {
        ssize_t n = read(m->o.in_fd, input + len, INPUT_MAX - len);
        if (n == 0)
            return err_new(ERR_UNREACHABLE, "the other side closed the connection%s", len ? " inside a frame" : "");
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return err_os(errno, "receive from the other side");
        if (n < 0) {
            TRY(input_wait(m, &since_ms));
            continue;
        }
        since_ms = clock_ms();
        len += (size_t)n;
        size_t used = 0;
        TRY(input_take(m, input, len, &used));
        memmove(input, input + used, len - used);
        len -= used;
        TRY(cancel_check(&m->broken));
    }
}

static void *reader_main(void *arg)
{
    struct mux *m = arg;
    OWN_FREE unsigned char *input = malloc(INPUT_MAX);
    struct err *e = input ? input_run(m, input) : err_os(ENOMEM, "receive from the other side");
    mux_break(m, e ? err_text(e) : "closed");
    err_free(e);
    return NULL;
}

/* ---- life ---- */

static struct err *unblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_os(errno, "connection");
    return NULL;
}

struct err *mux_new(struct mux **ret, const struct mux_opts *o)
{
    TRY(unblock(o->in_fd));
    TRY(unblock(o->out_fd));
    struct mux *m = calloc(1, sizeof *m);
    if (!m)
        return err_os(ENOMEM, "connection");
    struct err *e = cancel_init(&m->broken);
    if (e) {
        free(m);
        return e;
    }
    m->o = *o;
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->out_lock, NULL);
    pthread_mutex_init(&m->open_lock, NULL);
    int sys = pthread_create(&m->reader, NULL, reader_main, m);
    if (sys) {
        cancel_done(&m->broken);
        free(m);
        return err_os(sys, "start the reader of a connection");
    }
    *ret = m;
    return NULL;
}

void mux_join(struct mux *m)
{
    if (!m->joined)
        pthread_join(m->reader, NULL);
    m->joined = true;
}

void mux_free(struct mux *m)
{
    if (!m)
        return;
    mux_break(m, "closed");
    mux_join(m);
    for (unsigned i = 0; i < MUX_BUCKETS; i++)
        while (m->table[i]) /* only requests that never arrived whole are left: nobody owns them */
            stream_forget(m->table[i]);
    pthread_mutex_destroy(&m->lock);
    pthread_mutex_destroy(&m->out_lock);
    pthread_mutex_destroy(&m->open_lock);
    cancel_done(&m->broken);
    free(m);
}
