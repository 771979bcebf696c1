#include "ssh/session.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define RX_SIZE ((size_t)512 << 10)
#define TX_SIZE ((size_t)1 << 20)

/*
 * One list for both directions: different ones crash libssh2 1.11.1 when one of them is AEAD. Cheapest upload first, by
 * processor time (tests/ssh/README.md); the differences are some tenths, GCM is last. No CBC.
 */
#define CIPHERS "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com"
#define MACS "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512"
#define KEXES                                                                                                          \
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"         \
    "diffie-hellman-group16-sha512,diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha256"

void span_drop(struct span *b, size_t n)
{
    b->from += n;
    if (b->from == b->to)
        b->from = b->to = 0;
}

size_t span_room(struct span *b)
{
    if (b->from && b->cap - b->to < b->cap / 2) {
        memmove(b->at, b->at + b->from, span_len(b));
        b->to -= b->from;
        b->from = 0;
    }
    return b->cap - b->to;
}

int target_port(const struct ssh_target *t)
{
    return t->port ? t->port : 22;
}

/* libssh2 wants bytes of its connection; the agent's socket comes along the same way. */
static ssize_t on_recv(libssh2_socket_t fd, void *p, size_t n, int flags, void **abstract)
{
    struct ssh *s = *abstract;
    if (fd != s->fd) {
        ssize_t got = recv(fd, p, n, flags);
        return got < 0 ? -errno : got;
    }
    size_t have = span_len(&s->rx);
    if (s->closing)
        return 0;
    if (have == 0 && s->rx_sys)
        return -s->rx_sys;
    if (have == 0)
        return s->rx_eof ? 0 : -EAGAIN;
    n = n < have ? n : have;
    memcpy(p, s->rx.at + s->rx.from, n);
    span_drop(&s->rx, n);
    return (ssize_t)n;
}

/*
 * Every packet is taken whole: a packet sent in part would forbid libssh2 to send any other one (a window update in
 * the middle of an upload) until the rest is out. Callers stop writing long before `tx` is full; it grows if it must.
 */
static ssize_t on_send(libssh2_socket_t fd, const void *p, size_t n, int flags, void **abstract)
{
    struct ssh *s = *abstract;
    if (fd != s->fd) {
        ssize_t sent = send(fd, p, n, flags | MSG_NOSIGNAL);
        return sent < 0 ? -errno : sent;
    }
    if (s->tx_dead)
        return -EPIPE;
    if (span_room(&s->tx) < n) {
        char *more = realloc(s->tx.at, s->tx.cap * 2 + n);
        if (!more)
            return -ENOMEM;
        s->tx.at = more;
        s->tx.cap = s->tx.cap * 2 + n;
    }
    memcpy(s->tx.at + s->tx.to, p, n);
    s->tx.to += n;
    return (ssize_t)n;
}

struct err *session_flush(struct ssh *s)
{
    while (span_len(&s->tx)) {
        ssize_t n = send(s->fd, s->tx.at + s->tx.from, span_len(&s->tx), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return NULL;
        if (n < 0) {
            s->tx_dead = true;
            s->rx_sys = s->rx_sys ? s->rx_sys : errno;
            return err_as(err_os(s->rx_sys, "connection lost"), ERR_UNREACHABLE);
        }
        span_drop(&s->tx, (size_t)n);
    }
    return NULL;
}

void session_fill(struct ssh *s, bool *ret_got)
{
    size_t room = span_room(&s->rx);
    *ret_got = false;
    if (!room || s->rx_eof || s->rx_sys)
        return;
    ssize_t n = recv(s->fd, s->rx.at + s->rx.to, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    *ret_got = true;
    if (n > 0)
        s->rx.to += (size_t)n;
    else if (n == 0)
        s->rx_eof = true;
    else
        s->rx_sys = errno;
}

struct err *session_wait(struct ssh *s)
{
    bool got = false;
    TRY(session_flush(s));
    short events = (short)(POLLIN | (span_len(&s->tx) ? POLLOUT : 0));
    TRY(wait_fd(s->fd, events, s->deadline_ms, s->cancel));
    session_fill(s, &got);
    return NULL;
}

struct err *session_err(struct ssh *s, const char *what)
{
    char *text = NULL;
    if (s->rx_sys)
        return err_as(err_os(s->rx_sys, "%s: %s: connection lost", s->where, what), ERR_UNREACHABLE);
    if (s->rx_eof && span_len(&s->rx) == 0)
        return err_new(ERR_UNREACHABLE, "%s: %s: the machine closed the connection", s->where, what);
    (void)libssh2_session_last_error(s->session, &text, NULL, 0);
    return err_new(ERR_UNREACHABLE, "%s: %s: %s", s->where, what, text && *text ? text : "SSH protocol error");
}

static struct err *span_init(struct span *b, size_t cap)
{
    b->at = malloc(cap);
    b->cap = cap;
    return b->at ? NULL : err_os(ENOMEM, "SSH buffers");
}

static void library_init(void)
{
    (void)libssh2_init(0);
}

static struct err *session_new(struct ssh **ret, const struct ssh_target *t, const struct cancel *c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, library_init);
    OWN(ssh_freep) struct ssh *s = calloc(1, sizeof *s);
    if (!s)
        return err_os(ENOMEM, "SSH session");
    s->fd = s->local = -1;
    s->cancel = c;
    s->timeout_ms = t->timeout_ms ? t->timeout_ms : SSH_TIMEOUT_MS;
    s->deadline_ms = clock_ms() + s->timeout_ms;
    s->status = -1;
    (void)pthread_mutex_init(&s->lock, NULL);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->where = str_fmt(strchr(t->address, ':') ? "%s ([%s]:%d)" : "%s (%s:%d)", t->name ? t->name : t->address,
                       t->address, target_port(t));
    if (s->wake < 0 || s->ended < 0 || !s->where)
        return err_os(errno ? errno : ENOMEM, "SSH session");
    TRY(span_init(&s->rx, RX_SIZE));
    TRY(span_init(&s->tx, TX_SIZE));
    *ret = TAKE(s);
    return NULL;
}

static struct err *session_dial(struct ssh *s, const struct ssh_target *t)
{
    if (!t->jump)
        return err_wrap(tcp_connect(&s->fd, t->address, target_port(t), s->deadline_ms, s->cancel), "%s", s->where);
    TRY_CTX(ssh_open(&s->via, t->jump, s->cancel), "%s: through its jump host", s->where);
    TRY_CTX(ssh_forward(s->via, t->address, target_port(t), &s->fd), "%s", s->where);
    s->deadline_ms = clock_ms() + s->timeout_ms; /* the jump had its own */
    return NULL;
}

static struct err *session_methods(struct ssh *s, const char *hostkey_pref)
{
    const struct {
        int method;
        const char *list;
    } prefs[] = {
        {LIBSSH2_METHOD_KEX, KEXES},        {LIBSSH2_METHOD_HOSTKEY, hostkey_pref}, {LIBSSH2_METHOD_CRYPT_CS, CIPHERS},
        {LIBSSH2_METHOD_CRYPT_SC, CIPHERS}, {LIBSSH2_METHOD_MAC_CS, MACS},          {LIBSSH2_METHOD_MAC_SC, MACS},
        {LIBSSH2_METHOD_COMP_CS, "none"},   {LIBSSH2_METHOD_COMP_SC, "none"},
    };
    for (size_t i = 0; i < ARRAY_LEN(prefs); i++)
        if (libssh2_session_method_pref(s->session, prefs[i].method, prefs[i].list) != 0)
            return session_err(s, "set SSH algorithms");
    return NULL;
}

static struct err *open_one(struct ssh **ret, const struct ssh_target *t, const char *hostkey_pref,
                            const struct cancel *c)
{
    OWN(ssh_freep) struct ssh *s = NULL;
    TRY(session_new(&s, t, c));
    TRY(session_dial(s, t));
    s->session = libssh2_session_init_ex(NULL, NULL, NULL, s);
    if (!s->session)
        return err_os(ENOMEM, "SSH session");
    libssh2_session_callback_set2(s->session, LIBSSH2_CALLBACK_SEND, (libssh2_cb_generic *)on_send);
    libssh2_session_callback_set2(s->session, LIBSSH2_CALLBACK_RECV, (libssh2_cb_generic *)on_recv);
    libssh2_session_set_blocking(s->session, 0);
    TRY(session_methods(s, hostkey_pref));
    int rc = 0;
    SESSION_STEP(s, rc, libssh2_session_handshake(s->session, s->fd));
    if (rc != 0)
        return session_err(s, "SSH handshake");
    *ret = TAKE(s);
    return NULL;
}

struct err *session_open(struct ssh **ret, const struct ssh_target *t, const char *hostkey_pref, const struct cancel *c)
{
    struct err *e = open_one(ret, t, hostkey_pref, c);
    if (!e || err_kind(e) != ERR_UNREACHABLE || err_hint_text(e))
        return e;
    return err_hint(e, "is the machine on, does sshd run, are address and port right?");
}

const char *ssh_cipher(const struct ssh *s)
{
    const char *name = libssh2_session_methods(s->session, LIBSSH2_METHOD_CRYPT_CS);
    return name ? name : "";
}

struct err *ssh_open(struct ssh **ret, const struct ssh_target *t, const struct cancel *c)
{
    OWN(ssh_freep) struct ssh *s = NULL;
    TRY(cancel_check(c));
    TRY(hostkey_open(&s, t, c));
    TRY(login(s, t));
    *ret = TAKE(s);
    return NULL;
}

/* Says goodbye without waiting for an answer: `closing` makes libssh2 see the end instead of asking for more. */
static void session_end(struct ssh *s)
{
    s->closing = true;
    if (s->channel)
        (void)libssh2_channel_free(s->channel);
    (void)libssh2_session_disconnect(s->session, "done");
    err_ignore(session_flush(s)); /* the other side sees the connection close anyway */
    (void)libssh2_session_free(s->session);
}

void ssh_free(struct ssh *s)
{
    if (!s)
        return;
    pump_stop(s);
    if (s->session)
        session_end(s);
    own_close(&s->fd);
    own_close(&s->local);
    own_close(&s->wake);
    own_close(&s->ended);
    ssh_free(s->via);
    err_free(s->failure);
    free(s->rx.at);
    free(s->tx.at);
    free(s->up.at);
    free(s->down.at);
    free(s->where);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}
