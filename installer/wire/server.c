#include "wire/server.h"

#include "base/own.h"
#include "wire/frame.h"
#include "wire/mux.h"

#include <errno.h>
#include <pthread.h>

#define STREAMS_MAX 256

struct server {
    const struct wire_handler *h;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned running;
};

struct job {
    struct server *server;
    struct stream *s;
    struct buf request;
};

static struct doc *error_map(const struct err *e)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "kind", err_kind_name(err_kind(e)));
    doc_set_text(d, "text", err_text(e));
    if (err_hint_text(e))
        doc_set_text(d, "hint", err_hint_text(e));
    return d;
}

struct err *wire_answer(struct stream *s, struct doc *reply)
{
    doc_set_bool(reply, "ok", true);
    return stream_reply(s, reply);
}

static void reply_send(struct stream *s, const struct doc *reply)
{
    struct err *e = stream_reply(s, reply);
    if (!e)
        return;
    OWN_DOC struct doc *instead = doc_new_map(); /* an answer that is too long; a lost peer gets neither */
    doc_set(instead, "error", error_map(e));
    err_free(e);
    err_ignore(stream_reply(s, instead));
}

static void job_run(struct job *j)
{
    OWN_DOC struct doc *request = NULL;
    OWN_DOC struct doc *reply = doc_new_map();
    struct err *e = doc_json(&request, "request", j->request.at, j->request.len);
    buf_wipe(&j->request); /* may hold what nobody else shall read */
    if (!e)
        e = j->server->h->handle(j->server->h->arg, j->s, request, reply);
    if (doc_bool(reply, "ok", false)) {
        err_ignore(e); /* answered already; the peer sees the end of the stream */
        return;
    }
    OWN_DOC struct doc *failure = doc_new_map(); /* instead of what was half filled in */
    if (e)
        doc_merge(doc_set(failure, "error", error_map(e)), doc_get(reply, "details"));
    else
        doc_set_bool(reply, "ok", true);
    reply_send(j->s, e ? failure : reply);
    err_free(e);
}

static void *job_main(void *arg)
{
    struct job *j = arg;
    struct server *server = j->server;
    job_run(j);
    err_ignore(stream_end(j->s));
    stream_close(j->s);
    free(j);
    pthread_mutex_lock(&server->lock);
    if (--server->running == 0)
        pthread_cond_signal(&server->idle);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* In the reader thread. Without memory or threads the stream is reset: the caller sees that the call failed. */
static void on_request(void *arg, struct stream *s, struct buf *request)
{
    struct server *server = arg;
    struct job *j = calloc(1, sizeof *j);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    pthread_mutex_lock(&server->lock);
    server->running++;
    pthread_mutex_unlock(&server->lock);
    if (j)
        *j = (struct job){.server = server, .s = s, .request = *request};
    if (!j || pthread_create(&thread, &attr, job_main, j) != 0) {
        buf_wipe(request);
        free(j);
        stream_close(s);
        pthread_mutex_lock(&server->lock);
        server->running--;
        pthread_mutex_unlock(&server->lock);
    }
    pthread_attr_destroy(&attr);
}

struct err *wire_serve(int in_fd, int out_fd, const struct wire_handler *h)
{
    struct server server = {.h = h, .lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};
    struct mux_opts o = {
        .in_fd = in_fd, .out_fd = out_fd, .on_request = on_request, .arg = &server, .max_streams = STREAMS_MAX};
    OWN(mux_freep) struct mux *m = NULL;
    TRY(mux_new(&m, &o));
    mux_wait(m);
    /* The reader may be starting one last handler: only after its end is the count final. */
    mux_join(m);
    pthread_mutex_lock(&server.lock);
    while (server.running)
        pthread_cond_wait(&server.idle, &server.lock);
    pthread_mutex_unlock(&server.lock);
    return NULL;
}
