#include "net/segments.h"

#include <errno.h>
#include <unistd.h>

enum { AT_ONCE = 4 };

void job_done(struct job *j)
{
    partial_done(&j->partial);
}

const char *job_etag(const struct job *j)
{
    return *j->partial.etag && !j->elsewhere ? j->partial.etag : NULL;
}

void job_progress(const struct job *j, int64_t bytes)
{
    if (j->want->progress && bytes)
        j->want->progress(j->want->self, bytes);
}

struct err *job_write(const struct job *j, const void *p, size_t n, uint64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t w = pwrite(j->partial.fd, (const char *)p + done, n - done, (off_t)(at + done));
        if (w < 0 && errno != EINTR)
            return err_os(errno, "write %s", j->partial.part);
        done += w > 0 ? (size_t)w : 0;
    }
    j->net->came += n;
    job_progress(j, (int64_t)n);
    return NULL;
}

/* What the connections share. */
struct crew {
    struct job *job;
    const struct http_range *ask;
    pthread_mutex_t mutex; /* for all below, and for the notes */
    size_t next;           /* the first segment that nobody looked at */
    bool changed;
    struct err *failure; /* the first */
};

/* One segment on its way. */
struct worker {
    struct crew *crew;
    uint64_t from, at;
};

static struct err *write_on(void *self, const void *p, size_t n)
{
    struct worker *w = self;
    (void)pthread_mutex_lock(&w->crew->mutex);
    bool over = w->crew->failure != NULL;
    (void)pthread_mutex_unlock(&w->crew->mutex);
    if (over)
        return err_new(ERR_CANCELLED, "another connection failed");
    TRY(job_write(w->crew->job, p, n, w->at));
    w->at += n;
    return NULL;
}

static bool take_segment(struct crew *c, size_t *ret)
{
    const struct partial *p = &c->job->partial;
    (void)pthread_mutex_lock(&c->mutex);
    while (c->next < partial_segments(p) && p->have[c->next] == '1')
        c->next++;
    *ret = c->next;
    bool more = !c->failure && c->next < partial_segments(p);
    c->next += more;
    (void)pthread_mutex_unlock(&c->mutex);
    return more;
}

/* Notes how a segment ended. Takes `e`. */
static void settle(struct crew *c, size_t i, struct err *e, bool changed)
{
    (void)pthread_mutex_lock(&c->mutex);
    if (!e)
        e = partial_note(&c->job->partial, i);
    c->changed = c->changed || changed;
    if (e && !c->failure)
        c->failure = TAKE(e);
    (void)pthread_mutex_unlock(&c->mutex);
    err_free(e);
}

static void fetch_segment(struct crew *c, struct http *conn, size_t i)
{
    const struct partial *p = &c->job->partial;
    struct worker w = {.crew = c, .from = i * p->segment, .at = i * p->segment};
    const struct http_sink sink = {.bytes = write_on, .self = &w};
    struct http_range ask = *c->ask;
    struct http_found found = {0};
    ask.from = w.from;
    ask.to = partial_end(p, i);
    ask.part = true;
    ask.etag = job_etag(c->job);
    struct err *e = http_range(&found, &ask, &c->job->way, conn, &sink);
    if (e) /* it will be fetched from its begin again */
        job_progress(c->job, -(int64_t)(w.at - w.from));
    settle(c, i, e, found.changed);
}

static void *work(void *self)
{
    struct crew *c = self;
    OWN(http_freep) struct http *conn = NULL;
    struct err *e = http_new(&conn);
    if (e)
        settle(c, 0, e, false);
    for (size_t i; !e && take_segment(c, &i);)
        fetch_segment(c, conn, i);
    return NULL;
}

struct err *segments_fetch(struct job *j, const struct http_range *ask, struct http_found *found)
{
    struct crew c = {.job = j, .ask = ask, .mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[AT_ONCE];
    size_t n = 0;
    while (n < AT_ONCE && pthread_create(&threads[n], NULL, work, &c) == 0)
        n++;
    if (n == 0)
        (void)work(&c); /* it takes longer */
    for (size_t i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
    found->changed = c.changed;
    return c.failure;
}
