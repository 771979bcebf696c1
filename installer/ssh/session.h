/* session: what the files of this room share. libssh2 never touches a socket: it reads `rx` and fills `tx`. */
#pragma once
#include "base/cancel.h"
#include "ssh/ssh.h"

#include <libssh2.h>
#include <pthread.h>

/* Bytes between `from` and `to` are waiting; memory of `cap`. */
struct span {
    char *at;
    size_t from, to, cap;
};

static inline size_t span_len(const struct span *b)
{
    return b->to - b->from;
}

/* Takes `n` bytes away from the front. */
void span_drop(struct span *b, size_t n);
/* Bytes that can be added at `at + to`, after moving what waits to the front when that helps. */
size_t span_room(struct span *b);

struct ssh {
    LIBSSH2_SESSION *session;
    LIBSSH2_CHANNEL *channel;
    struct ssh *via; /* session to the jump host that carries `fd`, or NULL */
    int fd;          /* TCP, or one end of the jump's bridge; nonblocking */
    struct span rx, tx;
    int rx_sys; /* why `fd` gives no more: errno, 0 while it works */
    bool rx_eof, tx_dead, closing;
    char *where;                 /* "cp-1 (10.77.0.11:22)" */
    const struct cancel *cancel; /* borrowed */
    int timeout_ms;
    int64_t deadline_ms; /* of the step the caller's thread is in */

    /* the pump: only it calls libssh2 from ssh_exec() on */
    pthread_t pump;
    bool pumping;
    int local; /* its end of the caller's descriptor; -1 when that is finished */
    int wake;  /* eventfd: stop now */
    int ended; /* eventfd: readable once the pump has ended */
    struct span up, down;
    bool up_eof, eof_sent, down_shut;

    pthread_mutex_t lock; /* guards the rest */
    struct err *failure;
    int status;
    char tail[SSH_STDERR_MAX];
    size_t tail_len;
};

/* ---- session.c ---- */

/* Opens a TCP connection or a channel of the jump host, and shakes hands with host key methods `hostkey_pref`. */
struct err *session_open(struct ssh **ret, const struct ssh_target *t, const char *hostkey_pref, const struct cancel *c)
    ERR_MUST;
/* Sends what waits in `tx`, as far as it goes without waiting. */
struct err *session_flush(struct ssh *s) ERR_MUST;
/* Reads what is there into `rx`; *ret_got says whether something came. End and errors are left for libssh2 to see. */
void session_fill(struct ssh *s, bool *ret_got);
/* After LIBSSH2_ERROR_EAGAIN: moves bytes, waiting up to the deadline of the step. */
struct err *session_wait(struct ssh *s) ERR_MUST;
/* The last error of libssh2 or of the socket, with `what` and where in front; ERR_UNREACHABLE. */
struct err *session_err(struct ssh *s, const char *what) ERR_MUST;
/* Port of a target with its default. */
int target_port(const struct ssh_target *t);

/* Calls a libssh2 function with an int-like result until it does not ask for more bytes; false ends with *ret_e set. */
#define SESSION_STEP(s, rc, call)                                                                                      \
    do {                                                                                                               \
        while (((rc) = (call)) == LIBSSH2_ERROR_EAGAIN)                                                                \
            TRY_CTX(session_wait(s), "%s", (s)->where);                                                                \
        TRY_CTX(session_flush(s), "%s", (s)->where);                                                                   \
    } while (0)

/* ---- connect.c ---- */

/* A connected nonblocking TCP socket. ERR_UNREACHABLE with the reason of the last address tried. */
struct err *tcp_connect(int *ret, const char *address, int port, int64_t deadline_ms, const struct cancel *c) ERR_MUST;

/* ---- hostkey.c ---- */

/* session_open() plus the host key check; tries the machine's other keys when a pin does not match the first one. */
struct err *hostkey_open(struct ssh **ret, const struct ssh_target *t, const struct cancel *c) ERR_MUST;

/* ---- login.c ---- */

struct err *login(struct ssh *s, const struct ssh_target *t) ERR_MUST;

/* ---- pump.c ---- */

/* Starts the pump for `s->channel`; *ret_fd is the caller's end. */
struct err *pump_start(struct ssh *s, int *ret_fd) ERR_MUST;
/* Stops and joins it. */
void pump_stop(struct ssh *s);
/* Opens a channel to `host:port` as seen from the machine of `s`, bridged like ssh_exec(). */
struct err *ssh_forward(struct ssh *s, const char *host, int port, int *ret_fd) ERR_MUST;
