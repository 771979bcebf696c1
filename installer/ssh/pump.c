/*
 * The pump: from the moment a channel is open, this thread is the only caller of libssh2. It moves bytes between the
 * channel and one end of a socketpair and sleeps in poll() when nothing can move.
 */
#include "base/clock.h"
#include "ssh/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define WINDOW (4u << 20)              /* bytes the machine may send ahead of us */
#define PACKET 32768u                  /* largest data packet; libssh2 takes no more than 35000 bytes */
#define LOCAL_SIZE ((size_t)512 << 10) /* of `up` and of `down` */
#define TX_HIGH ((size_t)512 << 10)    /* no more channel data while this much waits for the network */

/* ---- one round ---- */

static void tail_add(struct ssh *s, const char *p, size_t n)
{
    (void)pthread_mutex_lock(&s->lock);
    if (n > sizeof s->tail) {
        p += n - sizeof s->tail;
        n = sizeof s->tail;
    }
    size_t keep = s->tail_len + n > sizeof s->tail ? sizeof s->tail - n : s->tail_len;
    memmove(s->tail, s->tail + (s->tail_len - keep), keep);
    memcpy(s->tail + keep, p, n);
    s->tail_len = keep + n;
    (void)pthread_mutex_unlock(&s->lock);
}

static struct err *read_stderr(struct ssh *s, bool *moved)
{
    char chunk[4096];
    ssize_t n = libssh2_channel_read_ex(s->channel, SSH_EXTENDED_DATA_STDERR, chunk, sizeof chunk);
    if (n == LIBSSH2_ERROR_EAGAIN || n == 0)
        return NULL;
    if (n < 0)
        return session_err(s, "read");
    tail_add(s, chunk, (size_t)n);
    *moved = true;
    return NULL;
}

static struct err *read_channel(struct ssh *s, bool *moved)
{
    size_t room = span_room(&s->down);
    if (!room)
        return NULL;
    ssize_t n = libssh2_channel_read_ex(s->channel, 0, s->down.at + s->down.to, room);
    if (n == LIBSSH2_ERROR_EAGAIN || n == 0)
        return NULL;
    if (n < 0)
        return session_err(s, "read");
    s->down.to += (size_t)n;
    *moved = true;
    return NULL;
}

static struct err *write_channel(struct ssh *s, bool *moved)
{
    while (span_len(&s->up) && span_len(&s->tx) < TX_HIGH) {
        ssize_t n = libssh2_channel_write_ex(s->channel, 0, s->up.at + s->up.from, span_len(&s->up));
        if (n == LIBSSH2_ERROR_EAGAIN || n == 0)
            return NULL;
        if (n < 0)
            return session_err(s, "write");
        span_drop(&s->up, (size_t)n);
        *moved = true;
    }
    if (!s->up_eof || s->eof_sent || span_len(&s->up))
        return NULL;
    int rc = libssh2_channel_send_eof(s->channel);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return NULL;
    s->eof_sent = *moved = true;
    return rc < 0 ? session_err(s, "write") : NULL;
}

/* The caller closed its descriptor: its output goes nowhere, its input has ended. */
static void local_gone(struct ssh *s)
{
    own_close(&s->local);
    s->local = -1;
    s->up_eof = true;
}

static void write_local(struct ssh *s, bool *moved)
{
    if (s->local < 0)
        span_drop(&s->down, span_len(&s->down));
    while (span_len(&s->down)) {
        ssize_t n = send(s->local, s->down.at + s->down.from, span_len(&s->down), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        *moved = true;
        if (n < 0) {
            local_gone(s);
            return;
        }
        span_drop(&s->down, (size_t)n);
    }
}

static void read_local(struct ssh *s, bool *moved)
{
    size_t room = span_room(&s->up);
    if (s->local < 0 || s->up_eof || !room)
        return;
    ssize_t n = recv(s->local, s->up.at + s->up.to, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    *moved = true;
    if (n > 0)
        s->up.to += (size_t)n;
    else
        s->up_eof = true;
}

/* The command's output has ended: pass that on; *ret_over once the machine closed the channel as well. */
static struct err *check_end(struct ssh *s, bool *ret_over)
{
    int eof = libssh2_channel_eof(s->channel);
    if (eof < 0)
        return session_err(s, "read");
    if (!eof || span_len(&s->down))
        return NULL;
    if (!s->down_shut && s->local >= 0)
        (void)shutdown(s->local, SHUT_WR);
    s->down_shut = true;
    int rc = libssh2_channel_wait_closed(s->channel);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return NULL;
    *ret_over = rc == 0;
    return rc < 0 ? session_err(s, "close") : NULL;
}

static struct err *pump_round(struct ssh *s, bool *ret_moved, bool *ret_over)
{
    bool got = false;
    *ret_moved = false;
    session_fill(s, &got);
    *ret_moved = got;
    TRY(read_channel(s, ret_moved));
    TRY(read_stderr(s, ret_moved));
    write_local(s, ret_moved);
    read_local(s, ret_moved);
    TRY(write_channel(s, ret_moved));
    TRY(session_flush(s));
    return check_end(s, ret_over);
}

/* ---- the thread ---- */

/* Sleeps until something can move; true when it was told to stop. */
static bool pump_sleep(struct ssh *s)
{
    bool want_up = !s->up_eof && span_room(&s->up);
    bool want_in = !s->rx_eof && !s->rx_sys && span_room(&s->rx);
    struct pollfd p[3] = {
        {.fd = s->wake, .events = POLLIN},
        {.fd = s->fd, .events = (short)((want_in ? POLLIN : 0) | (span_len(&s->tx) ? POLLOUT : 0))},
        {.fd = s->local, .events = (short)((want_up ? POLLIN : 0) | (span_len(&s->down) ? POLLOUT : 0))},
    };
    if (!p[1].events)
        p[1].fd = -1;
    if (!p[2].events)
        p[2].fd = -1; /* a closed peer would report POLLHUP for ever */
    (void)poll(p, ARRAY_LEN(p), -1);
    return p[0].revents;
}

static struct err *pump_run(struct ssh *s)
{
    for (;;) {
        bool moved = false, over = false;
        TRY(pump_round(s, &moved, &over));
        if (over)
            return NULL;
        struct pollfd wake = {.fd = s->wake, .events = POLLIN};
        if (moved ? poll(&wake, 1, 0) > 0 : pump_sleep(s))
            return err_new(ERR_CANCELLED, "%s: session closed", s->where);
    }
}

/* A command that ended by a signal has no status of its own. */
static int exit_status(struct ssh *s)
{
    char *sig = NULL;
    size_t len = 0;
    (void)libssh2_channel_get_exit_signal(s->channel, &sig, &len, NULL, NULL, NULL, NULL);
    bool killed = sig && len;
    libssh2_free(s->session, sig);
    return killed ? 255 : libssh2_channel_get_exit_status(s->channel);
}

static void *pump_main(void *p)
{
    struct ssh *s = p;
    struct err *e = pump_run(s);
    (void)pthread_mutex_lock(&s->lock);
    s->failure = e;
    s->status = e ? -1 : exit_status(s);
    (void)pthread_mutex_unlock(&s->lock);
    own_close(&s->local); /* the caller reads the end of file after this */
    s->local = -1;
    uint64_t one = 1;
    ssize_t n = write(s->ended, &one, sizeof one);
    (void)n;
    return NULL;
}

static struct err *pump_thread(struct ssh *s)
{
    sigset_t all, old;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's */
    int sys = pthread_create(&s->pump, NULL, pump_main, s);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    s->pumping = sys == 0;
    return sys ? err_os(sys, "start a thread") : NULL;
}

struct err *pump_start(struct ssh *s, int *ret_fd)
{
    int ends[2], size = (int)LOCAL_SIZE;
    s->up = (struct span){.at = malloc(LOCAL_SIZE), .cap = LOCAL_SIZE};
    s->down = (struct span){.at = malloc(LOCAL_SIZE), .cap = LOCAL_SIZE};
    if (!s->up.at || !s->down.at)
        return err_os(ENOMEM, "SSH buffers");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return err_os(errno, "create socketpair");
    for (int i = 0; i < 2; i++)
        (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size); /* as much as the system allows */
    s->local = ends[0];
    OWN_FD int theirs = ends[1];
    TRY(pump_thread(s));
    *ret_fd = TAKE_FD(theirs);
    return NULL;
}

void pump_stop(struct ssh *s)
{
    if (!s->pumping)
        return;
    cancel_set(&(struct cancel){.fd = s->wake});
    (void)pthread_join(s->pump, NULL);
    s->pumping = false;
}

/* ---- channels ---- */

static struct err *channel_free(struct ssh *s)
{
    return s->channel ? err_new(ERR_FAILED, "%s: the session's channel is in use", s->where) : NULL;
}

/* Only the caller's end is blocking by default: readers and writers of plain files expect that. */
static void make_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

struct err *ssh_exec(struct ssh *s, const char *command, int *ret_fd)
{
    int rc = 0;
    TRY(channel_free(s));
    s->deadline_ms = clock_ms() + s->timeout_ms;
    while (!(s->channel = libssh2_channel_open_ex(s->session, "session", 7, WINDOW, PACKET, NULL, 0))) {
        if (libssh2_session_last_errno(s->session) != LIBSSH2_ERROR_EAGAIN)
            return session_err(s, "open a channel");
        TRY_CTX(session_wait(s), "%s: open a channel", s->where);
    }
    SESSION_STEP(s, rc, libssh2_channel_process_startup(s->channel, "exec", 4, command, (unsigned)strlen(command)));
    if (rc != 0)
        return session_err(s, "start the command");
    TRY(pump_start(s, ret_fd));
    make_blocking(*ret_fd);
    return NULL;
}

struct err *ssh_forward(struct ssh *s, const char *host, int port, int *ret_fd)
{
    TRY(channel_free(s));
    s->deadline_ms = clock_ms() + s->timeout_ms;
    while (!(s->channel = libssh2_channel_direct_tcpip_ex(s->session, host, port, "127.0.0.1", 22))) {
        if (libssh2_session_last_errno(s->session) != LIBSSH2_ERROR_EAGAIN)
            return err_hint(session_err(s, "forward a connection"),
                            "the jump host must reach %s port %d and allow TCP forwarding", host, port);
        TRY_CTX(session_wait(s), "%s: forward a connection", s->where);
    }
    return pump_start(s, ret_fd); /* nonblocking, as a session wants its transport */
}

struct err *ssh_wait(struct ssh *s, int *ret_status, int64_t deadline_ms, const struct cancel *c)
{
    if (!s->pumping)
        return err_new(ERR_FAILED, "%s: no command was started", s->where);
    TRY_CTX(wait_fd(s->ended, POLLIN, deadline_ms, c), "%s", s->where);
    (void)pthread_mutex_lock(&s->lock);
    struct err *e = s->failure ? err_new(err_kind(s->failure), "%s", err_text(s->failure)) : NULL;
    if (ret_status)
        *ret_status = s->status;
    (void)pthread_mutex_unlock(&s->lock);
    return e;
}

void ssh_stderr(struct ssh *s, char ret[SSH_STDERR_MAX + 1])
{
    (void)pthread_mutex_lock(&s->lock);
    memcpy(ret, s->tail, s->tail_len);
    ret[s->tail_len] = '\0';
    (void)pthread_mutex_unlock(&s->lock);
}
