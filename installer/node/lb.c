/*
 * lb: the node's own way to the API servers: takes connections on the loopback and carries each to a healthy target.
 * One thread polls all connections, the watcher keeps the targets. A connection whose target dies or leaves the list
 * is reset, so that its client tries again at once instead of waiting for TCP to give up.
 */
#include "node/lb.h"

#include "base/clock.h"
#include "base/own.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#define LISTEN_FIRST 3 /* sd_listen_fds(3) */
#define LISTENERS_MAX 8
#define PIPE_BYTES 16384
#define CONNECT_MS 2000
#define DRAIN_MS 2000
#define CONNECTIONS_MAX 4096

/* One direction. */
struct way {
    int from, to;
    size_t at, len;
    bool end;  /* `from` sends no more */
    bool shut; /* and `to` knows */
    char bytes[PIPE_BYTES];
};

struct connection {
    struct connection *next;
    int client, server;
    bool connected;
    int64_t begun_ms; /* of the present attempt */
    struct lb_target target, tried[LB_TARGETS_MAX];
    size_t n_tried;
    struct way up, down;
    size_t slot; /* of its two descriptors in the poll table */
    bool over, reset;
};

struct lb {
    struct lb_targets targets;
    int listeners[LISTENERS_MAX];
    size_t n_listeners;
    struct connection *all;
    size_t n_all;
    int signals;
    int64_t drain_until_ms; /* 0: not asked to end */
};

/* ---- sockets ---- */

static struct err *listen_systemd(struct lb *lb)
{
    int64_t n = 0, pid = 0;
    const char *fds = getenv("LISTEN_FDS"), *for_pid = getenv("LISTEN_PID");
    if (!fds || !for_pid || !str_int(fds, 1, LISTENERS_MAX, &n) || !str_int(for_pid, 1, INT32_MAX, &pid) ||
        pid != getpid())
        return err_new(ERR_USAGE, "no socket from systemd: use --listen or a socket unit");
    for (int i = 0; i < (int)n; i++)
        lb->listeners[lb->n_listeners++] = LISTEN_FIRST + i;
    return NULL;
}

static struct err *listen_self(struct lb *lb, const char *where)
{
    char address[64];
    int port = 0, one = 1;
    TRY(lb_address(address, &port, where));
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, address, &sa.sin_addr) != 1)
        return err_new(ERR_USAGE, "--listen wants an IPv4 address");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_os(errno, "socket");
    lb->listeners[lb->n_listeners++] = fd;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, 512) < 0)
        return err_os(errno, "listen on %s", where);
    return NULL;
}

static struct err *listeners_prepare(struct lb *lb)
{
    for (size_t i = 0; i < lb->n_listeners; i++) {
        int flags = fcntl(lb->listeners[i], F_GETFL);
        if (flags < 0 || fcntl(lb->listeners[i], F_SETFL, flags | O_NONBLOCK) < 0 ||
            fcntl(lb->listeners[i], F_SETFD, FD_CLOEXEC) < 0)
            return err_os(errno, "listening socket");
    }
    return NULL;
}

/* Begins to connect; the result comes by poll(). */
static int dial(const struct lb_target *t)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)t->port)};
    bool is_v4 = inet_pton(AF_INET, t->address, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, t->address, &v6.sin6_addr) != 1)
        return -1;
    int one = 1;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const struct sockaddr *sa = is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
    if (connect(fd, sa, is_v4 ? sizeof v4 : sizeof v6) < 0 && errno != EINPROGRESS) {
        own_close(&fd);
        return -1;
    }
    return fd;
}

/* ---- connections ---- */

/* Goes to the next target; over when there is none left. */
static void connection_try(struct lb *lb, struct connection *c)
{
    own_close(&c->server);
    c->server = -1;
    while (c->server < 0) {
        if (c->n_tried == LB_TARGETS_MAX || !lb_targets_choose(&c->target, &lb->targets, c->tried, c->n_tried)) {
            c->over = c->reset = true;
            return;
        }
        c->tried[c->n_tried++] = c->target;
        c->server = dial(&c->target);
    }
    c->begun_ms = clock_ms();
}

static void connections_accept(struct lb *lb, int listener)
{
    while (lb->n_all < CONNECTIONS_MAX) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        if (fd < 0)
            return;
        struct connection *c = calloc(1, sizeof *c);
        if (!c) {
            own_close(&fd);
            return;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->client = fd;
        c->server = -1;
        connection_try(lb, c);
        c->next = lb->all;
        lb->all = c;
        lb->n_all++;
    }
}

static void connection_open(struct lb *lb, struct connection *c)
{
    int sys = 0;
    socklen_t n = sizeof sys;
    if (getsockopt(c->server, SOL_SOCKET, SO_ERROR, &sys, &n) < 0 || sys) {
        connection_try(lb, c);
        return;
    }
    c->connected = true;
    c->up.from = c->down.to = c->client;
    c->up.to = c->down.from = c->server;
}

/* Moves what both ends of one direction allow now; false when the connection is broken. */
static bool way_move(struct way *w)
{
    for (;;) {
        while (w->len) {
            ssize_t n = send(w->to, w->bytes + w->at, w->len, MSG_NOSIGNAL);
            if (n < 0)
                return errno == EAGAIN || errno == EINTR;
            w->at += (size_t)n;
            w->len -= (size_t)n;
        }
        if (w->end) {
            if (!w->shut)
                (void)shutdown(w->to, SHUT_WR); /* gone already: the other direction will tell */
            w->shut = true;
            return true;
        }
        ssize_t n = recv(w->from, w->bytes, sizeof w->bytes, 0);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        w->at = 0;
        w->len = (size_t)n;
        w->end = n == 0;
    }
}

static void connection_move(struct connection *c)
{
    if (!way_move(&c->up) || !way_move(&c->down))
        c->over = c->reset = true;
    else if (c->up.shut && c->down.shut)
        c->over = true;
}

static void fd_close(int fd, bool reset)
{
    struct linger now = {.l_onoff = 1};
    if (fd < 0)
        return;
    if (reset) /* the peer sees ECONNRESET instead of an orderly end */
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    own_close(&fd);
}

static void connections_reap(struct lb *lb)
{
    for (struct connection **at = &lb->all; *at;) {
        struct connection *c = *at;
        if (!c->over) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        fd_close(c->client, c->reset);
        fd_close(c->server, c->reset);
        free(c);
        lb->n_all--;
    }
}

/* After news of the targets, and for attempts that take too long. */
static void connections_check(struct lb *lb, bool news)
{
    for (struct connection *c = lb->all; c; c = c->next) {
        if (!c->connected && clock_ms() - c->begun_ms > CONNECT_MS)
            connection_try(lb, c);
        else if (c->connected && news && !lb_targets_alive(&lb->targets, &c->target))
            c->over = c->reset = true;
    }
}

/* ---- the loop ---- */

static short way_events(const struct way *in, const struct way *out)
{
    return (short)((!in->end && !in->len ? POLLIN : 0) | (out->len ? POLLOUT : 0));
}

/* Fills the table; *ret_n descriptors. The first ones: signals, news, listeners. */
static struct pollfd *table_make(struct lb *lb, size_t *ret_n)
{
    size_t n = 0;
    struct pollfd *p = calloc(2 + lb->n_listeners + 2 * lb->n_all, sizeof *p);
    if (!p)
        return NULL;
    p[n++] = (struct pollfd){.fd = lb->signals, .events = POLLIN};
    p[n++] = (struct pollfd){.fd = lb->targets.changed.fd, .events = POLLIN};
    bool full = lb->drain_until_ms || lb->n_all >= CONNECTIONS_MAX;
    for (size_t i = 0; i < lb->n_listeners; i++)
        p[n++] = (struct pollfd){.fd = full ? -1 : lb->listeners[i], .events = POLLIN};
    for (struct connection *c = lb->all; c; c = c->next) {
        c->slot = n;
        short client = c->connected ? way_events(&c->up, &c->down) : 0;
        short server = c->connected ? way_events(&c->down, &c->up) : POLLOUT;
        /* A descriptor with nothing to ask would report a hang-up for ever: the other end decides then. */
        p[n++] = (struct pollfd){.fd = client ? c->client : -1, .events = client};
        p[n++] = (struct pollfd){.fd = server ? c->server : -1, .events = server};
    }
    *ret_n = n;
    return p;
}

static void table_serve(struct lb *lb, const struct pollfd *p)
{
    for (struct connection *c = lb->all; c; c = c->next) {
        if (!p[c->slot].revents && !p[c->slot + 1].revents)
            continue;
        if (!c->connected)
            connection_open(lb, c);
        if (c->connected)
            connection_move(c);
    }
    for (size_t i = 0; i < lb->n_listeners; i++)
        if (p[2 + i].revents)
            connections_accept(lb, lb->listeners[i]);
}

/* True when the cancel eventfd was set; empties it. */
static bool news_take(struct lb *lb)
{
    uint64_t n;
    return read(lb->targets.changed.fd, &n, sizeof n) > 0;
}

static struct err *loop(struct lb *lb)
{
    while (!lb->drain_until_ms || (lb->n_all && clock_ms() < lb->drain_until_ms)) {
        size_t n = 0;
        OWN_FREE struct pollfd *p = table_make(lb, &n);
        if (!p)
            return err_os(ENOMEM, "balancer");
        if (poll(p, n, 250) < 0 && errno != EINTR)
            return err_os(errno, "poll");
        if (p[0].revents && !lb->drain_until_ms)
            lb->drain_until_ms = clock_ms() + DRAIN_MS;
        bool news = p[1].revents && news_take(lb);
        table_serve(lb, p);
        connections_check(lb, news);
        connections_reap(lb);
    }
    return NULL;
}

static struct err *signals_open(int *ret)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return err_new(ERR_FAILED, "block signals");
    *ret = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret < 0 ? err_os(errno, "signalfd") : NULL;
}

struct err *lb_main(const struct lb_opts *o)
{
    struct lb lb = {.signals = -1};
    (void)signal(SIGPIPE, SIG_IGN);
    TRY(signals_open(&lb.signals));
    TRY(o->listen ? listen_self(&lb, o->listen) : listen_systemd(&lb));
    TRY(listeners_prepare(&lb));
    TRY(lb_targets_start(&lb.targets, o));
    struct err *e = loop(&lb);
    for (struct connection *c = lb.all; c; c = c->next)
        c->over = c->reset = true;
    connections_reap(&lb);
    lb_targets_stop(&lb.targets);
    for (size_t i = 0; i < lb.n_listeners; i++)
        own_close(&lb.listeners[i]);
    own_close(&lb.signals);
    return e;
}
