/*
 * stream: one call or tunnel on a connection. A stream has one owner, and one thread at a time uses it. Every wait
 * ends with ERR_UNREACHABLE when the connection fails and with ERR_CANCELLED when `c` (may be NULL) is set.
 */
#pragma once
#include "base/cancel.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdbool.h>
#include <stddef.h>

struct mux;
struct stream;

/* Opens a stream with a request (controller side). */
struct err *stream_open(struct stream **ret, struct mux *m, const struct doc *request) ERR_MUST;
/* Sends body bytes, waiting for credit. */
struct err *stream_write(struct stream *s, const void *p, size_t n, const struct cancel *c) ERR_MUST;
/* Says that no more body follows; a second call does nothing. */
struct err *stream_end(struct stream *s) ERR_MUST;
/* Waits for body bytes; *ret_n is 0 at their end. */
struct err *stream_read(struct stream *s, void *p, size_t n, size_t *ret_n, const struct cancel *c) ERR_MUST;
/* Sends the answer (node side); once. */
struct err *stream_reply(struct stream *s, const struct doc *reply) ERR_MUST;
/* Sends progress (node side). */
struct err *stream_event(struct stream *s, const struct doc *event) ERR_MUST;
/* Waits for the next record from the node: an event, or the answer (*ret_is_reply). */
struct err *stream_next(struct doc **ret, bool *ret_is_reply, struct stream *s, const struct cancel *c) ERR_MUST;
/* Ends it: a side that has not finished is told by RESET. NULL is fine. */
void stream_close(struct stream *s);

/* ---- for pumps: a stream beside other descriptors in one poll() ---- */

struct stream_state {
    size_t credit;   /* bytes that may be sent now */
    size_t readable; /* bytes that can be read now */
    bool ended;      /* the peer sends no more body (readable may still be left) */
    bool record;     /* stream_next() would not wait */
    bool failed;     /* reset by the peer, or the connection is gone */
};

/* What can be done now; afterwards stream_fd() becomes readable at the next change. */
struct stream_state stream_look(struct stream *s);
/* Readable after a change; only for poll(). Borrowed. */
int stream_fd(const struct stream *s);

static inline void stream_closep(struct stream **s)
{
    stream_close(*s);
}
