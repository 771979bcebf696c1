/*
 * remote: a bundle on a web server, read by ranges: its head first, then what is asked for. Plain http is as good as
 * https here: signatures and digests cover every byte. A server that knows no ranges is refused.
 */
#pragma once
#include "bundle/source.h"
#include "net/net.h"

/*
 * Opens what `name` is: a URL of http or https over the net as `o` says (the mirrors do not count), else as
 * source_open(). ERR_UNREACHABLE as http_range() says; E_SRC_RANGE also when the file changes while it is read.
 * `o->cancel` is borrowed as long as the source lives.
 */
struct err *remote_open(struct source **ret, const char *name, const struct net_opts *o) ERR_MUST;
/* The same for who reads once from front to back: else as source_open_once(). */
struct err *remote_open_once(struct source **ret, const char *name, const struct net_opts *o) ERR_MUST;
