#include "crypt/tls.h"

#include "base/clock.h"
#include "base/str.h"
#include "crypt/openssl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { HEADER_MAX = 64 << 10, CHUNK = 16 << 10 };

CRYPT_FREE(SSL_CTX, SSL_CTX_free, own_ssl_ctx)
CRYPT_FREE(SSL, SSL_free, own_ssl)
CRYPT_FREE(BIO_METHOD, BIO_meth_free, own_method)

/* ---- socket ---- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static struct err *address_parse(union address *ret, socklen_t *ret_len, const struct tls_call *c)
{
    *ret = (union address){0};
    if (inet_pton(AF_INET, c->address, &ret->v4.sin_addr) == 1) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons(c->port);
        *ret_len = sizeof ret->v4;
        return NULL;
    }
    if (inet_pton(AF_INET6, c->address, &ret->v6.sin6_addr) == 1) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons(c->port);
        *ret_len = sizeof ret->v6;
        return NULL;
    }
    return err_new(ERR_USAGE, "\"%s\" is no numeric address", c->address);
}

static struct err *connect_to(int *ret, const struct tls_call *c)
{
    union address a;
    socklen_t len = 0;
    TRY(address_parse(&a, &len, c));
    OWN_FD int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_os(errno, "socket");
    int sys = connect(fd, &a.any, len) < 0 ? errno : 0;
    if (sys == EINPROGRESS) {
        TRY(wait_fd(fd, POLLOUT, c->deadline_ms, c->cancel));
        socklen_t n = sizeof sys;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n) < 0)
            sys = errno;
    }
    if (sys)
        return err_as(err_os(sys, "connect"), ERR_UNREACHABLE);
    *ret = TAKE_FD(fd);
    return NULL;
}

/* The library's own socket BIO uses write(), which raises SIGPIPE when the peer is gone; this one does not.
 */
static int bio_send(BIO *bio, const char *p, int n)
{
    BIO_clear_retry_flags(bio);
    ssize_t w = send(*(int *)BIO_get_data(bio), p, (size_t)n, MSG_NOSIGNAL);
    if (w < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)w;
}

static int bio_receive(BIO *bio, char *p, int n)
{
    BIO_clear_retry_flags(bio);
    ssize_t r = recv(*(int *)BIO_get_data(bio), p, (size_t)n, 0);
    if (r < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)r;
}

static long bio_control(BIO *bio, int cmd, long arg, void *p)
{
    (void)bio;
    (void)arg;
    (void)p;
    return cmd == BIO_CTRL_FLUSH; /* nothing is held back, so flushing is done; nothing else is known */
}

static struct err *method_make(BIO_METHOD **ret)
{
    OWN(own_method) BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (!m || BIO_meth_set_write(m, bio_send) != 1 || BIO_meth_set_read(m, bio_receive) != 1 ||
        BIO_meth_set_ctrl(m, bio_control) != 1)
        return crypt_err(ERR_FAILED, "TLS");
    *ret = TAKE(m);
    return NULL;
}

/* ---- session ---- */

static struct err *context_make(SSL_CTX **ret, const struct tls_call *c)
{
    OWN(own_ssl_ctx) SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
        return crypt_err(ERR_FAILED, "TLS");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, crypt_no_passphrase);
    if (SSL_CTX_load_verify_file(ctx, c->ca_file) != 1)
        return crypt_err(ERR_FAILED, "%s", c->ca_file);
    if (c->cert_file && SSL_CTX_use_certificate_chain_file(ctx, c->cert_file) != 1)
        return crypt_err(ERR_FAILED, "%s", c->cert_file);
    if (c->key_file && SSL_CTX_use_PrivateKey_file(ctx, c->key_file, SSL_FILETYPE_PEM) != 1)
        return crypt_err(ERR_FAILED, "%s", c->key_file);
    *ret = TAKE(ctx);
    return NULL;
}

/* Binds the session to the name: an address must stand as an address in the certificate. */
static bool name_set(SSL *ssl, const char *name)
{
    union address a;
    bool numeric = inet_pton(AF_INET, name, &a.v4.sin_addr) == 1 || inet_pton(AF_INET6, name, &a.v6.sin6_addr) == 1;
    if (numeric)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return *name && SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static struct err *session_make(SSL **ret, SSL_CTX *ctx, const BIO_METHOD *m, int *fd, const char *name)
{
    OWN(own_ssl) SSL *ssl = SSL_new(ctx);
    if (!ssl || !name_set(ssl, name))
        return crypt_err(ERR_FAILED, "TLS");
    BIO *bio = BIO_new(m);
    if (!bio)
        return crypt_err(ERR_FAILED, "TLS");
    BIO_set_data(bio, fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio); /* owned by the session */
    *ret = TAKE(ssl);
    return NULL;
}

/* Whether the alert we were sent says that our certificate was refused (RFC 8446, 6.2). */
static bool alert_is_about_us(unsigned long code)
{
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return false;
    switch (ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
    case SSL_AD_HANDSHAKE_FAILURE: /* what TLS 1.2 servers say to a client without a certificate */
        return true;
    default:
        return false;
    }
}

static struct err *failure(SSL *ssl, int sys, const char *doing)
{
    long verdict = SSL_get_verify_result(ssl);
    unsigned long code = ERR_peek_error();
    if (verdict != X509_V_OK) {
        ERR_clear_error();
        return err_new(ERR_UNTRUSTED, "server certificate: %s", X509_verify_cert_error_string(verdict));
    }
    if (alert_is_about_us(code))
        return crypt_err(ERR_UNTRUSTED, "the server refuses this client");
    if (!code && sys)
        return err_as(err_os(sys, "%s", doing), ERR_UNREACHABLE);
    return crypt_err(ERR_UNREACHABLE, "%s%s", doing, code ? "" : ": connection closed");
}

/* One step of the session, again and again until it is done or the deadline passes. */
enum step { STEP_HANDSHAKE, STEP_WRITE, STEP_READ };

struct session {
    SSL *ssl;
    int fd;
    const struct tls_call *call;
};

static int step_once(SSL *ssl, enum step step, void *p, size_t n, size_t *ret_n)
{
    ERR_clear_error();
    errno = 0;
    if (step == STEP_HANDSHAKE)
        return SSL_connect(ssl);
    return step == STEP_WRITE ? SSL_write_ex(ssl, p, n, ret_n) : SSL_read_ex(ssl, p, n, ret_n);
}

/* *ret_n is 0 after a read at the proper end of the stream (close_notify). */
static struct err *step_run(const struct session *s, enum step step, void *p, size_t n, size_t *ret_n)
{
    static const char *const names[] = {"TLS handshake", "send the request", "receive the answer"};
    for (;;) {
        int rc = step_once(s->ssl, step, p, n, ret_n);
        int sys = errno;
        if (rc == 1)
            return NULL;
        int why = SSL_get_error(s->ssl, rc);
        if (why == SSL_ERROR_ZERO_RETURN && step == STEP_READ) {
            *ret_n = 0;
            return NULL;
        }
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
            return failure(s->ssl, sys, names[step]);
        short events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        TRY_CTX(wait_fd(s->fd, events, s->call->deadline_ms, s->call->cancel), "%s", names[step]);
    }
}

/* ---- HTTP ---- */

static bool path_is_good(const char *path)
{
    if (*path != '/')
        return false;
    for (const char *at = path; *at; at++)
        if (*at <= ' ' || *at > '~')
            return false;
    return true;
}

/* HTTP/1.0, so that the body ends with the connection and is never chunked. */
static struct err *request_send(const struct session *s)
{
    OWN_BUF struct buf req = {0};
    const char *name = s->call->name;
    bool v6 = strchr(name, ':') != NULL;
    TRY(buf_fmt(&req, "GET %s HTTP/1.0\r\nHost: %s%s%s:%u\r\n", s->call->path, v6 ? "[" : "", name, v6 ? "]" : "",
                s->call->port));
    TRY(buf_str(&req, "User-Agent: caisson/" CAISSON_VERSION "\r\nAccept: */*\r\n\r\n"));
    size_t n = 0; /* without SSL_MODE_ENABLE_PARTIAL_WRITE it is all or nothing */
    return step_run(s, STEP_WRITE, req.at, req.len, &n);
}

static struct err *answer_read(const struct session *s, struct buf *all)
{
    char chunk[CHUNK];
    for (;;) {
        size_t n = 0;
        TRY(step_run(s, STEP_READ, chunk, sizeof chunk, &n));
        if (n == 0)
            return NULL;
        TRY_CTX(buf_add(all, chunk, n), "answer");
    }
}

static struct err *answer_wrong(const char *what)
{
    return err_new(ERR_UNREACHABLE, "answer is no proper HTTP: %s", what);
}

/* The value of the Content-Length line before `end`: *ret is -1 without one. */
static struct err *content_length(int64_t *ret, const char *head, const char *end)
{
    static const char key[] = "\r\nContent-Length:";
    *ret = -1;
    for (const char *at = head; at < end; at++)
        if (strncasecmp(at, key, sizeof key - 1) == 0) {
            const char *v = at + sizeof key - 1;
            char digits[20] = "";
            v += strspn(v, " \t");
            (void)snprintf(digits, sizeof digits, "%.*s", (int)strcspn(v, " \t\r"), v);
            return str_int(digits, 0, INT64_MAX, ret) ? NULL : answer_wrong("no length");
        }
    return NULL;
}

static struct err *answer_split(struct buf *body, int *ret_status, const struct buf *all)
{
    const char *text = buf_text(all), *end = strstr(text, "\r\n\r\n");
    int64_t status = 0;
    char digits[4] = "";
    if (!end || end - text > HEADER_MAX || !str_starts(text, "HTTP/1.") || strlen(text) < 12 || text[8] != ' ')
        return answer_wrong("no header");
    memcpy(digits, text + 9, 3);
    if (!str_int(digits, 100, 599, &status))
        return answer_wrong("no status");
    const char *from = end + 4;
    size_t n = all->len - (size_t)(from - text);
    int64_t want = -1;
    TRY(content_length(&want, text, end));
    if (want >= 0 && (uint64_t)want != n)
        return answer_wrong("the body is not as long as announced");
    *ret_status = (int)status;
    return buf_add(body, from, n);
}

/* ---- the call ---- */

static struct err *call_run(struct buf *all, const struct tls_call *c)
{
    OWN(own_ssl_ctx) SSL_CTX *ctx = NULL;
    OWN(own_method) BIO_METHOD *method = NULL;
    TRY(context_make(&ctx, c));
    TRY(method_make(&method));
    OWN_FD int fd = -1;
    TRY(connect_to(&fd, c));
    OWN(own_ssl) SSL *ssl = NULL;
    TRY(session_make(&ssl, ctx, method, &fd, c->name));
    struct session s = {.ssl = ssl, .fd = fd, .call = c};
    size_t n = 0;
    TRY(step_run(&s, STEP_HANDSHAKE, NULL, 0, &n));
    TRY(request_send(&s));
    TRY(answer_read(&s, all));
    (void)SSL_shutdown(ssl); /* polite; the answer is complete whatever the peer does now */
    return NULL;
}

struct err *tls_get(struct buf *body, int *ret_status, const struct tls_call *call)
{
    TRY(crypt_ready());
    if (!path_is_good(call->path))
        return err_new(ERR_USAGE, "bad path of an HTTPS request");
    if (!*call->name ||
        strspn(call->name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:") != strlen(call->name))
        return err_new(ERR_USAGE, "bad server name of an HTTPS request");
    OWN_BUF struct buf all = {.max = HEADER_MAX + TLS_BODY_MAX};
    TRY_CTX(call_run(&all, call), "https://%s:%u%s", call->address, call->port, call->path);
    TRY_CTX(answer_split(body, ret_status, &all), "https://%s:%u%s", call->address, call->port, call->path);
    return NULL;
}
