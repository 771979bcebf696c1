/* forward: a unix socket here, connections to a port on a node's loopback there, through the helper's
 * tunnels. */
#pragma once
#include "wire/client.h"

struct forward;

/*
 * Listens at a new abstract socket, open to our own user only, and puts the forward in front of *list. A thread of its
 * own accepts; each connection is one tunnel with one thread.
 */
struct err *forward_new(struct forward **list, struct wire_client *wire, int port) ERR_MUST;
/* "@name" for struct http_call; borrowed. */
const char *forward_path(const struct forward *f);
int forward_port(const struct forward *f);
struct forward *forward_next(const struct forward *f);
/* Ends all of the list: closes tunnels, joins threads, closes sockets. */
void forward_free_all(struct forward *list);
