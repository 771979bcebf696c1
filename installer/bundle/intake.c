#include "bundle/intake.h"

#include "base/file.h"
#include "base/str.h"
#include "crypt/digest.h"
#include "pack/ustar.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

/*
 * Large files pass by the kernel's cache where the file system can do that: what is written once and rarely read soon
 * costs half as much then, and drives nothing else out. Blocks are aligned for it.
 */
enum { BLOCK = 1 << 20, BLOCKS = 6, ALIGN = 4096 };

/* A blob on its way: a file in tmp. The reader makes it, the writer ends it. */
struct arrival {
    int fd;
    char hex[65];
};

enum then { THEN_MORE, THEN_NAME, THEN_DROP };

/* A block to write, and what comes then. */
struct job {
    struct arrival *arrival;
    char *block;
    size_t n;
    enum then then;
};

struct intake {
    const struct store_dir *store;
    char *memory;
    pthread_t writer;
    bool runs;

    pthread_mutex_t mutex; /* over all below */
    pthread_cond_t change;
    char **free; /* blocks that nobody has */
    size_t n_free, blocks;
    struct job *jobs; /* a ring; each has a block, so it never overflows */
    size_t first, n_jobs;
    bool ends;
    struct err *failed; /* the writer's first */
};

/* ---- the writer ---- */

static void go_through_cache(const struct arrival *a)
{
    (void)fcntl(a->fd, F_SETFL, 0);
}

static struct err *write_block(const struct arrival *a, const struct job *j)
{
    off_t at = lseek(a->fd, 0, SEEK_CUR);
    if (j->n % ALIGN) /* the last block */
        go_through_cache(a);
    struct err *e = fd_write_all(a->fd, j->block, j->n);
    if (!e || err_errno(e) != EINVAL || at < 0)
        return e;
    err_free(e); /* some file systems take the flag and then no such blocks */
    go_through_cache(a);
    return lseek(a->fd, at, SEEK_SET) < 0 ? err_os(errno, "seek") : fd_write_all(a->fd, j->block, j->n);
}

/* A name is for what is on the disk: syncfs() tells of no errors before Linux 5.8, and close() may be the first to. */
static struct err *give_name(const struct intake *in, struct arrival *a)
{
    if (fdatasync(a->fd) < 0)
        return err_os(errno, "write to the disk");
    if (close(TAKE_FD(a->fd)) < 0)
        return err_os(errno, "close");
    if (renameat(in->store->tmp, a->hex, in->store->blobs, a->hex) < 0)
        return err_os(errno, "rename");
    return NULL;
}

static struct err *do_job(const struct intake *in, const struct job *j)
{
    struct err *e = write_block(j->arrival, j);
    if (!e && j->then == THEN_NAME)
        e = give_name(in, j->arrival);
    return err_wrap(e, "%s/%s", STORE_BLOBS, j->arrival->hex);
}

static void end_arrival(const struct intake *in, struct arrival *a)
{
    own_close(&a->fd);
    (void)unlinkat(in->store->tmp, a->hex, 0); /* gone already when it has its name */
    free(a);
}

/* Under the mutex; false when nothing more will come. */
static bool next_job(struct intake *in, struct job *ret)
{
    while (!in->n_jobs && !in->ends)
        pthread_cond_wait(&in->change, &in->mutex);
    if (!in->n_jobs)
        return false;
    *ret = in->jobs[in->first];
    in->first = (in->first + 1) % in->blocks;
    in->n_jobs--;
    return true;
}

/* After an error it goes on taking blocks, so that no reader waits for one. */
static void *write_all(void *arg)
{
    struct intake *in = arg;
    struct job j;
    pthread_mutex_lock(&in->mutex);
    while (next_job(in, &j)) {
        bool skip = in->failed || j.then == THEN_DROP;
        pthread_mutex_unlock(&in->mutex);
        struct err *e = skip ? NULL : do_job(in, &j);
        if (j.then != THEN_MORE)
            end_arrival(in, j.arrival);
        pthread_mutex_lock(&in->mutex);
        if (e)
            in->failed = store_fault(in->store->path, e);
        in->free[in->n_free++] = j.block;
        pthread_cond_broadcast(&in->change);
    }
    pthread_mutex_unlock(&in->mutex);
    return NULL;
}

/* ---- readers ---- */

/* What one reader has in hand. */
struct hand {
    struct intake *in;
    struct arrival *arrival;
    struct sha256 *hash;
    char *block;
    size_t n;
    source_sink count;
    void *self;
};

static struct err *take_block(struct hand *h)
{
    struct intake *in = h->in;
    pthread_mutex_lock(&in->mutex);
    while (!in->n_free)
        pthread_cond_wait(&in->change, &in->mutex);
    h->block = in->free[--in->n_free];
    bool failed = in->failed != NULL;
    pthread_mutex_unlock(&in->mutex);
    h->n = 0;
    return failed ? err_new(ERR_CANCELLED, "stopped: the store cannot be written") : NULL;
}

static void give_block(struct hand *h, enum then then)
{
    struct intake *in = h->in;
    pthread_mutex_lock(&in->mutex);
    in->jobs[(in->first + in->n_jobs++) % in->blocks] = (struct job){h->arrival, TAKE(h->block), h->n, then};
    pthread_cond_broadcast(&in->change);
    pthread_mutex_unlock(&in->mutex);
}

static struct err *hash_block(struct hand *h)
{
    TRY(sha256_add(h->hash, h->block, h->n));
    return h->count(h->self, h->block, h->n);
}

/* Makes room for at least one byte. */
static struct err *next_block(struct hand *h)
{
    if (h->n < BLOCK)
        return NULL;
    TRY(hash_block(h));
    give_block(h, THEN_MORE);
    return take_block(h);
}

static struct err *put(void *self, const void *p, size_t n)
{
    struct hand *h = self;
    for (size_t done = 0, part; done < n; done += part) {
        TRY(next_block(h));
        part = n - done < BLOCK - h->n ? n - done : BLOCK - h->n;
        memcpy(h->block + h->n, (const char *)p + done, part);
        h->n += part;
    }
    return NULL;
}

/* The source reads into the block itself when it can. */
static struct err *fill(struct hand *h, const struct source *source, uint64_t at, uint64_t size)
{
    if (source->ops->stream)
        return source_stream(source, at, size, put, h);
    for (uint64_t done = 0; done < size;) {
        TRY(next_block(h));
        size_t n = size - done < BLOCK ? (size_t)(size - done) : BLOCK;
        TRY(source_read(source, h->block, n, at + done));
        h->n = n;
        done += n;
    }
    return NULL;
}

static struct err *check(struct hand *h, const struct source *source, const char *hex)
{
    char got[DIGEST_HEX];
    TRY(hash_block(h));
    TRY(sha256_hex(h->hash, got));
    return strcmp(got, hex) == 0 ? NULL
                                 : err_hint(err_new(ERR_UNTRUSTED, "E_DIGEST: sha256 is %s, not %s", got, hex), "%s",
                                            source_cure(source));
}

/* From here on the block in hand goes to the writer, who ends what has arrived. */
static struct err *take_all(struct hand *h, const struct source *source, const struct member *m)
{
    OWN_SHA256 struct sha256 *hash = NULL;
    struct err *e = take_block(h);
    if (!e)
        e = sha256_new(&hash);
    h->hash = hash;
    if (!e)
        e = fill(h, source, m->at + USTAR_BLOCK, m->size);
    if (!e)
        e = check(h, source, m->hex);
    give_block(h, e ? THEN_DROP : THEN_NAME);
    return e;
}

struct err *intake_blob(struct intake *in, const struct source *source, const struct member *m, source_sink count,
                        void *self)
{
    struct arrival *a = calloc(1, sizeof *a);
    struct hand h = {.in = in, .arrival = a, .count = count, .self = self};
    if (!a)
        return err_os(ENOMEM, "%s", m->path);
    memcpy(a->hex, m->hex, sizeof a->hex);
    struct err *e = store_create(&a->fd, in->store->tmp, a->hex);
    if (!e)
        (void)fcntl(a->fd, F_SETFL, O_DIRECT); /* not every file system can */
    if (e) {
        free(a);
        return store_fault(in->store->path, e);
    }
    return err_wrap(take_all(&h, source, m), "%s: member %s at byte %llu", source_path(source), m->path,
                    (unsigned long long)m->at);
}

/* ---- begin and end ---- */

static struct err *make_blocks(struct intake *in, unsigned readers)
{
    in->blocks = BLOCKS + readers; /* each reader has one in hand */
    in->memory = aligned_alloc(ALIGN, in->blocks * BLOCK);
    in->free = calloc(in->blocks, sizeof *in->free);
    in->jobs = calloc(in->blocks, sizeof *in->jobs);
    if (!in->memory || !in->free || !in->jobs)
        return err_os(ENOMEM, "blocks");
    for (size_t i = 0; i < in->blocks; i++)
        in->free[in->n_free++] = in->memory + i * BLOCK;
    return NULL;
}

struct err *intake_open(struct intake **ret, const struct store_dir *s, unsigned readers)
{
    OWN_INTAKE struct intake *in = calloc(1, sizeof *in);
    if (!in)
        return err_os(ENOMEM, "store");
    in->store = s;
    pthread_mutex_init(&in->mutex, NULL);
    pthread_cond_init(&in->change, NULL);
    TRY(make_blocks(in, readers));
    int rc = pthread_create(&in->writer, NULL, write_all, in);
    if (rc)
        return err_os(rc, "start a thread");
    in->runs = true;
    *ret = TAKE(in);
    return NULL;
}

struct err *intake_finish(struct intake *in)
{
    if (in->runs) {
        pthread_mutex_lock(&in->mutex);
        in->ends = true;
        pthread_cond_broadcast(&in->change);
        pthread_mutex_unlock(&in->mutex);
        pthread_join(in->writer, NULL);
        in->runs = false;
    }
    return TAKE(in->failed);
}

void intake_free(struct intake *in)
{
    if (!in)
        return;
    err_ignore(intake_finish(in)); /* who wanted to know has asked */
    pthread_cond_destroy(&in->change);
    pthread_mutex_destroy(&in->mutex);
    free(in->jobs);
    free(in->free);
    free(in->memory);
    free(in);
}
