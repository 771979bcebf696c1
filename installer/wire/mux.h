/*
 * mux: one connection carrying many streams. One reader thread takes frames in and never waits for a consumer: what
 * it stores is bounded by the credit given out. Senders write whole frames under one lock. The first failure
 * (peer gone, broken protocol, silence) ends every waiting call at once.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "wire/stream.h"

#include <stdbool.h>
#include <stdint.h>

struct mux;

struct mux_opts {
    int in_fd, out_fd; /* may be the same; borrowed; made non-blocking */
    /*
     * Node side: a request arrived, called in the reader thread; must not wait. Takes over `s`, which it ends with
     * stream_close(), and the JSON bytes in `request`. NULL on the controller, which opens the streams.
     */
    void (*on_request)(void *arg, struct stream *s, struct buf *request);
    void *arg;
    unsigned max_streams; /* open at a time; more are answered with an error (node) or refused (controller) */
    int64_t ping_ms;      /* ask for a sign of life after this much silence while a stream is open; 0: never */
    int64_t silence_ms;   /* and give up after this much */
};

/* Starts the reader thread. */
struct err *mux_new(struct mux **ret, const struct mux_opts *o) ERR_MUST;
/* Waits until the connection has failed or the peer has closed it. */
void mux_wait(struct mux *m);
/* Waits for the end of the reader thread, which comes soon after the connection is broken. */
void mux_join(struct mux *m);
/* True once the connection is of no use any more. */
bool mux_is_broken(struct mux *m);
/* Fails the connection from this side; every stream sees `why`. Only the first reason is kept. */
void mux_break(struct mux *m, const char *why);
/* Breaks, joins the reader and frees. All streams must have been closed. */
void mux_free(struct mux *m);
OWN_DEFINE(mux, mux)
