/*
 * http: one request after the other over a connection that is kept. Any HTTP status is an answer; an error means that
 * there was none. Redirects, netrc and every protocol but http and https are off, and so are proxies where no
 * `way` is given.
 */
#pragma once
#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"
#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_TIMEOUT_MS 30000
#define HTTP_BODY_MAX ((size_t)64 << 20)

/* A connection with its memory of the server; for one thread at a time. */
struct http;
struct http_way;

struct err *http_new(struct http **ret) ERR_MUST;
void http_free(struct http *h);
OWN_DEFINE(http, http)

/* All pointers are borrowed for the time of the call; what is NULL or 0 is not used or has its default. */
struct http_call {
    const char *unix_socket; /* a path or "@name" (abstract) to connect to; TLS still checks the URL's host */
    const char *url;         /* http:// or https:// */
    const char *method;      /* NULL: GET */
    const void *body;
    size_t body_len;
    const char *content_type;   /* of the body */
    const char *const *headers; /* more header lines, NULL at the end */
    const char *ca_pem;         /* the only trust anchors when given; else the system's */
    const char *cert_pem;       /* client certificate and its key */
    const char *key_pem;
    int64_t timeout_ms; /* of the whole call; 0: HTTP_TIMEOUT_MS, negative: none (a silent peer still ends it) */
    size_t max_body;    /* 0: HTTP_BODY_MAX */
    const struct cancel *cancel;
    const struct http_way *way; /* range.h: proxy and trust anchors by host, in place of `ca_pem`; NULL: no proxy */
};

/*
 * Sends the call and reads the whole answer into `body` (appended). ERR_UNREACHABLE with URL and reason when there is
 * no answer in time; ERR_UNTRUSTED when the server's certificate is not accepted; ERR_FAILED for a body that is too
 * large; ERR_CANCELLED.
 */
struct err *http_do(struct buf *body, long *ret_status, const struct http_call *call, struct http *conn) ERR_MUST;
/* Of the last answer, all borrowed until the next call: the first header of that name, or NULL; */
const char *http_header(const struct http *conn, const char *name);
/* where it sends, as a whole URL, or NULL; */
const char *http_redirect(const struct http *conn);
/* seconds to wait before the next try (Retry-After), or 0. */
int64_t http_retry_after(const struct http *conn);

/* One line of an answer, without its end. *ret_stop set ends the call without error. */
typedef struct err *http_line_fn(void *arg, const char *line, size_t n, bool *ret_stop);

/*
 * Gives each line of a 200 answer to `on_line` as it arrives (a watch); any other answer goes into `error_body`.
 * max_body limits one line. Ends with the server's end of body, *ret_stop, an error of `on_line`, or as http_do().
 */
struct err *http_lines(struct buf *error_body, long *ret_status, const struct http_call *call, struct http *conn,
                       http_line_fn *on_line, void *arg) ERR_MUST;
