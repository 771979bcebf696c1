#include "net/remote.h"

#include "http/url.h"

#include <errno.h>
#include <string.h>

enum { WINDOW = 256 << 10, LEAST = 4 << 10, STREAMS = 4 };

/* What changes while it is read. */
struct inside {
    pthread_mutex_t pool; /* for the connections that nobody uses */
    struct http *idle[STREAMS];
    size_t n_idle;
    pthread_mutex_t mutex; /* for the window: the bytes that were fetched last, since much in a bundle is small */
    uint64_t at;
    size_t len;
    char window[WINDOW];
};

struct remote {
    struct source s; /* first: it is what others see */
    struct net net;
    char etag[HTTP_ETAG_MAX];
    struct inside *inside;
};

static const struct remote *remote_of(const struct source *s)
{
    return (const struct remote *)(const void *)s;
}

/* ---- connections ---- */

static struct err *take_connection(struct http **ret, const struct remote *r)
{
    struct inside *in = r->inside;
    (void)pthread_mutex_lock(&in->pool);
    *ret = in->n_idle ? in->idle[--in->n_idle] : NULL;
    (void)pthread_mutex_unlock(&in->pool);
    return *ret ? NULL : http_new(ret);
}

static void give_back(const struct remote *r, struct http *conn)
{
    struct inside *in = r->inside;
    (void)pthread_mutex_lock(&in->pool);
    bool keep = in->n_idle < STREAMS;
    if (keep)
        in->idle[in->n_idle++] = conn;
    (void)pthread_mutex_unlock(&in->pool);
    if (!keep)
        http_free(conn);
}

/* ---- ranges ---- */

/* The URL stands in the error; here it would have to be quoted for the shell. */
static struct err *with_way_out(struct err *e)
{
    if (!e || !strstr(err_text(e), "E_SRC_RANGE") || err_hint_text(e))
        return e;
    return err_hint(e, "take it as one stream into a store: curl -fL 'URL' | caisson bundle ingest -");
}

/* Gives `n` bytes from `from` on, which are in the file, to `sink`. */
static struct err *get(const struct remote *r, struct http_found *found, uint64_t from, uint64_t n, source_sink sink,
                       void *self)
{
    struct http *conn = NULL;
    const struct http_sink to = {.bytes = sink, .self = self};
    const struct http_range ask = {.url = r->s.path,
                                   .from = from,
                                   .to = from + n,
                                   .part = true,
                                   .etag = *r->etag ? r->etag : NULL,
                                   .size = r->s.size == SOURCE_SIZE_UNKNOWN ? 0 : r->s.size,
                                   .loose = true};
    TRY(take_connection(&conn, r));
    struct err *e = http_range(found, &ask, &r->net.way, conn, &to);
    give_back(r, conn);
    return with_way_out(e);
}

/* ---- small things, out of the window ---- */

static struct err *fill(void *self, const void *p, size_t n)
{
    struct inside *in = self;
    if (n > WINDOW - in->len) /* http_range() gives no more than was asked for */
        return err_new(ERR_UNREACHABLE, "E_SRC_SIZE: too many bytes");
    memcpy(in->window + in->len, p, n);
    in->len += n;
    return NULL;
}

static bool in_window(const struct inside *in, uint64_t offset)
{
    return offset >= in->at && offset - in->at < in->len;
}

static size_t copy_window(const struct inside *in, void *p, size_t n, uint64_t offset)
{
    size_t skip = (size_t)(offset - in->at), have = in->len - skip;
    n = n < have ? n : have;
    memcpy(p, in->window + skip, n);
    return n;
}

/* Who goes on reads on: a whole window. Who jumps may want a header alone, or what it asks for. */
static uint64_t window_at(const struct inside *in, uint64_t offset, size_t n)
{
    if (offset == in->at + in->len || n > WINDOW)
        return WINDOW;
    return n > LEAST ? n : LEAST;
}

/* Moves the window, for `n` bytes; who reads elsewhere meanwhile waits, since mostly they would read the same. */
static struct err *move_window(const struct remote *r, struct http_found *found, uint64_t offset, size_t n)
{
    struct inside *in = r->inside;
    uint64_t size = window_at(in, offset, n), left = r->s.size == SOURCE_SIZE_UNKNOWN ? size : r->s.size - offset;
    in->at = offset;
    in->len = 0;
    return get(r, found, offset, left < size ? left : size, fill, in);
}

static struct err *read_some(size_t *ret, const struct source *s, void *p, size_t n, uint64_t offset)
{
    const struct remote *r = remote_of(s);
    struct http_found found;
    *ret = 0;
    if (offset >= s->size || !n)
        return NULL;
    (void)pthread_mutex_lock(&r->inside->mutex);
    struct err *e = in_window(r->inside, offset) ? NULL : move_window(r, &found, offset, n);
    if (!e)
        *ret = copy_window(r->inside, p, n, offset);
    (void)pthread_mutex_unlock(&r->inside->mutex);
    return e;
}

/* ---- large things: what is in the window, and one request for the rest ---- */

static size_t peek(const struct remote *r, void *p, size_t n, uint64_t offset)
{
    (void)pthread_mutex_lock(&r->inside->mutex);
    size_t got = in_window(r->inside, offset) ? copy_window(r->inside, p, n, offset) : 0;
    (void)pthread_mutex_unlock(&r->inside->mutex);
    return got;
}

static struct err *stream(const struct source *s, uint64_t offset, uint64_t n, source_sink sink, void *self)
{
    const struct remote *r = remote_of(s);
    struct http_found found;
    OWN_FREE char *chunk = malloc(WINDOW);
    if (!chunk)
        return err_os(ENOMEM, "%s", s->path);
    if (offset > s->size || n > s->size - offset)
        return err_new(ERR_UNTRUSTED, "E_TRUNCATED: the file ends at byte %llu", (unsigned long long)s->size);
    while (n) {
        size_t want = n < WINDOW ? (size_t)n : WINDOW, got = peek(r, chunk, want, offset);
        if (!got && n >= WINDOW)
            return get(r, &found, offset, n, sink, self);
        if (!got)
            TRY(read_some(&got, s, chunk, want, offset));
        TRY(sink(self, chunk, got));
        offset += got;
        n -= got;
    }
    return NULL;
}

/* ---- open and close ---- */

static void close_remote(struct source *s)
{
    struct remote *r = (struct remote *)(void *)s;
    for (size_t i = 0; r->inside && i < r->inside->n_idle; i++)
        http_free(r->inside->idle[i]);
    free(r->inside);
    net_done(&r->net);
}

static const struct source_ops remote_ops = {.close = close_remote, .read = read_some, .stream = stream};

static struct err *begin(struct remote *r, const char *url, const struct net_opts *o)
{
    struct http_found found;
    TRY(net_open(&r->net, o));
    r->s.path = strdup(url);
    r->inside = calloc(1, sizeof *r->inside);
    if (!r->s.path || !r->inside)
        return err_os(ENOMEM, "bundle %s", url);
    (void)pthread_mutex_init(&r->inside->pool, NULL); /* cannot fail for ones of the default kind */
    (void)pthread_mutex_init(&r->inside->mutex, NULL);
    TRY_CTX(move_window(r, &found, 0, WINDOW), "bundle");
    r->s.size = found.total;
    memcpy(r->etag, found.etag, sizeof r->etag);
    return NULL;
}

static struct err *open_url(struct source **ret, const char *url, const struct net_opts *o)
{
    struct remote *r = calloc(1, sizeof *r);
    if (!r)
        return err_os(ENOMEM, "bundle %s", url);
    OWN_SOURCE struct source *s = &r->s;
    r->s = (struct source){.ops = &remote_ops, .size = SOURCE_SIZE_UNKNOWN, .streams = STREAMS};
    TRY(begin(r, url, o));
    *ret = TAKE(s);
    return NULL;
}

struct err *remote_open(struct source **ret, const char *name, const struct net_opts *o)
{
    return http_is_url(name) ? open_url(ret, name, o) : source_open(ret, name);
}

struct err *remote_open_once(struct source **ret, const char *name, const struct net_opts *o)
{
    return http_is_url(name) ? open_url(ret, name, o) : source_open_once(ret, name, o->cancel);
}
