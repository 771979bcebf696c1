/* server: the node's side: every request runs in a thread of its own. */
#pragma once
#include "doc/doc.h"
#include "wire/stream.h"

/*
 * Handles one request; the body, if any, comes with stream_read(). On NULL the map it put into `reply` goes out with
 * "ok":true; an error goes out as {"error":{kind,text,hint}}, with the keys of a map `reply.details` added to it.
 * A handler that has to answer before it is done (a tunnel) calls wire_answer() itself.
 */
struct wire_handler {
    struct err *(*handle)(void *arg, struct stream *s, const struct doc *request, struct doc *reply)ERR_MUST;
    void *arg;
};

/* Sends {"ok":true}: for handlers that go on with the stream. Nothing else is sent when they return. */
struct err *wire_answer(struct stream *s, struct doc *reply) ERR_MUST;
/*
 * Serves one connection until the peer is gone and all its handlers have returned: what was begun is finished.
 * The reason of the end is no error.
 */
struct err *wire_serve(int in_fd, int out_fd, const struct wire_handler *h) ERR_MUST;
