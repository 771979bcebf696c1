/*
 * range: bytes of a file behind a URL, through bad links and past servers that cannot be relied on. Exactly the bytes
 * that were asked for come, each once and in order, or an error. What they are worth is for a digest to say.
 *
 * https, and http where the caller allows such a URL. Redirects are followed to https; to http only when the URL itself
 * is http and the host stays the same; never to anything else. Every refusal is ERR_UNREACHABLE, with one of these
 * words:
 *
 *   E_SRC_CONNECT    the host has no address, or nobody answers there
 *   E_SRC_TLS        its certificate is not accepted, or no secure connection comes about
 *   E_SRC_PROXY      the proxy refuses (407: it wants a name and a password)
 *   E_SRC_HTTP       a status that is no file: 404, 503
 *   E_SRC_REDIRECT   a redirect that is not followed, or too many
 *   E_SRC_RANGE      the whole file, other bytes, or a changed file in place of those that were asked for
 *   E_SRC_SIZE       not the size that it must have, or encoded, so that nobody can tell
 *   E_SRC_STALL      connected, and nothing or next to nothing came for too long
 *   E_TRUNCATED      the connection was cut
 */
#pragma once
#include "http/http.h"

#define HTTP_UNKNOWN UINT64_MAX
#define HTTP_ETAG_MAX 256

/* Who gives less than so many bytes a second is as good as silent. A dozen connections share a slow link: it is low. */
enum { HTTP_STALL_RATE = 64 };
enum { HTTP_STALL_S = 60, HTTP_TRIES = 5, HTTP_WAIT_MS = 1000 };

/* Trust anchors for one host, in place of the system's. */
struct http_ca {
    const char *host; /* in lower case, without a port */
    const char *pem;
};

/* How the outside is reached; the same for all calls of a run, and only read. */
struct http_way {
    const char
        *proxy; /* its URL; NULL: https_proxy, http_proxy, all_proxy of the environment. no_proxy counts always */
    const struct http_ca *cas;
    size_t n_cas;
    const struct cancel *cancel; /* or NULL */
    int stall_s;                 /* a connection as slow as that for so long is given up; 0: HTTP_STALL_S */
    int tries;                   /* failures in a row that brought less than 1 MiB each; 0: HTTP_TRIES */
    int64_t wait_ms;             /* before the second try, then twice that and so on; 0: HTTP_WAIT_MS */
};

struct http_range {
    const char *url;
    const char *authorization; /* value of that header, or NULL; goes to the URL's own host alone */
    uint64_t from, to;         /* bytes from .. to - 1; `to` 0: to the end */
    bool part;                 /* the whole file in place of the range is refused */
    const char *etag;          /* a strong ETag: the file must still be that one; NULL: any */
    uint64_t size;             /* of the whole file; 0: not known */
    uint64_t max;              /* with size 0: at most so many bytes; 0: no limit */
    bool loose;                /* go on where no strong ETag says that it is the same file: digests will tell */
};

/* What the server said of the file. */
struct http_found {
    uint64_t total;           /* bytes of the whole, or HTTP_UNKNOWN */
    char etag[HTTP_ETAG_MAX]; /* strong, with its quotes; "" when there is none */
    bool ranges;              /* it sent the range; else the whole file, from its first byte */
    bool changed;             /* beside an error: bytes that came before belong to nothing any more */
};

/* Where the bytes go. `begin` (may be NULL) is called once, before the first of them. */
struct http_sink {
    struct err *(*begin)(void *self, const struct http_found *found);
    struct err *(*bytes)(void *self, const void *p, size_t n);
    void *self;
};

/*
 * Gives the bytes to `sink`. A file that has no byte at `from` because it ends there is no error. A server that knows
 * no ranges sends the whole file, which is taken when `from` is 0 and `part` is not set. What may pass (a cut, a
 * stall, 503) is tried again where it stopped, after a pause that grows, or as long as the server says. ERR_USAGE for
 * the URL; errors of the sink as they are; ERR_CANCELLED.
 */
struct err *http_range(struct http_found *ret, const struct http_range *ask, const struct http_way *way,
                       struct http *conn, const struct http_sink *sink) ERR_MUST;
