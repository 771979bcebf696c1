#include "wire/pump.h"

#include "base/file.h"
#include "base/own.h"
#include "wire/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#define LAST_BYTES_MS 2000

struct tunnel_state {
    struct stream *s;
    int fd;
    char *out; /* bytes on their way to the socket */
    size_t out_at, out_len;
    char *in;
    bool fd_end;  /* the socket sends no more */
    bool shut;    /* the socket was told that no more comes */
    bool fd_gone; /* the socket takes no more: all is over */
};

/* Moves body bytes to the socket as far as both allow. */
static struct err *tunnel_out(struct tunnel_state *t, struct stream_state *st)
{
    if (!t->out_len && st->readable) {
        t->out_at = 0;
        TRY(stream_read(t->s, t->out, FRAME_PAYLOAD_MAX, &t->out_len, NULL));
        *st = stream_look(t->s);
    }
    while (t->out_len) {
        ssize_t n = send(t->fd, t->out + t->out_at, t->out_len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        t->fd_gone = n < 0 && errno != EAGAIN;
        if (n < 0)
            return NULL;
        t->out_at += (size_t)n;
        t->out_len -= (size_t)n;
    }
    if (st->ended && !st->readable && !t->shut) {
        t->shut = true;
        (void)shutdown(t->fd, SHUT_WR); /* fails only when the socket is gone, which the next poll() tells */
    }
    return NULL;
}

static struct err *tunnel_in(struct tunnel_state *t, size_t credit)
{
    size_t most = credit < FRAME_PAYLOAD_MAX ? credit : FRAME_PAYLOAD_MAX;
    ssize_t n = recv(t->fd, t->in, most, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return NULL;
    if (n > 0)
        return stream_write(t->s, t->in, (size_t)n, NULL);
    t->fd_end = true;
    t->fd_gone = n < 0;
    return n < 0 ? NULL : stream_end(t->s);
}

/* One wait and what it allows. */
static struct err *tunnel_step(struct tunnel_state *t, const struct stream_state *st, const struct cancel *c)
{
    bool take = !t->fd_end && st->credit;
    short events = (short)((take ? POLLIN : 0) | (t->out_len ? POLLOUT : 0));
    /* Without anything to ask, a socket that hung up would wake us for ever until there is credit again. */
    bool watch = events || t->fd_end;
    struct pollfd p[] = {{.fd = watch ? t->fd : -1, .events = events},
                         {.fd = stream_fd(t->s), .events = POLLIN},
                         {.fd = c ? c->fd : -1, .events = POLLIN}};
    bool more = st->readable && !t->out_len; /* one piece a turn, so that neither direction starves the other */
    int n = poll(p, 3, more ? 0 : st->failed ? LAST_BYTES_MS : -1);
    if (n < 0 && errno != EINTR)
        return err_os(errno, "tunnel");
    if (n == 0 && !more)
        return err_new(ERR_UNREACHABLE, "tunnel: the other side is gone and nobody takes its last bytes");
    if (p[2].revents)
        return err_new(ERR_CANCELLED, "cancelled");
    if (take && (p[0].revents & (POLLIN | POLLHUP | POLLERR)))
        return tunnel_in(t, st->credit);
    if (p[0].revents & (POLLHUP | POLLERR))
        t->fd_gone = true;
    return NULL;
}

static struct err *tunnel_run(struct tunnel_state *t, const struct cancel *c)
{
    while (!t->fd_gone && !(t->fd_end && t->shut)) {
        struct stream_state st = stream_look(t->s);
        TRY(tunnel_out(t, &st));
        if (t->fd_gone || (t->fd_end && t->shut))
            break;
        if (st.failed && !st.ended) /* the bytes can never be whole: nothing to wait for */
            return err_new(ERR_UNREACHABLE, "tunnel: the other side is gone");
        TRY(tunnel_step(t, &st, c));
    }
    return NULL;
}

struct err *pump_tunnel(struct stream *s, int fd, const struct cancel *c)
{
    OWN_FREE char *out = malloc(FRAME_PAYLOAD_MAX);
    OWN_FREE char *in = malloc(FRAME_PAYLOAD_MAX);
    if (!out || !in)
        return err_os(ENOMEM, "tunnel");
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_os(errno, "tunnel");
    struct tunnel_state t = {.s = s, .fd = fd, .out = out, .in = in};
    return tunnel_run(&t, c);
}

struct err *pump_to_fd(struct stream *s, int fd, uint64_t *ret_n)
{
    OWN_FREE char *chunk = malloc(FRAME_PAYLOAD_MAX);
    if (!chunk)
        return err_os(ENOMEM, "stream");
    uint64_t sum = 0;
    for (;;) {
        size_t n = 0;
        TRY(stream_read(s, chunk, FRAME_PAYLOAD_MAX, &n, NULL));
        if (!n)
            break;
        TRY(fd_write_all(fd, chunk, n));
        sum += n;
    }
    if (ret_n)
        *ret_n = sum;
    return NULL;
}
