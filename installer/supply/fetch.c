#include "supply/fetch.h"

#include "base/file.h"
#include "net/cache.h"
#include "net/download.h"
#include "net/registry.h"
#include "supply/fetch_list.h"
#include "supply/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { AT_ONCE = 3 };

/* One run; what its threads share. */
struct run {
    const struct fetch_opts *opts;
    fetch_says says;
    void *self;
    struct fetch_list list;
    pthread_mutex_t mutex; /* for all below */
    size_t next;
    uint64_t done; /* bytes in all */
    size_t failures;
    struct err *failure; /* the one to tell: net_worse() */
    struct doc *files;   /* borrowed from the result */
};

static void run_done(struct run *r)
{
    fetch_list_done(&r->list);
    err_free(r->failure);
}

/* ---- what happens to one entry ---- */

/* Progress of one entry. */
struct mark {
    struct run *run;
    const struct fetch_item *item;
    uint64_t done; /* under the run's mutex */
    uint64_t total;
};

static void progress(void *self, int64_t bytes)
{
    struct mark *m = self;
    struct run *r = m->run;
    (void)pthread_mutex_lock(&r->mutex);
    m->done = (uint64_t)((int64_t)m->done + bytes);
    r->done = (uint64_t)((int64_t)r->done + bytes);
    uint64_t one = m->done, all = r->done;
    (void)pthread_mutex_unlock(&r->mutex);
    r->says(r->self, FETCH_RUNS, fetch_id(m->item), "fetch", one, m->total);
    r->says(r->self, FETCH_RUNS, NULL, "fetch", all, r->list.bytes);
}

static void settle(struct run *r, const struct fetch_item *item, struct err *e)
{
    const char *id = fetch_id(item);
    if (e && err_kind(e) == ERR_UNTRUSTED)
        e = err_wrap(e, "E_LOCK");
    e = err_wrap(e, "%s", id);
    if (e && err_kind(e) != ERR_CANCELLED)
        r->says(r->self, FETCH_FAILED, id, err_text(e), 0, 0);
    (void)pthread_mutex_lock(&r->mutex);
    r->failures += e != NULL;
    r->failure = net_worse(r->failure, e);
    (void)pthread_mutex_unlock(&r->mutex);
}

static void note_file(struct run *r, const struct fetch_item *item, const char *from, uint64_t kept)
{
    char size[24];
    OWN_FREE char *text = NULL;
    str_size(size, fetch_size(item));
    (void)pthread_mutex_lock(&r->mutex);
    struct doc *d = doc_add(r->files, doc_new_map());
    doc_set_text(d, "id", fetch_id(item));
    doc_set_text(d, "sha256", fetch_sha256(item));
    doc_set_int(d, "size", (int64_t)fetch_size(item));
    doc_set_text(d, "url", from);
    doc_set_int(d, "kept", (int64_t)kept);
    (void)pthread_mutex_unlock(&r->mutex);
    text = str_fmt("%s from %s", size, from);
    r->says(r->self, FETCH_DONE, fetch_id(item), text ? text : size, fetch_size(item), fetch_size(item));
}

static struct err *fetch_one(struct run *r, const struct fetch_item *item)
{
    OWN_STRS struct strs urls = {0};
    struct mark mark = {.run = r, .item = item, .total = fetch_size(item)};
    struct download_result got;
    struct download want = {.path = item->path,
                            .urls = &urls,
                            .size = fetch_size(item),
                            .sha256 = fetch_sha256(item),
                            .progress = progress,
                            .self = &mark};
    TRY(net_sources(&urls, r->opts->net, doc_get(item->entry, "urls")));
    TRY(download(&got, &want, r->opts->net));
    note_file(r, item, got.url, got.kept);
    return NULL;
}

/* ---- a few at once ---- */

static const struct fetch_item *take_item(struct run *r)
{
    const struct fetch_item *item = NULL;
    (void)pthread_mutex_lock(&r->mutex);
    while (!item && r->next < r->list.n) {
        item = &r->list.at[r->next++];
        item = item->how == FETCH_DOWNLOAD ? item : NULL;
    }
    (void)pthread_mutex_unlock(&r->mutex);
    return item;
}

static void *work(void *self)
{
    struct run *r = self;
    for (const struct fetch_item *item; (item = take_item(r));)
        settle(r, item, fetch_one(r, item));
    return NULL;
}

static void fetch_all(struct run *r)
{
    pthread_t threads[AT_ONCE];
    size_t n = 0;
    while (n < AT_ONCE && pthread_create(&threads[n], NULL, work, r) == 0)
        n++;
    if (n == 0)
        (void)work(r); /* it takes longer */
    for (size_t i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
}

/* ---- files out of archives ---- */

static struct err *extract(struct run *r, const struct fetch_item *item, const struct doc *archive)
{
    struct payload got, want = {.size = fetch_size(item)};
    (void)snprintf(want.sha256, sizeof want.sha256, "%s", fetch_sha256(item));
    TRY(cache_extract(&got, r->opts->cache, doc_text(archive, "sha256"), doc_text(item->entry, "from.member"), &want));
    progress(&(struct mark){.run = r, .item = item, .total = want.size}, (int64_t)want.size);
    note_file(r, item, doc_text(item->entry, "from.archive"), 0);
    return NULL;
}

static struct err *extract_all(struct run *r, const struct doc *lock)
{
    for (size_t i = 0; i < r->list.n; i++) {
        const struct fetch_item *item = &r->list.at[i];
        if (item->how != FETCH_EXTRACT)
            continue;
        const struct doc *archive = lock_entry(lock, doc_text(item->entry, "from.archive"));
        OWN_FREE char *path = cache_path(r->opts->cache, doc_text(archive, "sha256"));
        TRY(cancel_check(r->opts->net->way.cancel));
        if (path && file_exists(AT_FDCWD, path)) /* else its own failure is known already */
            settle(r, item, extract(r, item, archive));
    }
    return NULL;
}

/* ---- images ---- */

/* Only now is known how much an image has. What came from a source before this one does not count: it is there now. */
static void on_sum(void *self, uint64_t bytes)
{
    struct mark *m = self;
    (void)pthread_mutex_lock(&m->run->mutex);
    m->run->list.bytes += bytes - m->total;
    m->run->done -= m->done;
    m->total = bytes;
    m->done = 0;
    (void)pthread_mutex_unlock(&m->run->mutex);
}

/* From the first of its addresses that has it. */
static struct err *pull(struct run *r, struct registry *registry, const struct fetch_item *item)
{
    struct mark mark = {.run = r, .item = item};
    struct registry_image image;
    struct err *worst = NULL;
    DOC_EACH (url, doc_get(item->entry, "urls")) {
        const struct registry_pull want = {.ref = url->text,
                                           .platform = doc_text(item->entry, "platform"),
                                           .sha256 = fetch_sha256(item),
                                           .index = doc_text(item->entry, "index.sha256"),
                                           .cache = r->opts->cache,
                                           .begin = on_sum,
                                           .progress = progress,
                                           .self = &mark};
        struct err *e = registry_pull(&image, registry, &want);
        if (!e)
            note_file(r, item, url->text, 0);
        if (!e || !net_next_may_help(e)) {
            err_free(worst);
            return e;
        }
        worst = net_worse(worst, e);
    }
    return worst;
}

static struct err *pull_all(struct run *r)
{
    OWN_REGISTRY struct registry *registry = NULL;
    for (size_t i = 0; i < r->list.n; i++) {
        if (r->list.at[i].how != FETCH_IMAGE)
            continue;
        TRY(cancel_check(r->opts->net->way.cancel));
        if (!registry)
            TRY(registry_new(&registry, r->opts->net, r->opts->auth));
        settle(r, &r->list.at[i], pull(r, registry, &r->list.at[i]));
    }
    return NULL;
}

/* ---- all of it ---- */

static void list_missing(struct doc *result, const struct run *r)
{
    struct doc *missing = doc_set(result, "missing", doc_new_list());
    int64_t present = 0;
    for (size_t i = 0; i < r->list.n; i++) {
        const struct fetch_item *item = &r->list.at[i];
        present += item->how == FETCH_PRESENT;
        if (item->how != FETCH_NOWHERE)
            continue;
        struct doc *d = doc_add(missing, doc_new_map());
        doc_set_text(d, "id", fetch_id(item));
        doc_set_text(d, "sha256", fetch_sha256(item));
        doc_set_int(d, "size", (int64_t)fetch_size(item));
        doc_set_text(d, "way", "scripts/payloads");
    }
    doc_set_int(result, "entries", (int64_t)r->list.n);
    doc_set_int(result, "present", present);
}

static struct err *outcome(struct run *r, const struct doc *result)
{
    size_t missing = doc_len(doc_get(result, "missing"));
    if (r->failures > 1)
        return err_wrap(TAKE(r->failure), "%zu files failed; the worst", r->failures);
    if (r->failure)
        return TAKE(r->failure);
    if (!missing)
        return NULL;
    return err_hint(err_new(ERR_FAILED,
                            "%s: E_MISSING: %zu of %zu entries have no address, and the cache lacks their "
                            "bytes; the first is %s",
                            r->opts->lock, missing, r->list.n, doc_text(doc_get(result, "missing")->child, "id")),
                    "they are made here: scripts/payloads --profile NAME");
}

static struct err *fetch(struct run *r, const struct doc *lock, struct doc *result)
{
    const uint64_t before = r->opts->net->came;
    TRY_CTX(cache_make(r->opts->cache), "cache");
    TRY(fetch_list_make(&r->list, lock, r->opts, r->says, r->self));
    list_missing(result, r);
    r->files = doc_set(result, "files", doc_new_list());
    TRY(cache_space(r->opts->cache, r->list.room));
    fetch_all(r);
    TRY(extract_all(r, lock));
    TRY(pull_all(r));
    doc_set_int(result, "fetched", (int64_t)doc_len(r->files));
    doc_set_int(result, "bytes", (int64_t)(r->opts->net->came - before));
    return outcome(r, result);
}

struct err *bundle_fetch(struct doc **ret, const struct fetch_opts *o, fetch_says says, void *self)
{
    OWN(run_done) struct run r = {.opts = o, .says = says, .self = self, .mutex = PTHREAD_MUTEX_INITIALIZER};
    OWN_BUF struct buf text = {0};
    OWN_DOC struct doc *lock = NULL;
    struct err *e = lock_load(&lock, &text, o->lock);
    if (e)
        return err_hint_text(e) ? e : err_hint(e, "make it again: caisson bundle lock");
    *ret = doc_new_map();
    doc_set_text(*ret, "lock", o->lock);
    doc_set_text(*ret, "cache", o->cache);
    return fetch(&r, lock, *ret);
}
