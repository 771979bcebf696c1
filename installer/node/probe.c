#include "node/probe.h"

#include "base/clock.h"
#include "base/own.h"
#include "crypt/tls.h"
#include "node/node.h"
#include "node/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LOOK_MS 1000
#define EXEC_MS 10000

static struct err *connect_wait(int fd, const struct sockaddr *sa, socklen_t len, int64_t timeout_ms)
{
    if (connect(fd, sa, len) == 0)
        return NULL;
    if (errno != EINPROGRESS && errno != EAGAIN)
        return err_os(errno, "connect");
    TRY(wait_fd(fd, POLLOUT, clock_ms() + timeout_ms, NULL));
    int sys = 0;
    socklen_t n = sizeof sys;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n) < 0 || sys)
        return err_os(sys ? sys : errno, "connect");
    return NULL;
}

struct err *probe_connect(int *ret_fd, const char *address, int port, int64_t timeout_ms)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } sa = {.any.sa_family = AF_UNSPEC};
    socklen_t len = 0;
    if (inet_pton(AF_INET, address, &sa.v4.sin_addr) == 1) {
        sa.v4.sin_family = AF_INET;
        sa.v4.sin_port = htons((uint16_t)port);
        len = sizeof sa.v4;
    } else if (inet_pton(AF_INET6, address, &sa.v6.sin6_addr) == 1) {
        sa.v6.sin6_family = AF_INET6;
        sa.v6.sin6_port = htons((uint16_t)port);
        len = sizeof sa.v6;
    } else {
        return err_new(ERR_USAGE, "%s is no numeric address", address);
    }
    OWN_FD int fd = socket(sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_os(errno, "socket");
    TRY_CTX(connect_wait(fd, &sa.any, len, timeout_ms), "%s port %d", address, port);
    *ret_fd = TAKE_FD(fd);
    return NULL;
}

static struct err *probe_active(const struct doc *ready, const struct unit_status *st)
{
    int64_t want_ms = doc_int(ready, "seconds", 0) * 1000;
    if (clock_ms() - st->since_ms < want_ms)
        return err_new(ERR_FAILED, "not active for %lld s yet", (long long)(want_ms / 1000));
    return NULL;
}

static const char *address_of(const struct doc *ready)
{
    const char *address = doc_text(ready, "address");
    return address ? address : "127.0.0.1";
}

static struct err *probe_tcp(const struct doc *ready)
{
    OWN_FD int fd = -1;
    return probe_connect(&fd, address_of(ready), (int)doc_int(ready, "port", 0), LOOK_MS);
}

static struct err *probe_unix(const struct doc *ready)
{
    const char *path = doc_text(ready, "path");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (!path || strlen(path) >= sizeof sa.sun_path)
        return err_new(ERR_USAGE, "ready.path is no socket path");
    memcpy(sa.sun_path, path, strlen(path));
    OWN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_os(errno, "socket");
    return err_wrap(connect_wait(fd, (const struct sockaddr *)&sa, sizeof sa, LOOK_MS), "%s", path);
}

static struct err *probe_exec(const struct node *n, const struct doc *ready)
{
    struct run_result r = {0};
    struct err *e = run_in_tree(&r, n, doc_get(ready, "argv"), -1, EXEC_MS, NULL);
    if (!e && r.status != 0)
        e = err_new(ERR_FAILED, "exit %d: %s", r.status, buf_text(r.errors.len ? &r.errors : &r.output));
    run_result_done(&r);
    return e;
}

static struct err *probe_https(const struct doc *ready)
{
    const char *address = address_of(ready);
    const char *name = doc_text(ready, "name");
    const char *path = doc_text(ready, "path");
    struct tls_call call = {
        .address = address,
        .port = (uint16_t)doc_int(ready, "port", 0),
        .name = name ? name : address,
        .path = path ? path : "/",
        .ca_file = doc_text(ready, "ca"),
        .cert_file = doc_text(ready, "cert"),
        .key_file = doc_text(ready, "key"),
        .deadline_ms = clock_ms() + 2 * LOOK_MS,
    };
    OWN_BUF struct buf body = {0};
    int status = 0;
    if (!call.ca_file)
        return err_new(ERR_USAGE, "ready.ca is missing");
    TRY(tls_get(&body, &status, &call));
    if (status != 200)
        return err_new(ERR_FAILED, "%s answers %d: %.300s", call.path, status, buf_text(&body));
    return NULL;
}

struct err *probe_ready(const struct node *n, const struct doc *ready, const struct unit_status *status)
{
    const char *type = doc_text(ready, "type");
    if (str_eq(status->active, "failed"))
        return err_new(ERR_FAILED, "unit failed");
    if (!str_eq(status->active, "active") && (!type || str_eq(type, "active") || !n->units->real_probes))
        return err_new(ERR_FAILED, "unit is %s (%s)", status->active, status->sub);
    if (!str_eq(status->active, "active") && !str_eq(status->active, "activating"))
        return err_new(ERR_FAILED, "unit is %s (%s)", status->active, status->sub);
    if (!type || !n->units->real_probes)
        return NULL;
    if (str_eq(type, "active"))
        return probe_active(ready, status);
    if (str_eq(type, "tcp"))
        return probe_tcp(ready);
    if (str_eq(type, "unix"))
        return probe_unix(ready);
    return str_eq(type, "exec") ? probe_exec(n, ready) : probe_https(ready);
}
