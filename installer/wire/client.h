/*
 * client: the controller's side of the connection to one node's helper. Any number of threads may call at the same
 * time. When the helper dies, the transport closes or there is no sign of life for 15 s while an answer is awaited,
 * every waiting call ends at once with ERR_UNREACHABLE. The process must ignore SIGPIPE.
 */
#pragma once
#include "base/cancel.h"
#include "base/err.h"
#include "doc/doc.h"

struct wire_client;

/* A body that goes with a request: from a descriptor, or written by `produce` into a pipe in a thread of its own. */
struct wire_body {
    int fd;                                            /* read to its end when `produce` is NULL; borrowed */
    struct err *(*produce)(void *arg, int fd)ERR_MUST; /* may see EPIPE when the node has answered already */
    void *arg;
};

/* What to do with the progress of a call; runs in the calling thread. */
struct wire_events {
    void (*on_event)(void *arg, const struct doc *event);
    void *arg;
};

/* Starts the reader thread. The descriptors (may be the same) are borrowed: close them after wire_client_free(). */
struct err *wire_client_new(struct wire_client **ret, int in_fd, int out_fd) ERR_MUST;
/*
 * Sends `request` and waits for the answer. An answer {"error":{kind,text,hint}} comes back as an error of that
 * kind. *ret_reply (ret_reply may be NULL) is then set as well, for what else the node said; it is NULL when no answer
 * came. The caller owns it in both cases.
 */
struct err *wire_call(struct doc **ret_reply, struct wire_client *c, const struct doc *request,
                      const struct cancel *cancel) ERR_MUST;
/* The same with a body and progress; `body` and `events` may be NULL. */
struct err *wire_call_data(struct doc **ret_reply, struct wire_client *c, const struct doc *request,
                           const struct wire_body *body, const struct wire_events *events, const struct cancel *cancel)
    ERR_MUST;
/*
 * Opens a tunnel, {"op":"dial","port":6443}. *ret_fd is one end of a socketpair that carries the connection's bytes;
 * the caller closes it. It reads as ended when the connection to the node is lost.
 */
struct err *wire_tunnel(struct wire_client *c, const struct doc *request, int *ret_fd, const struct cancel *cancel)
    ERR_MUST;
/* True once the connection cannot be used any more. */
bool wire_client_is_broken(struct wire_client *c);
/* Ends calls and tunnels, joins the threads. No thread may be in a call. NULL is fine. */
void wire_client_free(struct wire_client *c);
OWN_DEFINE(wire_client, wire_client)
