#include "run/forward.h"

#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct link {
    struct forward *owner;
    pthread_t thread;
    int here;
    bool ended;
    struct link *next;
};

struct forward {
    struct wire_client *wire;
    int port, listener;
    char path[sizeof(struct sockaddr_un) + 2]; /* "@name" */
    struct cancel stop;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards `ended` of the links */
    struct link *links;   /* the accepting thread's own list */
    struct forward *next;
};

/* Moves what is there once; false at the end of that direction. */
static bool copy_once(int from, int to, const struct cancel *stop)
{
    char chunk[65536];
    ssize_t n = read(from, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR)
        return true;
    struct err *e = n > 0 ? socket_write_all(to, chunk, (size_t)n, -1, stop) : NULL;
    bool ok = n > 0 && !e;
    err_ignore(e); /* a closed end is how a connection ends */
    return ok;
}

static void copy_both(int here, int there, const struct cancel *stop)
{
    bool up = true, down = true;
    while (up || down) {
        struct pollfd p[] = {{.fd = up ? here : -1, .events = POLLIN},
                             {.fd = down ? there : -1, .events = POLLIN},
                             {.fd = stop->fd, .events = POLLIN}};
        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            return;
        if (p[2].revents)
            return;
        if (p[0].revents && !(up = copy_once(here, there, stop)))
            (void)shutdown(there, SHUT_WR);
        if (p[1].revents && !(down = copy_once(there, here, stop)))
            return; /* the server has said all; what is still sent up has no reader */
    }
}

static void *link_main(void *arg)
{
    struct link *l = arg;
    struct forward *f = l->owner;
    OWN_FD int there = -1;
    OWN_DOC struct doc *request = doc_new_map();
    doc_set_text(request, "op", "dial");
    doc_set_int(request, "port", f->port);
    struct err *e = wire_tunnel(f->wire, request, &there, &f->stop);
    if (!e)
        copy_both(l->here, there, &f->stop);
    err_ignore(e); /* the client of the socket sees a closed connection and says so */
    (void)shutdown(l->here, SHUT_RDWR);
    (void)pthread_mutex_lock(&f->lock);
    l->ended = true;
    (void)pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* Joins links that have ended, or all. */
static void reap(struct forward *f, bool all)
{
    for (struct link **at = &f->links; *at;) {
        struct link *l = *at;
        (void)pthread_mutex_lock(&f->lock);
        bool ended = l->ended;
        (void)pthread_mutex_unlock(&f->lock);
        if (!ended && !all) {
            at = &l->next;
            continue;
        }
        (void)pthread_join(l->thread, NULL);
        own_close(&l->here);
        *at = l->next;
        free(l);
    }
}

/* Abstract names have no mode: the kernel says who connects, and only our own user may. */
static bool peer_is_us(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == geteuid();
}

static void start_link(struct forward *f, int fd)
{
    struct link *l = peer_is_us(fd) ? calloc(1, sizeof *l) : NULL;
    if (!l) {
        own_close(&fd);
        return;
    }
    *l = (struct link){.owner = f, .here = fd, .next = f->links};
    if (pthread_create(&l->thread, NULL, link_main, l) != 0) {
        own_close(&fd);
        free(l);
        return;
    }
    f->links = l;
}

static void *accept_main(void *arg)
{
    struct forward *f = arg;
    for (;;) {
        struct pollfd p[] = {{.fd = f->listener, .events = POLLIN}, {.fd = f->stop.fd, .events = POLLIN}};
        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            break;
        if (p[1].revents)
            break;
        int fd = p[0].revents ? accept4(f->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0)
            start_link(f, fd);
        reap(f, false);
    }
    reap(f, true);
    return NULL;
}

/* The kernel gives an abstract name that is free (unix(7), autobind): a killed run leaves nothing in any folder. */
static struct err *listen_at(struct forward *f)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t n = sizeof a;
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (f->listener < 0 || bind(f->listener, (struct sockaddr *)&a, sizeof a.sun_family) < 0 ||
        listen(f->listener, 64) < 0 || getsockname(f->listener, (struct sockaddr *)&a, &n) < 0)
        return err_os(errno, "listen");
    int len = (int)n - (int)offsetof(struct sockaddr_un, sun_path) - 1; /* of the name behind its NUL */
    (void)snprintf(f->path, sizeof f->path, "@%.*s", len, a.sun_path + 1);
    return NULL;
}

static void forward_free(struct forward *f)
{
    cancel_set(&f->stop);
    if (f->running)
        (void)pthread_join(f->thread, NULL);
    own_close(&f->listener);
    cancel_done(&f->stop);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}

struct err *forward_new(struct forward **list, struct wire_client *wire, int port)
{
    struct forward *f = calloc(1, sizeof *f);
    if (!f)
        return err_os(ENOMEM, "forward to port %d", port);
    *f = (struct forward){.wire = wire, .port = port, .listener = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct err *e = cancel_init(&f->stop);
    if (!e)
        e = listen_at(f);
    if (!e) {
        int sys = pthread_create(&f->thread, NULL, accept_main, f);
        f->running = sys == 0;
        e = sys ? err_os(sys, "start a thread") : NULL;
    }
    if (e) {
        forward_free(f);
        return err_wrap(e, "forward to port %d", port);
    }
    f->next = *list;
    *list = f;
    return NULL;
}

const char *forward_path(const struct forward *f)
{
    return f->path;
}

int forward_port(const struct forward *f)
{
    return f->port;
}

struct forward *forward_next(const struct forward *f)
{
    return f->next;
}

void forward_free_all(struct forward *list)
{
    for (struct forward *next; list; list = next) {
        next = list->next;
        forward_free(list);
    }
}
