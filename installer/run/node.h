/*
 * node: one machine in reach: an SSH session, one exec channel, the helper at its other end. The helper's
 * digest is checked before each use; a missing or other one is replaced. No other remote command exists.
 */
#pragma once
#include "base/cancel.h"
#include "cluster/cluster.h"
#include "doc/doc.h"
#include "wire/client.h"

struct node;

/*
 * Connects and starts the helper. `known_hosts`: pinned keys. ERR_UNREACHABLE, ERR_UNTRUSTED (host key),
 * ERR_REFUSED (no root rights). `*ret_sent` (may be NULL) is set to the bytes of a helper that had to be
 * sent.
 */
struct err *node_open(struct node **ret, const struct host *h, const char *known_hosts, const struct cancel *c,
                      uint64_t *ret_sent) ERR_MUST;
const struct host *node_host(const struct node *n);
struct wire_client *node_wire(const struct node *n);

/* {"op": op} plus the members of `args` (taken, may be NULL); the answer is the caller's. */
struct err *node_call(struct doc **ret, struct node *n, const char *op, struct doc *args, const struct cancel *c)
    ERR_MUST;
/* The same, and each event on the way goes to `events`, in the calling thread. */
struct err *node_watch(struct doc **ret, struct node *n, const char *op, struct doc *args,
                       const struct wire_events *events, const struct cancel *c) ERR_MUST;
/* node_call() with bytes that `produce` writes. */
struct err *node_send(struct doc **ret, struct node *n, const char *op, struct doc *args, const struct wire_body *body,
                      const struct cancel *c) ERR_MUST;
/*
 * An abstract unix socket ("@name"), open to our own user only; each connection to it is carried to `port` on the
 * node's loopback. The path is borrowed from the node and lives as long as it.
 */
struct err *node_forward(const char **ret_path, struct node *n, int port) ERR_MUST;
void node_free(struct node *n);
OWN_DEFINE(node, node)
