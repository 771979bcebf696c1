/* dial: a connection to a port of this machine's loopback, and nowhere else. */
#include "base/own.h"
#include "node/node.h"
#include "node/probe.h"
#include "wire/pump.h"
#include "wire/server.h"

#define DIAL_MS 5000

struct err *op_dial(struct call *c)
{
    const char *address = doc_text(c->request, "address");
    int64_t port = doc_int(c->request, "port", 0);
    if (!address)
        address = "127.0.0.1";
    if (!str_eq(address, "127.0.0.1") && !str_eq(address, "::1"))
        return err_new(ERR_REFUSED, "dial: only the loopback of the node");
    if (port < 1 || port > 65535)
        return err_new(ERR_USAGE, "dial: no port");
    OWN_FD int fd = -1;
    TRY(err_as(probe_connect(&fd, address, (int)port, DIAL_MS), ERR_UNREACHABLE));
    TRY(wire_answer(c->s, c->reply));
    return pump_tunnel(c->s, fd, NULL);
}
