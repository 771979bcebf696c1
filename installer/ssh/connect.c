#include "base/clock.h"
#include "base/str.h"
#include "ssh/session.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/*
 * A name lookup that can be left behind: getaddrinfo() knows neither deadline nor cancel, so it runs in a thread of
 * its own, and whoever lets go last frees this.
 */
struct lookup {
    atomic_int refs;
    int done; /* eventfd */
    char *host;
    char port[8];
    int rc;
    struct addrinfo *list;
};

static void lookup_drop(struct lookup *l)
{
    if (atomic_fetch_sub(&l->refs, 1) != 1)
        return;
    if (l->list)
        freeaddrinfo(l->list);
    own_close(&l->done);
    free(l->host);
    free(l);
}

static void lookup_dropp(struct lookup **l)
{
    if (*l)
        lookup_drop(*l);
}

static void lookup_ask(struct lookup *l, int flags)
{
    struct addrinfo want = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    l->rc = getaddrinfo(l->host, l->port, &want, &l->list);
}

static void *lookup_main(void *p)
{
    struct lookup *l = p;
    lookup_ask(l, AI_ADDRCONFIG);
    uint64_t one = 1;
    ssize_t n = write(l->done, &one, sizeof one);
    (void)n;
    lookup_drop(l);
    return NULL;
}

static struct err *lookup_new(struct lookup **ret, const char *host, int port)
{
    struct lookup *l = calloc(1, sizeof *l);
    if (!l)
        return err_os(ENOMEM, "look up %s", host);
    atomic_init(&l->refs, 1);
    l->done = eventfd(0, EFD_CLOEXEC);
    l->host = strdup(host);
    (void)snprintf(l->port, sizeof l->port, "%d", port);
    if (l->done < 0 || !l->host) {
        lookup_drop(l);
        return err_os(ENOMEM, "look up %s", host);
    }
    *ret = l;
    return NULL;
}

static struct err *lookup_name(struct lookup *l, int64_t deadline_ms, const struct cancel *c)
{
    pthread_attr_t attr;
    pthread_t t;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    atomic_fetch_add(&l->refs, 1);
    int sys = pthread_create(&t, &attr, lookup_main, l);
    pthread_attr_destroy(&attr);
    if (sys) {
        lookup_drop(l);
        return err_os(sys, "start a thread");
    }
    TRY_CTX(wait_fd(l->done, POLLIN, deadline_ms, c), "look up %s", l->host);
    uint64_t one = 0;
    if (read(l->done, &one, sizeof one) < 0) /* also what orders the thread's writes before our reads */
        return err_os(errno, "look up %s", l->host);
    if (l->rc == 0)
        return NULL;
    struct err *e = err_new(ERR_UNREACHABLE, "look up %s: %s", l->host, gai_strerror(l->rc));
    return err_hint(e, "write an IP address, or add %s to /etc/hosts", l->host);
}

/* Small records go out at once; a machine that vanished is noticed within half a minute. */
static void tcp_tune(int fd)
{
    const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, 15}, {IPPROTO_TCP, TCP_KEEPINTVL, 5},
        {IPPROTO_TCP, TCP_KEEPCNT, 3}, {IPPROTO_TCP, TCP_NODELAY, 1},   {IPPROTO_TCP, TCP_USER_TIMEOUT, 30000},
    };
    for (size_t i = 0; i < ARRAY_LEN(options); i++) /* none of them is needed for a right result */
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
}

static struct err *connect_one(int *ret, const struct addrinfo *a, int64_t deadline_ms, const struct cancel *c)
{
    OWN_FD int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_as(err_os(errno, "connect"), ERR_UNREACHABLE);
    tcp_tune(fd);
    if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
        if (errno != EINPROGRESS)
            return err_as(err_os(errno, "connect"), ERR_UNREACHABLE);
        TRY_CTX(wait_fd(fd, POLLOUT, deadline_ms, c), "connect");
        int sys = 0;
        socklen_t len = sizeof sys;
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len);
        if (sys)
            return err_as(err_os(sys, "connect"), ERR_UNREACHABLE);
    }
    *ret = TAKE_FD(fd);
    return NULL;
}

/* Each address gets its share of what is left, so that a dead first one does not eat the time of the second. */
static struct err *connect_any(int *ret, const struct addrinfo *list, int64_t deadline_ms, const struct cancel *c)
{
    int left = 0;
    for (const struct addrinfo *a = list; a; a = a->ai_next)
        left++;
    struct err *last = err_new(ERR_UNREACHABLE, "connect: no address");
    for (const struct addrinfo *a = list; a; a = a->ai_next, left--) {
        int64_t now = clock_ms();
        err_free(last);
        last = connect_one(ret, a, now + (deadline_ms - now) / left, c);
        if (!last || err_kind(last) == ERR_CANCELLED)
            break;
    }
    return last;
}

struct err *tcp_connect(int *ret, const char *address, int port, int64_t deadline_ms, const struct cancel *c)
{
    OWN(lookup_dropp) struct lookup *l = NULL;
    TRY(lookup_new(&l, address, port));
    lookup_ask(l, AI_NUMERICHOST);
    if (l->rc != 0)
        TRY(lookup_name(l, deadline_ms, c));
    return connect_any(ret, l->list, deadline_ms, c);
}
