#include "wire/stream.h"

#include "wire/mux_private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define CREDIT_STEP (FRAME_WINDOW_START / 4) /* credit is given back in pieces of at least this much */

/* ---- ring ---- */

static struct err *ring_grow(struct ring *r, size_t need)
{
    size_t cap = r->cap ? r->cap : 4096;
    while (cap < need)
        cap *= 2;
    if (cap == r->cap)
        return NULL;
    char *at = malloc(cap);
    if (!at)
        return err_os(ENOMEM, "stream");
    size_t tail = r->cap - r->head < r->len ? r->cap - r->head : r->len;
    if (r->len) {
        memcpy(at, r->at + r->head, tail);
        memcpy(at + tail, r->at, r->len - tail);
    }
    free(r->at);
    *r = (struct ring){.at = at, .cap = cap, .len = r->len};
    return NULL;
}

static struct err *ring_put(struct ring *r, const void *p, size_t n)
{
    TRY(ring_grow(r, r->len + n));
    size_t from = (r->head + r->len) & (r->cap - 1);
    size_t tail = r->cap - from < n ? r->cap - from : n;
    memcpy(r->at + from, p, tail);
    memcpy(r->at, (const char *)p + tail, n - tail);
    r->len += n;
    return NULL;
}

static size_t ring_get(struct ring *r, void *p, size_t n)
{
    n = n < r->len ? n : r->len;
    if (!n)
        return 0;
    size_t tail = r->cap - r->head < n ? r->cap - r->head : n;
    memcpy(p, r->at + r->head, tail);
    memcpy((char *)p + tail, r->at, n - tail);
    r->head = (r->head + n) & (r->cap - 1);
    r->len -= n;
    return n;
}

/* ---- waking the owner ---- */

void stream_wake(struct stream *s)
{
    if (!s->woken)
        cancel_set(&s->wake);
    s->woken = true;
}

/* Changes from here on will show at stream_fd(). Needs the lock. */
static void stream_rearm(struct stream *s)
{
    uint64_t n;
    if (s->woken && read(s->wake.fd, &n, sizeof n) > 0)
        s->woken = false;
}

static struct err *stream_wait(struct stream *s, const struct cancel *c)
{
    return wait_fd(s->wake.fd, POLLIN, -1, c);
}

/* Why nothing can come any more, or NULL. Needs the lock. */
static struct err *stream_failure(struct stream *s)
{
    if (s->reset)
        return err_new(ERR_UNREACHABLE, "the other side ended the call");
    return s->m->is_broken ? mux_why(s->m) : NULL;
}

/* ---- what the reader brings ---- */

static struct err *take_record(struct stream *s, const struct frame *f, const unsigned char *payload)
{
    if (s->m->o.on_request)
        return err_new(ERR_FAILED, "protocol: an answer from the controller");
    if (s->part_open && s->part_type != f->type)
        return err_new(ERR_FAILED, "protocol: mixed records on stream %u", s->id);
    if (s->replied)
        return err_new(ERR_FAILED, "protocol: second answer on stream %u", s->id);
    s->part_open = f->more;
    s->part_type = f->type;
    TRY(buf_add(&s->part, payload, f->length));
    if (f->more)
        return NULL;
    s->queued += s->part.len;
    if (s->queued > 2 * FRAME_RECORD_MAX)
        return err_new(ERR_FAILED, "protocol: too many events on stream %u", s->id);
    struct record *r = calloc(1, sizeof *r);
    if (!r)
        return err_os(ENOMEM, "stream");
    *r = (struct record){.text = s->part, .is_reply = f->type == FRAME_REPLY};
    s->part = (struct buf){.max = FRAME_RECORD_MAX};
    s->replied = r->is_reply;
    *(s->last ? &s->last->next : &s->first) = r;
    s->last = r;
    return NULL;
}

static struct err *take_data(struct stream *s, const struct frame *f, const unsigned char *payload)
{
    if (s->rx_end)
        return err_new(ERR_FAILED, "protocol: data behind the end of stream %u", s->id);
    if (f->length > s->rx_credit)
        return err_new(ERR_FAILED, "protocol: stream %u sent more than its credit", s->id);
    s->rx_credit -= f->length;
    return ring_put(&s->rx, payload, f->length);
}

static struct err *take_window(struct stream *s, const unsigned char *payload)
{
    uint32_t more = frame_get_u32(payload);
    if (more > INT32_MAX || s->tx_credit + more > INT32_MAX)
        return err_new(ERR_FAILED, "protocol: too much credit on stream %u", s->id);
    s->tx_credit += more;
    return NULL;
}

struct err *stream_take(struct stream *s, const struct frame *f, const unsigned char *payload)
{
    if (s->part_open && s->part_type == FRAME_REQUEST)
        return err_new(ERR_FAILED, "protocol: frame inside the request of stream %u", s->id);
    struct err *e = NULL;
    if (f->type == FRAME_DATA)
        e = take_data(s, f, payload);
    else if (f->type == FRAME_WINDOW)
        e = take_window(s, payload);
    else if (frame_is_record(f->type))
        e = take_record(s, f, payload);
    else if (f->type == FRAME_END)
        s->rx_end = true;
    else
        s->reset = true;
    stream_wake(s);
    return e;
}

/* ---- verbs ---- */

struct err *stream_open(struct stream **ret, struct mux *m, const struct doc *request)
{
    struct stream *s = NULL;
    /* Ids must go out in rising order, so that the node can tell a late frame from a wrong one. */
    pthread_mutex_lock(&m->open_lock);
    pthread_mutex_lock(&m->lock);
    struct err *e =
        m->last_id == UINT32_MAX ? err_new(ERR_UNREACHABLE, "connection is used up") : mux_add(&s, m, m->last_id + 1);
    if (!e)
        m->last_id++;
    pthread_mutex_unlock(&m->lock);
    if (!e)
        e = mux_send_record(m, FRAME_REQUEST, s->id, request);
    pthread_mutex_unlock(&m->open_lock);
    if (e && s)
        stream_close(s);
    if (!e)
        *ret = s;
    return e;
}

/* Takes up to `n` of the credit; 0 when there is none now. */
static struct err *credit_take(struct stream *s, size_t n, size_t *ret)
{
    pthread_mutex_lock(&s->m->lock);
    struct err *e = stream_failure(s);
    size_t most = n < FRAME_PAYLOAD_MAX ? n : FRAME_PAYLOAD_MAX;
    *ret = e ? 0 : most < s->tx_credit ? most : s->tx_credit;
    s->tx_credit -= (uint32_t)*ret;
    if (!*ret)
        stream_rearm(s);
    pthread_mutex_unlock(&s->m->lock);
    return e;
}

struct err *stream_write(struct stream *s, const void *p, size_t n, const struct cancel *c)
{
    for (const char *at = p; n;) {
        size_t now = 0;
        TRY(credit_take(s, n, &now));
        if (!now) {
            TRY(stream_wait(s, c));
            continue;
        }
        struct frame f = {.type = FRAME_DATA, .stream = s->id, .length = (uint32_t)now};
        TRY(mux_send(s->m, &f, at));
        at += now;
        n -= now;
    }
    return NULL;
}

struct err *stream_end(struct stream *s)
{
    if (s->tx_end)
        return NULL;
    s->tx_end = true;
    return mux_send(s->m, &(struct frame){.type = FRAME_END, .stream = s->id}, NULL);
}

/* Credit to give back now that `n` bytes were read. Needs the lock. */
static uint32_t credit_due(struct stream *s, size_t n)
{
    s->rx_taken += (uint32_t)n;
    if (s->rx_taken < CREDIT_STEP || s->rx_end || s->reset)
        return 0;
    uint32_t due = s->rx_taken;
    s->rx_credit += due;
    s->rx_taken = 0;
    return due;
}

static struct err *credit_give(struct stream *s, uint32_t due)
{
    unsigned char payload[4];
    frame_put_u32(payload, due);
    return mux_send(s->m, &(struct frame){.type = FRAME_WINDOW, .stream = s->id, .length = 4}, payload);
}

struct err *stream_read(struct stream *s, void *p, size_t n, size_t *ret_n, const struct cancel *c)
{
    for (;;) {
        pthread_mutex_lock(&s->m->lock);
        *ret_n = ring_get(&s->rx, p, n);
        bool end = s->rx_end;
        uint32_t due = credit_due(s, *ret_n);
        struct err *e = *ret_n || end ? NULL : stream_failure(s);
        if (!*ret_n)
            stream_rearm(s);
        pthread_mutex_unlock(&s->m->lock);
        if (due)
            err_ignore(credit_give(s, due)); /* a broken connection shows at the next read */
        if (e || *ret_n || end)
            return e;
        TRY(stream_wait(s, c));
    }
}

struct err *stream_reply(struct stream *s, const struct doc *reply)
{
    return mux_send_record(s->m, FRAME_REPLY, s->id, reply);
}

struct err *stream_event(struct stream *s, const struct doc *event)
{
    return mux_send_record(s->m, FRAME_EVENT, s->id, event);
}

static void record_free(struct record *r)
{
    buf_wipe(&r->text);
    free(r);
}

struct err *stream_next(struct doc **ret, bool *ret_is_reply, struct stream *s, const struct cancel *c)
{
    for (;;) {
        pthread_mutex_lock(&s->m->lock);
        struct record *r = s->first;
        if (r) {
            s->first = r->next;
            s->last = s->first ? s->last : NULL;
            s->queued -= r->text.len;
        }
        struct err *e = r ? NULL : stream_failure(s);
        if (!r && !e && s->rx_end)
            e = err_new(ERR_UNREACHABLE, "the other side ended the call without an answer");
        if (!r)
            stream_rearm(s);
        pthread_mutex_unlock(&s->m->lock);
        if (r) {
            *ret_is_reply = r->is_reply;
            e = doc_json(ret, "answer of the node", r->text.at, r->text.len);
            record_free(r);
        }
        if (r || e)
            return e;
        TRY(stream_wait(s, c));
    }
}

struct stream_state stream_look(struct stream *s)
{
    pthread_mutex_lock(&s->m->lock);
    struct stream_state st = {.credit = s->tx_credit,
                              .readable = s->rx.len,
                              .ended = s->rx_end,
                              .record = s->first != NULL,
                              .failed = s->reset || s->m->is_broken};
    stream_rearm(s);
    pthread_mutex_unlock(&s->m->lock);
    return st;
}

int stream_fd(const struct stream *s)
{
    return s->wake.fd;
}

void stream_destroy(struct stream *s)
{
    while (s->first) {
        struct record *r = s->first;
        s->first = r->next;
        record_free(r);
    }
    if (s->rx.at)
        explicit_bzero(s->rx.at, s->rx.cap);
    free(s->rx.at);
    buf_wipe(&s->part);
    cancel_done(&s->wake);
    free(s);
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->m->lock);
    bool tell = !s->m->is_broken && !s->reset && !(s->tx_end && s->rx_end);
    mux_drop(s);
    pthread_mutex_unlock(&s->m->lock);
    if (tell) /* a connection that breaks now needs no word about one stream */
        err_ignore(mux_send(s->m, &(struct frame){.type = FRAME_RESET, .stream = s->id}, NULL));
    stream_destroy(s);
}
