#include "wire/server.h"

#include "base/own.h"
#include "wire/frame.h"
#include "wire/mux.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define STREAMS_MAX 256

struct server {
    const struct wire_handler *h;
    struct job *jobs; /* the reader thread's, and wire_serve()'s once that has ended */
};

struct job {
    struct job *next;
    struct server *server;
    struct stream *s;
    struct buf request;
    pthread_t thread;
    atomic_bool done;
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
    job_run(j);
    err_ignore(stream_end(j->s)); /* a lost peer needs no end */
    stream_close(j->s);
    atomic_store(&j->done, true);
    return NULL;
}

/* Joins the handlers that have returned, or waits for all of them. */
static void jobs_reap(struct server *server, bool all)
{
    for (struct job **at = &server->jobs; *at;) {
        struct job *j = *at;
        if (!all && !atomic_load(&j->done)) {
            at = &j->next;
            continue;
        }
        pthread_join(j->thread, NULL);
        *at = j->next;
        free(j);
    }
}

/* In the reader thread. Without memory or threads the stream is reset: the caller sees that the call failed. */
static void on_request(void *arg, struct stream *s, struct buf *request)
{
    struct server *server = arg;
    jobs_reap(server, false);
    struct job *j = calloc(1, sizeof *j);
    if (j) {
        j->server = server;
        j->s = s;
        j->request = *request;
    }
    if (!j || pthread_create(&j->thread, NULL, job_main, j) != 0) {
        buf_wipe(request);
        free(j);
        stream_close(s);
        return;
    }
    j->next = server->jobs;
    server->jobs = j;
}

struct err *wire_serve(int in_fd, int out_fd, const struct wire_handler *h)
{
    struct server server = {.h = h};
    struct mux_opts o = {
        .in_fd = in_fd,
        .out_fd = out_fd,
        .on_request = on_request,
        .arg = &server,
        .max_streams = STREAMS_MAX,
        /* sshd may hold a session for hours whose other end is gone, and with it a lock that the next run needs */
        .ping_ms = 5000,
        .silence_ms = 15000};
    OWN(mux_freep) struct mux *m = NULL;
    TRY(mux_new(&m, &o));
    mux_wait(m);
    mux_join(m); /* the reader may be starting one last handler */
    jobs_reap(&server, true);
    return NULL;
}
