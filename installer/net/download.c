#include "net/download.h"

#include "base/file.h"
#include "base/output.h"
#include "crypt/digest.h"
#include "net/partial.h"
#include "net/segments.h"

#include <errno.h>
#include <string.h>

enum { STARTS = 3, SEGMENTS_LEAST = 4 };

static struct http_range range_of(const struct job *j)
{
    const struct download *d = j->want;
    return (struct http_range){
        .url = j->url, .authorization = d->authorization, .size = d->size, .max = d->max, .loose = d->sha256 != NULL};
}

/* ---- from front to back ---- */

static uint64_t segment_of(const struct job *j)
{
    return j->net->segment ? j->net->segment : NET_SEGMENT;
}

static bool in_segments(const struct job *j)
{
    return j->want->size > segment_of(j) * SEGMENTS_LEAST;
}

static struct err *begin(void *self, const struct http_found *found)
{
    struct job *j = self;
    if (found->total != HTTP_UNKNOWN)
        TRY(err_hint(output_space(j->partial.fd, j->want->path, found->total - j->at),
                     "make room; what came before is kept"));
    return partial_begin(&j->partial, found, found->ranges && !j->at && in_segments(j) ? segment_of(j) : 0);
}

static struct err *append(void *self, const void *p, size_t n)
{
    struct job *j = self;
    TRY(job_write(j, p, n, j->at));
    j->at += n;
    return NULL;
}

/* All that is missing, or of a large file the first segment, whose answer says whether others can be had beside it. */
static struct err *fetch_front(struct job *j, struct http *conn, struct http_found *found)
{
    const struct http_sink sink = {.begin = begin, .bytes = append, .self = j};
    struct http_range ask = range_of(j);
    ask.from = j->at = partial_size(&j->partial);
    ask.to = !j->at && in_segments(j) ? segment_of(j) : 0;
    ask.etag = job_etag(j);
    if (j->want->size && j->at == j->want->size)
        return NULL; /* it was stopped before the check */
    TRY(http_range(found, &ask, &j->way, conn, &sink));
    return j->partial.segment ? partial_note(&j->partial, 0) : NULL;
}

static struct err *fetch(struct job *j, struct http_found *found)
{
    OWN(http_freep) struct http *conn = NULL;
    const struct http_range ask = range_of(j);
    TRY(http_new(&conn));
    if (!j->partial.segment)
        TRY(fetch_front(j, conn, found));
    return j->partial.segment ? segments_fetch(j, &ask, found) : NULL;
}

/* ---- the check ---- */

static struct err *check(struct job *j, struct download_result *ret)
{
    const struct download *d = j->want;
    if (lseek(j->partial.fd, 0, SEEK_SET) < 0)
        return err_os(errno, "%s", j->partial.part);
    TRY_CTX(digest_fd(ret->sha256, j->partial.fd, &ret->size), "%s", j->partial.part);
    if (d->size && ret->size != d->size)
        return err_new(ERR_UNREACHABLE, "%s: E_SRC_SIZE: %llu bytes came, not %llu", j->url,
                       (unsigned long long)ret->size, (unsigned long long)d->size);
    if (!d->sha256 || str_eq(ret->sha256, d->sha256))
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "%s: E_DIGEST: sha256 is %s, wanted %s", j->url, ret->sha256, d->sha256),
                    "it is not the file that was locked: nothing of it was kept; take another source");
}

static struct err *throw_away(struct job *j)
{
    job_progress(j, -(int64_t)partial_size(&j->partial));
    j->elsewhere = false;
    return partial_reset(&j->partial);
}

/* ---- one source, then the next ---- */

static struct err *from_source(struct job *j, struct download_result *ret)
{
    for (int starts = 1;; starts++) {
        struct http_found found = {0};
        uint64_t had = partial_size(&j->partial);
        struct err *e = fetch(j, &found);
        if (!e)
            e = check(j, ret);
        if (!e)
            return NULL;
        bool wrong = err_kind(e) == ERR_UNTRUSTED;
        if (!wrong && !found.changed)
            return e;
        struct err *gone = throw_away(j);
        if (gone || starts == STARTS || (wrong && !had)) {
            err_free(gone);
            return e;
        }
        err_free(e);
    }
}

/* A fault of the host, not of the one file: it will be there for the next file too. */
static bool is_hosts_fault(const struct err *e)
{
    static const char *const words[] = {"E_SRC_CONNECT", "E_SRC_TLS", "E_SRC_PROXY", "E_SRC_STALL", "E_TRUNCATED"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strstr(err_text(e), words[i]))
            return true;
    return err_kind(e) == ERR_UNTRUSTED;
}

/* What came is gone on with by the next source, since the digest tells in the end; without one nothing would. */
static struct err *change_source(struct job *j, const char *url)
{
    if (!j->want->sha256)
        TRY(throw_away(j));
    j->elsewhere = j->url && partial_size(&j->partial) > 0;
    j->url = url;
    j->way = j->net->way;
    if (net_is_benched(j->net, url))
        j->way.tries = 1;
    return NULL;
}

static struct err *from_any(struct job *j, struct download_result *ret)
{
    const struct strs *urls = j->want->urls;
    struct err *worst = NULL;
    for (size_t i = 0; i < urls->n; i++) {
        ret->url = urls->at[i];
        struct err *e = change_source(j, urls->at[i]);
        if (!e)
            e = from_source(j, ret);
        if (!e || !net_next_may_help(e)) {
            err_free(worst);
            return e;
        }
        if (is_hosts_fault(e))
            net_bench(j->net, urls, i);
        worst = net_worse(worst, e);
    }
    return worst ? worst : err_new(ERR_USAGE, "%s: no source", j->want->path);
}

struct err *download(struct download_result *ret, const struct download *d, struct net *n)
{
    OWN(job_done) struct job j = {.want = d, .net = n, .partial = {.fd = -1}};
    *ret = (struct download_result){0};
    TRY(cancel_check(n->way.cancel));
    TRY(partial_open(&j.partial, d->path, d->size, segment_of(&j), d->sha256));
    ret->kept = partial_size(&j.partial);
    job_progress(&j, (int64_t)ret->kept);
    TRY(from_any(&j, ret));
    return partial_commit(&j.partial);
}
