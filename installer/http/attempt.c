#include "http/attempt.h"

#include "base/str.h"
#include "http/inside.h"
#include "http/url.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { CONNECT_MS = 15000, REDIRECTS_MAX = 8, BUFFER = 256 << 10, IGNORED_MAX = 64 << 10 };

/* ---- the head of an answer ---- */

static struct err *changed(struct attempt *a, const char *how)
{
    a->found->changed = true;
    return err_hint(err_new(ERR_UNREACHABLE, "E_SRC_RANGE: the file on the server changed: %s", how),
                    "run it again; if it stays so, the server's copies are not all the same");
}

static struct err *check_encoding(const struct attempt *a)
{
    const char *encoding = http_header(a->conn, "Content-Encoding");
    if (!encoding || strcasecmp(encoding, "identity") == 0)
        return NULL;
    return err_hint(err_new(ERR_UNREACHABLE, "E_SRC_SIZE: sent as %s, not as the file's own bytes", encoding),
                    "switch compression off on that server for such files, or take another one");
}

static struct err *check_total(struct attempt *a, uint64_t total)
{
    const struct http_range *ask = a->ask;
    uint64_t before = a->found->total;
    if (before != HTTP_UNKNOWN && total != before)
        return changed(a, "it has another size");
    if ((ask->size && total != ask->size) || (!ask->size && ask->max && total > ask->max))
        return err_hint(err_new(ERR_UNREACHABLE, "E_SRC_SIZE: it has %llu bytes; %s %llu", (unsigned long long)total,
                                ask->size ? "wanted are" : "at most",
                                (unsigned long long)(ask->size ? ask->size : ask->max)),
                        "it is another file than expected: is the URL right?");
    a->found->total = total;
    return NULL;
}

/* A strong validator (RFC 9110, 8.8.3) that an If-Range may carry. */
static void note_etag(struct attempt *a)
{
    const char *etag = http_header(a->conn, "ETag");
    size_t n = etag ? strlen(etag) : 0;
    if (n >= 2 && n < HTTP_ETAG_MAX && etag[0] == '"' && etag[n - 1] == '"' && !memchr(etag + 1, '"', n - 2))
        memcpy(a->found->etag, etag, n + 1);
}

static struct err *begin(struct attempt *a)
{
    if (a->begun)
        return NULL;
    a->begun = true;
    note_etag(a);
    return a->sink->begin ? a->sink->begin(a->sink->self, a->found) : NULL;
}

/* Digits up to `end`, which is stepped over. */
static bool number(const char **p, const char *end, uint64_t *ret)
{
    size_t digits = strspn(*p, "0123456789");
    uint64_t v = 0;
    if (!digits || digits > 18 || strncmp(*p + digits, end, strlen(end)) != 0)
        return false;
    for (size_t i = 0; i < digits; i++)
        v = v * 10 + (uint64_t)((*p)[i] - '0');
    *p += digits + strlen(end);
    *ret = v;
    return true;
}

/* "bytes 100-199/1000" (RFC 9110, 14.4). */
struct content_range {
    uint64_t first, last, total;
};

static bool parse_range(struct content_range *r, const char *p)
{
    if (!p || strncasecmp(p, "bytes ", 6) != 0)
        return false;
    p += 6;
    return number(&p, "-", &r->first) && number(&p, "/", &r->last) && number(&p, "", &r->total) && !*p &&
           r->last < r->total;
}

/* Where the range that was asked for ends in a file of `total` bytes. */
static uint64_t range_end(const struct attempt *a, uint64_t total)
{
    return a->ask->to && a->ask->to < total ? a->ask->to : total;
}

static struct err *wrong_range(const struct attempt *a)
{
    const char *text = http_header(a->conn, "Content-Range");
    return err_hint(err_new(ERR_UNREACHABLE, "E_SRC_RANGE: asked for the bytes from %llu on, the answer says \"%s\"",
                            (unsigned long long)a->at, text ? text : ""),
                    "that server's ranges cannot be relied on: take another one");
}

/* Where no digest will tell, an answer must say itself that it is of the same file. */
static struct err *check_etag(struct attempt *a)
{
    const char *etag = http_header(a->conn, "ETag");
    if (!*a->found->etag || (etag ? strcmp(etag, a->found->etag) == 0 : a->ask->loose))
        return NULL;
    return changed(a, etag ? "it has another ETag" : "its ETag is gone");
}

static struct err *read_partial(struct attempt *a)
{
    struct content_range r = {0};
    TRY(check_encoding(a));
    if (!parse_range(&r, http_header(a->conn, "Content-Range")) || r.first != a->at)
        return wrong_range(a);
    TRY(check_etag(a));
    TRY(check_total(a, r.total));
    if (r.last + 1 != range_end(a, r.total))
        return wrong_range(a);
    a->found->ranges = true;
    a->left = r.last + 1 - r.first;
    return begin(a);
}

static struct err *read_whole(struct attempt *a)
{
    curl_off_t length = -1;
    TRY(check_etag(a));
    a->found->changed = a->at > 0;
    TRY(check_encoding(a));
    if (a->at > 0 || a->ask->part)
        return err_new(ERR_UNREACHABLE, "E_SRC_RANGE: asked for a part, the server sends the whole file");
    (void)curl_easy_getinfo(a->conn->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    a->open_ended = length < 0;
    if (!a->open_ended)
        TRY(check_total(a, (uint64_t)length));
    a->left = !a->open_ended ? (uint64_t)length
              : a->ask->size ? a->ask->size
              : a->ask->max  ? a->ask->max
                             : HTTP_UNKNOWN;
    a->found->ranges = false;
    return begin(a);
}

/* 416: there is no byte at `at`. Right when the file ends there: a download was cut between its last byte and its end.
 */
static struct err *read_unsatisfied(struct attempt *a)
{
    const char *text = http_header(a->conn, "Content-Range"), *p = text;
    uint64_t total = 0;
    bool good = p && strncasecmp(p, "bytes */", 8) == 0;
    p += good ? 8 : 0;
    if (!good || !number(&p, "", &total) || *p || total != a->at) {
        a->found->changed = a->at > 0;
        return err_new(ERR_UNREACHABLE, "E_SRC_RANGE: the file has no byte %llu (416, \"%s\")",
                       (unsigned long long)a->at, text ? text : "");
    }
    TRY(check_etag(a));
    a->no_file = true;
    a->found->ranges = true;
    TRY(check_total(a, total));
    return begin(a);
}

static struct err *read_refusal(struct attempt *a, long status)
{
    if (status == 407)
        return err_hint(err_new(ERR_UNREACHABLE, "E_SRC_PROXY: the proxy wants a name and a password (407)"),
                        "put them into https_proxy in the environment, or name another proxy: --proxy URL");
    a->again = status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
    a->wait_s = a->again ? http_retry_after(a->conn) : 0;
    return err_hint(err_new(ERR_UNREACHABLE, "E_SRC_HTTP: the server says %ld", status),
                    status == 401 || status == 403 ? "it does not give the file to everybody: take another source"
                    : a->again                     ? "try again later, or take another source"
                                                   : "is the URL right? Open it in a browser");
}

static struct err *read_head(struct attempt *a)
{
    long status = 0;
    a->seen = true;
    (void)curl_easy_getinfo(a->conn->easy, CURLINFO_RESPONSE_CODE, &status);
    a->redirect = (status >= 301 && status <= 303) || status == 307 || status == 308;
    a->no_file = a->redirect;
    if (a->redirect)
        return NULL;
    return status == 206   ? read_partial(a)
           : status == 200 ? read_whole(a)
           : status == 416 ? read_unsatisfied(a)
                           : read_refusal(a, status);
}

/* ---- the body ---- */

static struct err *take(struct attempt *a, const char *p, size_t n)
{
    if (n > a->left)
        return err_hint(err_new(ERR_UNREACHABLE, "E_SRC_SIZE: more bytes come than the file may have"),
                        "it is another file than expected: is the URL right?");
    a->left -= n;
    TRY(a->sink->bytes(a->sink->self, p, n));
    a->at += n;
    return NULL;
}

static size_t on_bytes(char *p, size_t size, size_t count, void *arg)
{
    struct attempt *a = arg;
    size_t n = size * count;
    if (!a->seen)
        a->failure = read_head(a);
    if (!a->failure && a->no_file)
        a->ignored += n;
    else if (!a->failure)
        a->failure = take(a, p, n);
    return a->failure || a->ignored > IGNORED_MAX ? CURL_WRITEFUNC_ERROR : n;
}

/* ---- faults of the transport ---- */

struct fault {
    CURLcode rc;
    const char *word;
    bool again;
    const char *hint;
};

static const char hint_connect[] =
    "is the host up, and does it need a proxy? --proxy URL, or https_proxy in the environment";
static const char hint_tls[] = "is it the right host? For one with a private CA: --ca HOST=FILE";
static const char hint_proxy[] = "check --proxy, or https_proxy and no_proxy in the environment";
static const char hint_link[] = "run it again: what is there already is kept";

static const struct fault faults[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "E_SRC_CONNECT", true, hint_connect},
    {CURLE_COULDNT_CONNECT, "E_SRC_CONNECT", true, hint_connect},
    {CURLE_COULDNT_RESOLVE_PROXY, "E_SRC_PROXY", true, hint_proxy},
    {CURLE_PROXY, "E_SRC_PROXY", false, hint_proxy},
    {CURLE_PEER_FAILED_VERIFICATION, "E_SRC_TLS", false, hint_tls},
    {CURLE_SSL_CACERT_BADFILE, "E_SRC_TLS", false, hint_tls},
    {CURLE_SSL_ISSUER_ERROR, "E_SRC_TLS", false, hint_tls},
    {CURLE_SSL_CONNECT_ERROR, "E_SRC_TLS", true, hint_tls},
    {CURLE_OPERATION_TIMEDOUT, "E_SRC_STALL", true, hint_link},
};

static struct fault fault_of(const struct attempt *a, CURLcode rc)
{
    struct fault cut = {rc, "E_TRUNCATED", true, hint_link};
    curl_off_t connected = 0;
    long proxy = 0, asked = 0; /* bytes; a connection that is used again took no time to be made */
    (void)curl_easy_getinfo(a->conn->easy, CURLINFO_CONNECT_TIME_T, &connected);
    (void)curl_easy_getinfo(a->conn->easy, CURLINFO_REQUEST_SIZE, &asked);
    (void)curl_easy_getinfo(a->conn->easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
    if (proxy >= 300)
        return (struct fault){rc, "E_SRC_PROXY", false, hint_proxy};
    if (rc == CURLE_OPERATION_TIMEDOUT && connected == 0 && asked == 0)
        return (struct fault){rc, "E_SRC_CONNECT", true, hint_connect};
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        if (faults[i].rc == rc)
            return faults[i];
    return cut;
}

static struct err *transport(struct attempt *a, CURLcode rc)
{
    struct fault f = fault_of(a, rc);
    a->again = f.again;
    return err_hint(
        err_new(ERR_UNREACHABLE, "%s: %s", f.word, *a->conn->reason ? a->conn->reason : curl_easy_strerror(rc)), "%s",
        f.hint);
}

static struct err *ended(struct attempt *a, CURLcode rc)
{
    if (a->failure)
        return TAKE(a->failure);
    if (a->no_file)
        return NULL;
    if (rc != CURLE_OK)
        return transport(a, rc);
    if (!a->seen)
        TRY(read_head(a));
    if (!a->left || (a->open_ended && !a->ask->size))
        return NULL;
    a->again = !a->open_ended;
    return err_hint(err_new(ERR_UNREACHABLE, "%s: it ends after %llu bytes",
                            a->open_ended ? "E_SRC_SIZE" : "E_TRUNCATED", (unsigned long long)a->at),
                    "%s", hint_link);
}

/* ---- the request ---- */

static CURLcode set_options(struct attempt *a, const char *url)
{
    struct http *h = a->conn;
    const struct http_way *way = a->way;
    CURLcode rc = http_set_trust(h, http_ca_of(way, url));
    SET(h, rc, CURLOPT_URL, url);
    SET(h, rc, CURLOPT_NOSIGNAL, 1L);
    SET(h, rc, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(h, rc, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(h, rc, CURLOPT_USERAGENT, "caisson/" CAISSON_VERSION);
    SET(h, rc, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    SET(h, rc, CURLOPT_LOW_SPEED_LIMIT, (long)HTTP_STALL_RATE);
    SET(h, rc, CURLOPT_LOW_SPEED_TIME, way->stall_s ? (long)way->stall_s : (long)HTTP_STALL_S);
    SET(h, rc, CURLOPT_BUFFERSIZE, (long)BUFFER);
    SET(h, rc, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(h, rc, CURLOPT_ERRORBUFFER, h->reason);
    SET(h, rc, CURLOPT_WRITEFUNCTION, on_bytes);
    SET(h, rc, CURLOPT_WRITEDATA, a);
    if (way->proxy)
        SET(h, rc, CURLOPT_PROXY, way->proxy);
    return rc;
}

/* No Accept-Encoding: what comes is the file. */
static struct err *make_headers(struct curl_slist **ret, const struct attempt *a, bool authorized)
{
    char line[HTTP_ETAG_MAX + 64];
    if (a->ask->to)
        (void)snprintf(line, sizeof line, "Range: bytes=%llu-%llu", (unsigned long long)a->at,
                       (unsigned long long)a->ask->to - 1);
    else
        (void)snprintf(line, sizeof line, "Range: bytes=%llu-", (unsigned long long)a->at);
    TRY(http_header_add(ret, line));
    if (*a->found->etag) {
        (void)snprintf(line, sizeof line, "If-Range: %s", a->found->etag);
        TRY(http_header_add(ret, line));
    }
    if (!authorized || !a->ask->authorization)
        return NULL;
    OWN_FREE char *secret = str_fmt("Authorization: %s", a->ask->authorization);
    struct err *e = secret ? http_header_add(ret, secret) : err_os(ENOMEM, "HTTP headers");
    if (secret)
        explicit_bzero(secret, strlen(secret));
    return e;
}

static void forget_answer(struct attempt *a)
{
    a->seen = a->redirect = a->no_file = a->open_ended = a->again = false;
    a->left = a->ignored = 0;
    a->wait_s = 0;
}

static struct err *request(struct attempt *a, const char *url, bool authorized)
{
    OWN(http_slist_free) struct curl_slist *headers = NULL;
    struct http *h = a->conn;
    CURLcode rc = CURLE_OK;
    forget_answer(a);
    curl_easy_reset(h->easy);
    *h->reason = '\0';
    TRY(make_headers(&headers, a, authorized));
    rc = set_options(a, url);
    SET(h, rc, CURLOPT_HTTPHEADER, headers);
    if (rc != CURLE_OK)
        return err_new(ERR_FAILED, "set up: %s", curl_easy_strerror(rc));
    struct err *e = http_perform(h, a->way->cancel, &rc);
    if (e)
        err_free(TAKE(a->failure));
    return e ? e : ended(a, rc);
}

/* ---- redirects ---- */

static const char hint_redirect[] = "take a source that stays in https";

static struct err *check_redirect(const struct http_url *start, const struct http_url *to, const char *url)
{
    if (to->secure || (!start->secure && str_eq(start->host, to->host)))
        return NULL;
    return err_hint(err_new(ERR_UNREACHABLE, "E_SRC_REDIRECT: it leads to %s, out of https", url), "%s", hint_redirect);
}

static struct err *next_hop(const struct attempt *a, const struct http_url *start, char **url, struct http_url *at)
{
    const char *told = http_redirect(a->conn);
    OWN_FREE char *to = told ? strdup(told) : NULL;
    if (!to)
        return err_new(ERR_UNREACHABLE, "E_SRC_REDIRECT: a redirect to nowhere");
    http_url_done(at);
    struct err *e = http_url_parse(at, to);
    if (e)
        return err_hint(err_as(err_wrap(e, "E_SRC_REDIRECT: it leads to %.200s", to), ERR_UNREACHABLE), "%s",
                        hint_redirect);
    TRY(check_redirect(start, at, to));
    free(*url);
    *url = TAKE(to);
    return NULL;
}

struct err *attempt_run(struct attempt *a)
{
    OWN_URL struct http_url start = {0}, at = {0};
    OWN_FREE char *url = strdup(a->ask->url);
    if (!url)
        return err_os(ENOMEM, "URL");
    TRY(http_url_parse(&start, url));
    TRY(http_url_parse(&at, url));
    for (int hops = 0; hops <= REDIRECTS_MAX; hops++) {
        struct err *e = request(a, url, str_eq(start.origin, at.origin));
        if (e)
            return str_eq(start.origin, at.origin) ? e : err_wrap(e, "redirected to %s", at.origin);
        if (!a->redirect)
            return NULL;
        TRY(next_hop(a, &start, &url, &at));
    }
    return err_hint(err_new(ERR_UNREACHABLE, "E_SRC_REDIRECT: more than %d redirects", (int)REDIRECTS_MAX),
                    "take another source: this one goes in a circle");
}
