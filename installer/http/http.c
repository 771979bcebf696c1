#include "http/http.h"

#include "base/clock.h"
#include "base/str.h"
#include "http/inside.h"
#include "http/url.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define CONNECT_MS 10000
#define IDLE_S 120 /* a call without deadline ends when nothing at all came for so long */

/* Where an answer goes, and what went wrong on the way. */
struct sink {
    CURL *easy;
    struct buf *body; /* whole answers, and those with an unexpected status */
    size_t max;
    http_line_fn *line; /* set: lines of a 200 answer go here */
    void *arg;
    struct buf part; /* a line that has not ended yet */
    bool stop;
    struct err *failure;
};

static void curl_init_once(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct err *http_new(struct http **ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, curl_init_once);
    OWN(http_freep) struct http *h = calloc(1, sizeof *h);
    if (!h)
        return err_os(ENOMEM, "HTTP client");
    h->easy = curl_easy_init();
    h->multi = curl_multi_init();
    if (!h->easy || !h->multi)
        return err_os(ENOMEM, "HTTP client");
    *ret = TAKE(h);
    return NULL;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    if (h->easy)
        curl_easy_cleanup(h->easy);
    if (h->multi)
        (void)curl_multi_cleanup(h->multi);
    free(h);
}

/* ---- answers ---- */

static struct err *sink_body(struct sink *k, const char *p, size_t n)
{
    if (k->body->len + n > k->max)
        return err_new(ERR_FAILED, "the answer is larger than %zu bytes", k->max);
    return buf_add(k->body, p, n);
}

static struct err *sink_lines(struct sink *k, const char *p, size_t n)
{
    while (n && !k->stop) {
        const char *end = memchr(p, '\n', n);
        size_t take = end ? (size_t)(end - p) : n;
        if (k->part.len + take > k->max)
            return err_new(ERR_FAILED, "a line of the answer is longer than %zu bytes", k->max);
        TRY(buf_add(&k->part, p, take));
        p += take + (end ? 1 : 0);
        n -= take + (end ? 1 : 0);
        if (!end)
            return NULL;
        struct err *e = k->part.len ? k->line(k->arg, k->part.at, k->part.len, &k->stop) : NULL;
        k->part.len = 0;
        if (e)
            return e;
    }
    return NULL;
}

static size_t on_bytes(char *p, size_t size, size_t count, void *arg)
{
    struct sink *k = arg;
    size_t n = size * count;
    long status = 0;
    (void)curl_easy_getinfo(k->easy, CURLINFO_RESPONSE_CODE, &status);
    if (k->line && status == 200)
        k->failure = sink_lines(k, p, n);
    else
        k->failure = sink_body(k, p, n);
    return k->failure || k->stop ? CURL_WRITEFUNC_ERROR : n;
}

/* ---- the request ---- */

CURLcode http_set_pem(struct http *h, CURLoption option, const char *pem)
{
    if (!pem)
        return CURLE_OK;
    struct curl_blob blob = {.data = (void *)pem, .len = strlen(pem), .flags = CURL_BLOB_COPY};
    return curl_easy_setopt(h->easy, option, &blob);
}

CURLcode http_set_trust(struct http *h, const char *ca_pem)
{
    CURLcode rc = CURLE_OK;
    SET(h, rc, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (ca_pem) { /* without this the system's folder of CAs would be trusted beside ours */
        SET(h, rc, CURLOPT_CAINFO, NULL);
        SET(h, rc, CURLOPT_CAPATH, NULL);
    }
    return rc == CURLE_OK ? http_set_pem(h, CURLOPT_CAINFO_BLOB, ca_pem) : rc;
}

const char *http_ca_of(const struct http_way *way, const char *url)
{
    OWN_URL struct http_url parts = {0};
    struct err *e = http_url_parse(&parts, url);
    const char *pem = NULL;
    for (size_t i = 0; !e && !pem && i < way->n_cas; i++)
        pem = strcmp(way->cas[i].host, parts.host) == 0 ? way->cas[i].pem : NULL;
    err_ignore(e); /* the transfer itself says what is wrong with the URL */
    return pem;
}

static CURLcode set_tls(struct http *h, const struct http_call *call)
{
    CURLcode rc = http_set_trust(h, call->way ? http_ca_of(call->way, call->url) : call->ca_pem);
    if (rc == CURLE_OK)
        rc = http_set_pem(h, CURLOPT_SSLCERT_BLOB, call->cert_pem);
    if (rc == CURLE_OK)
        rc = http_set_pem(h, CURLOPT_SSLKEY_BLOB, call->key_pem);
    return rc;
}

static CURLcode set_request(struct http *h, const struct http_call *call, struct curl_slist *headers)
{
    CURLcode rc = CURLE_OK;
    SET(h, rc, CURLOPT_URL, call->url);
    if (call->unix_socket && *call->unix_socket == '@')
        SET(h, rc, CURLOPT_ABSTRACT_UNIX_SOCKET, call->unix_socket + 1);
    else
        SET(h, rc, CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
    SET(h, rc, CURLOPT_HTTPHEADER, headers);
    if (call->body) {
        SET(h, rc, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
        SET(h, rc, CURLOPT_POSTFIELDS, call->body);
    }
    if (str_eq(call->method, "HEAD"))
        SET(h, rc, CURLOPT_NOBODY, 1L);
    else if (call->method)
        SET(h, rc, CURLOPT_CUSTOMREQUEST, call->method);
    return rc;
}

static CURLcode set_limits(struct http *h, const struct http_call *call)
{
    CURLcode rc = CURLE_OK;
    long timeout = call->timeout_ms ? (long)call->timeout_ms : HTTP_TIMEOUT_MS;
    SET(h, rc, CURLOPT_NOSIGNAL, 1L);
    if (!call->way) {
        SET(h, rc, CURLOPT_PROXY, "");
        SET(h, rc, CURLOPT_NOPROXY, "*");
    } else if (call->way->proxy) {
        SET(h, rc, CURLOPT_PROXY, call->way->proxy);
    }
    SET(h, rc, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(h, rc, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(h, rc, CURLOPT_CONNECTTIMEOUT_MS, timeout > 0 && timeout < CONNECT_MS ? timeout : (long)CONNECT_MS);
    SET(h, rc, CURLOPT_ERRORBUFFER, h->reason);
    if (timeout > 0) {
        SET(h, rc, CURLOPT_TIMEOUT_MS, timeout);
    } else {
        SET(h, rc, CURLOPT_LOW_SPEED_LIMIT, 1L);
        SET(h, rc, CURLOPT_LOW_SPEED_TIME, (long)IDLE_S);
    }
    return rc;
}

void http_slist_free(struct curl_slist **l)
{
    curl_slist_free_all(*l);
}

struct err *http_header_add(struct curl_slist **l, const char *line)
{
    struct curl_slist *more = strpbrk(line, "\r\n") ? NULL : curl_slist_append(*l, line);
    if (!more)
        return err_new(ERR_FAILED, "HTTP header cannot be set");
    *l = more;
    return NULL;
}

static struct err *headers_make(struct curl_slist **ret, const struct http_call *call)
{
    OWN_FREE char *type = str_fmt("Content-Type: %s", call->content_type ? call->content_type : "");
    if (!type)
        return err_os(ENOMEM, "HTTP headers");
    TRY(http_header_add(ret, "Expect:")); /* no waiting for "100 Continue" before a larger body */
    if (call->body)
        TRY(http_header_add(ret, type));
    for (const char *const *line = call->headers; line && *line; line++)
        TRY(http_header_add(ret, *line));
    return NULL;
}

static enum err_kind kind_of(CURLcode rc)
{
    bool trust = rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE ||
                 rc == CURLE_SSL_CERTPROBLEM || rc == CURLE_SSL_ISSUER_ERROR;
    bool usage = rc == CURLE_URL_MALFORMAT || rc == CURLE_UNSUPPORTED_PROTOCOL;
    return trust ? ERR_UNTRUSTED : usage ? ERR_USAGE : ERR_UNREACHABLE;
}

static CURLcode result_of(struct http *h)
{
    int left = 0;
    for (CURLMsg *m = curl_multi_info_read(h->multi, &left); m; m = curl_multi_info_read(h->multi, &left))
        if (m->msg == CURLMSG_DONE)
            return m->data.result;
    return CURLE_RECV_ERROR;
}

/* Drives the one transfer to its end, or to the cancel flag. */
static struct err *drive(struct http *h, const struct cancel *cancel, CURLcode *ret)
{
    struct curl_waitfd wait = {.fd = cancel ? cancel->fd : -1, .events = CURL_WAIT_POLLIN};
    for (int running = 1;;) {
        CURLMcode rc = curl_multi_perform(h->multi, &running);
        if (rc == CURLM_OK && !running)
            break;
        if (rc == CURLM_OK)
            rc = curl_multi_poll(h->multi, cancel ? &wait : NULL, cancel ? 1 : 0, 1000, NULL);
        if (rc != CURLM_OK)
            return err_new(ERR_FAILED, "%s", curl_multi_strerror(rc));
        TRY(cancel_check(cancel));
    }
    *ret = result_of(h);
    return NULL;
}

struct err *http_perform(struct http *h, const struct cancel *cancel, CURLcode *ret)
{
    CURLMcode added = curl_multi_add_handle(h->multi, h->easy);
    if (added != CURLM_OK)
        return err_new(ERR_FAILED, "%s", curl_multi_strerror(added));
    struct err *e = drive(h, cancel, ret);
    (void)curl_multi_remove_handle(h->multi, h->easy);
    return e;
}

static struct err *perform(struct http *h, const struct http_call *call, struct sink *k)
{
    CURLcode rc = CURLE_OK;
    struct err *e = http_perform(h, call->cancel, &rc);
    if (e || rc == CURLE_OK || k->stop)
        return e;
    if (k->failure)
        return TAKE(k->failure);
    return err_new(kind_of(rc), "%s", *h->reason ? h->reason : curl_easy_strerror(rc));
}

static void sink_done(struct sink *k)
{
    buf_done(&k->part);
    err_free(k->failure);
}

static struct err *run(struct http *h, const struct http_call *call, struct sink *k, long *ret_status)
{
    OWN(http_slist_free) struct curl_slist *headers = NULL;
    TRY(headers_make(&headers, call));
    curl_easy_reset(h->easy); /* settings only: connections stay */
    *h->reason = '\0';
    k->easy = h->easy;
    CURLcode rc = set_limits(h, call);
    if (rc == CURLE_OK)
        rc = set_request(h, call, headers);
    if (rc == CURLE_OK)
        rc = set_tls(h, call);
    SET(h, rc, CURLOPT_WRITEFUNCTION, on_bytes);
    SET(h, rc, CURLOPT_WRITEDATA, k);
    if (rc != CURLE_OK)
        return err_new(ERR_FAILED, "set up: %s", curl_easy_strerror(rc));
    TRY(perform(h, call, k));
    (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, ret_status);
    return NULL;
}

static struct err *call_run(struct http *h, const struct http_call *call, struct sink *k, long *ret_status)
{
    *ret_status = 0;
    TRY(cancel_check(call->cancel));
    return err_wrap(run(h, call, k, ret_status), "%s %s", call->method ? call->method : "GET", call->url);
}

struct err *http_do(struct buf *body, long *ret_status, const struct http_call *call, struct http *conn)
{
    OWN(sink_done) struct sink k = {.body = body, .max = call->max_body ? call->max_body : HTTP_BODY_MAX};
    return call_run(conn, call, &k, ret_status);
}

struct err *http_lines(struct buf *error_body, long *ret_status, const struct http_call *call, struct http *conn,
                       http_line_fn *on_line, void *arg)
{
    OWN(sink_done)
    struct sink k = {
        .body = error_body, .line = on_line, .arg = arg, .max = call->max_body ? call->max_body : HTTP_BODY_MAX};
    TRY(call_run(conn, call, &k, ret_status));
    if (k.part.len && !k.stop) /* the last line may lack its end */
        return on_line(arg, k.part.at, k.part.len, &k.stop);
    return NULL;
}

/* ---- heads ---- */

const char *http_header(const struct http *conn, const char *name)
{
    struct curl_header *h = NULL;
    return curl_easy_header(conn->easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

const char *http_redirect(const struct http *conn)
{
    char *to = NULL;
    (void)curl_easy_getinfo(conn->easy, CURLINFO_REDIRECT_URL, &to);
    return to;
}

int64_t http_retry_after(const struct http *conn)
{
    curl_off_t seconds = 0;
    (void)curl_easy_getinfo(conn->easy, CURLINFO_RETRY_AFTER, &seconds);
    return seconds;
}
