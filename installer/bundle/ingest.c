#include "bundle/store.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "bundle/format.h"
#include "bundle/inside.h"
#include "bundle/intake.h"
#include "bundle/keep.h"
#include "bundle/oci.h"
#include "bundle/pass.h"
#include "crypt/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

/* What is known of a blob. */
enum state { WANTED, WRONG /* a file of another size */, THERE /* of its size, not yet hashed */, DONE };

struct ingest {
    const struct bundle *b;
    const struct store_opts *o;
    struct store_dir dir;
    struct intake *intake;
    pthread_mutex_t mutex; /* over what follows, when several read */
    unsigned char *state;  /* of each member */
    uint64_t seen, total;  /* bytes */
    uint64_t taken, taken_bytes, kept;
    struct strs replaced;
    size_t next; /* the member that the next reader takes */
    struct err *failed;
};

static void ingest_done(struct ingest *in)
{
    intake_free(in->intake);
    store_dir_done(&in->dir);
    pthread_mutex_destroy(&in->mutex);
    strs_done(&in->replaced);
    err_free(in->failed);
    free(in->state);
}

/* ---- before the first byte ---- */

static void look(struct ingest *in, size_t i)
{
    const struct member *m = &in->b->members.at[i];
    struct stat st;
    bool there = fstatat(in->dir.blobs, m->hex, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
    in->state[i] = !there ? WANTED : (uint64_t)st.st_size == m->size ? THERE : WRONG;
    in->total += m->size;
}

enum { NAMED_MAX = 8 };

/* A delta has some of the blobs, the store must have the others. `settled`: what is not DONE by now is nowhere. */
static struct err *check_missing(const struct ingest *in, bool settled)
{
    OWN_BUF struct buf names = {0};
    size_t n = 0;
    for (size_t i = 1; i < in->b->members.n; i++) {
        const struct member *m = &in->b->members.at[i];
        if (settled ? in->state[i] == DONE : m->at || in->state[i] == THERE)
            continue;
        if (n++ < NAMED_MAX)
            TRY(buf_fmt(&names, "%ssha256:%s", n > 1 ? ", " : "", m->hex));
    }
    if (!n)
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "%s: E_MISSING: %zu blobs are neither in the delta nor in the store: %s%s",
                            in->b->path, n, buf_text(&names), n > NAMED_MAX ? ", ..." : ""),
                    "ingest a release that has them first, or the full bundle");
}

static struct err *check_room(const char *what, uint64_t need, uint64_t have)
{
    if (need <= have)
        return NULL;
    char want[24], is[24];
    str_size(want, need);
    str_size(is, have);
    return err_hint(err_new(ERR_FAILED, "E_SPACE: %s%s are needed, %s%s are free", want, what, is, what),
                    "make room there, or choose another folder: --store DIR");
}

/* What is not there yet, in blocks of that file system, and a little for folders and the release's own files. */
static struct err *check_space(const struct ingest *in)
{
    const struct members *m = &in->b->members;
    struct statvfs st;
    uint64_t files = 8;
    if (fstatvfs(in->dir.fd, &st) < 0)
        return err_os(errno, "free space");
    uint64_t block = st.f_frsize ? st.f_frsize : USTAR_BLOCK;
    uint64_t need = 16 * block + bundle_head_size(in->b) + m->at[0].size + m->n * USTAR_BLOCK;
    for (size_t i = 1; i < m->n; i++)
        if (in->state[i] != THERE) {
            need += (m->at[i].size + block - 1) / block * block;
            files++;
        }
    TRY(check_room("", need, (uint64_t)st.f_bavail * block));
    if (st.f_files && files > st.f_favail)
        return err_hint(err_new(ERR_FAILED, "E_SPACE: %llu files are needed, %llu are free", (unsigned long long)files,
                                (unsigned long long)st.f_favail),
                        "choose a folder on another file system: --store DIR");
    return NULL;
}

enum { FAT = 0x4d44 };

static struct err *check_file_size(const struct ingest *in)
{
    struct statfs st;
    if (fstatfs(in->dir.fd, &st) < 0 || st.f_type != FAT)
        return NULL;
    for (size_t i = 1; i < in->b->members.n; i++)
        if (in->b->members.at[i].size > UINT32_MAX)
            return err_hint(
                err_new(ERR_FAILED, "E_STORE: %s is larger than any file on FAT", in->b->members.at[i].path),
                "choose a folder on another file system: --store DIR");
    return NULL;
}

static struct err *prepare(struct ingest *in)
{
    in->state = calloc(in->b->members.n, 1);
    if (!in->state)
        return err_os(ENOMEM, "store");
    TRY(store_dir_open(&in->dir, in->o->store, true));
    for (size_t i = 1; i < in->b->members.n; i++) /* index.json was read */
        look(in, i);
    if (in->b->delta && !in->b->source->one_pass)
        TRY(check_missing(in, false));
    TRY(store_fault(in->o->store, check_space(in)));
    return store_fault(in->o->store, check_file_size(in));
}

/* ---- blobs ---- */

static struct err *count(void *self, const void *p, size_t n)
{
    struct ingest *in = self;
    (void)p;
    pthread_mutex_lock(&in->mutex);
    in->seen += n;
    bool go_on = !in->o->progress || in->o->progress(in->o->self, in->seen, in->total);
    pthread_mutex_unlock(&in->mutex);
    return go_on ? NULL : err_new(ERR_CANCELLED, "stopped");
}

enum { CHUNK = 1 << 20 };

/* The digest of `size` bytes of it; *counted: those that were told to whoever shows progress. */
static struct err *hash_there(char hex[DIGEST_HEX], uint64_t *counted, struct ingest *in, int fd, uint64_t size)
{
    OWN_SHA256 struct sha256 *hash = NULL;
    OWN_FREE char *chunk = malloc(CHUNK);
    if (!chunk)
        return err_os(ENOMEM, "hash");
    TRY(sha256_new(&hash));
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* advice only */
    while (*counted < size) {
        size_t n = size - *counted < CHUNK ? (size_t)(size - *counted) : CHUNK;
        TRY(fd_read_exact(fd, chunk, n, NULL));
        TRY(sha256_add(hash, chunk, n));
        TRY(count(in, chunk, n));
        *counted += n;
    }
    return sha256_hex(hash, hex);
}

/* Hashes the store's file of that name again; *ret: it is right, and its bytes are counted. */
static struct err *is_right(bool *ret, struct ingest *in, const struct member *m)
{
    char hex[DIGEST_HEX];
    uint64_t counted = 0;
    OWN_FD int fd = openat(in->dir.blobs, m->hex, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return store_fault(in->o->store, err_os(errno, "%s/%s", STORE_BLOBS, m->hex));
    struct err *e = hash_there(hex, &counted, in, fd, m->size);
    if (e && err_kind(e) == ERR_CANCELLED)
        return e;
    *ret = !e && strcmp(hex, m->hex) == 0;
    err_ignore(e); /* what cannot be read is not right either */
    pthread_mutex_lock(&in->mutex);
    in->seen -= *ret ? 0 : counted; /* they come again */
    pthread_mutex_unlock(&in->mutex);
    return NULL;
}

static struct err *note(struct ingest *in, size_t i, bool kept, bool corrupt)
{
    const struct member *m = &in->b->members.at[i];
    struct err *e = NULL;
    pthread_mutex_lock(&in->mutex);
    in->state[i] = DONE;
    in->kept += kept;
    in->taken += !kept;
    in->taken_bytes += kept ? 0 : m->size;
    if (corrupt)
        e = strs_add(&in->replaced, m->hex);
    pthread_mutex_unlock(&in->mutex);
    return e;
}

/* The i-th member, which is at `m` in the source: out of the store when it is right there, else out of the source. */
static struct err *take(struct ingest *in, size_t i, const struct member *m)
{
    bool was = in->state[i] != WANTED, right = false;
    if (in->state[i] == THERE)
        TRY(is_right(&right, in, m));
    if (!right)
        TRY(intake_blob(in->intake, in->b->source, m, count, in));
    return note(in, i, right, was && !right);
}

/* Every header and all padding, as a verification does. */
static struct err *take_in_order(struct ingest *in)
{
    struct pass p;
    bool end;
    source_sequential(in->b->source);
    pass_start(&p, in->b);
    for (;;) {
        TRY(pass_next(&end, &p));
        if (end)
            return NULL;
        if (p.index)
            TRY(take(in, p.index, &p.here));
        TRY(pass_padding(&p));
    }
}

/* A reader of several: takes the next member that the source has. */
static void *take_some(void *arg)
{
    struct ingest *in = arg;
    const struct members *m = &in->b->members;
    for (;;) {
        pthread_mutex_lock(&in->mutex);
        size_t i = in->failed ? m->n : in->next++;
        pthread_mutex_unlock(&in->mutex);
        if (i >= m->n)
            return NULL;
        struct err *e = m->at[i].at ? take(in, i, &m->at[i]) : NULL;
        pthread_mutex_lock(&in->mutex);
        if (e && !in->failed)
            in->failed = TAKE(e);
        pthread_mutex_unlock(&in->mutex);
        err_free(e);
    }
}

enum { READERS_MAX = 16 };

static unsigned readers(const struct ingest *in)
{
    unsigned n = in->b->source->streams;
    return n < READERS_MAX ? n : READERS_MAX;
}

/* What lies between the members is not read: a release's file is decided by its head and its blobs. */
static struct err *take_at_once(struct ingest *in)
{
    pthread_t threads[READERS_MAX];
    unsigned n = 0;
    int rc = 0;
    in->next = 1;
    while (n < readers(in) && !(rc = pthread_create(&threads[n], NULL, take_some, in)))
        n++;
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    return n ? TAKE(in->failed) : err_os(rc, "start a thread");
}

/* Blobs that a delta left out and the store has. */
static struct err *take_rest(struct ingest *in)
{
    for (size_t i = 1; in->b->delta && i < in->b->members.n; i++) {
        bool right = false;
        if (in->state[i] != THERE)
            continue;
        TRY(is_right(&right, in, &in->b->members.at[i]));
        if (right)
            TRY(note(in, i, true, false));
    }
    return check_missing(in, true);
}

static struct err *take_blobs(struct ingest *in)
{
    TRY(intake_open(&in->intake, &in->dir, readers(in)));
    struct err *e = in->b->source->streams > 1 ? take_at_once(in) : take_in_order(in);
    struct err *written = intake_finish(in->intake);
    if (written) { /* what the readers say comes of it */
        err_free(e);
        return written;
    }
    TRY(bundle_way_out(source_blame(in->b->source, e)));
    return take_rest(in);
}

/* ---- the release ---- */

static void describe(struct doc *receipt, const struct ingest *in)
{
    char now[32];
    clock_rfc3339(now, clock_wall_s());
    receipt_place(receipt, "store", in->o->store);
    receipt_place(receipt, "source", in->b->path);
    doc_set_fmt(receipt, "path", "%s/%s/%s", doc_text(receipt, "store"), STORE_RELEASES, bundle_digest(in->b));
    doc_set_text(receipt, "time", now);
    doc_set_int(receipt, "taken", (int64_t)in->taken);
    doc_set_int(receipt, "takenBytes", (int64_t)in->taken_bytes);
    doc_set_int(receipt, "kept", (int64_t)in->kept);
    doc_set_texts(receipt, "replaced", &in->replaced);
}

/* What lies there must be what was signed, complete for every platform: it is opened as any bundle is. */
static struct err *check_stored(struct doc **ret_receipt, const struct ingest *in, const char *folder)
{
    struct source *source = NULL;
    OWN_BUNDLE struct bundle *b = NULL;
    TRY(stored_open(&source, folder, in->b->path));
    TRY(bundle_open_source(&b, source, BUNDLE_FULL, in->o->trust, in->o->n_trust));
    TRY(bundle_way_out(oci_check_closure(b)));
    *ret_receipt = bundle_receipt(b);
    return NULL;
}

/*
 * The same release as it is listed, when it came with more root documents: what they withdrew stays withdrawn. Else
 * NULL; what is damaged is replaced.
 */
static struct err *find_newer(struct bundle **ret, const struct ingest *in)
{
    OWN_FREE char *folder = str_fmt("%s/%s/%s", in->o->store, STORE_RELEASES, bundle_digest(in->b));
    OWN_BUNDLE struct bundle *listed = NULL;
    struct source *source = NULL;
    if (!folder)
        return err_os(ENOMEM, "store");
    struct err *e = stored_open(&source, folder, folder);
    if (!e)
        e = bundle_open_source(&listed, source, BUNDLE_FULL, in->o->trust, in->o->n_trust);
    err_ignore(e); /* none is there, or it is no good */
    if (doc_int(bundle_root(in->b), "version", 0) < doc_int(listed ? bundle_root(listed) : NULL, "version", 0))
        *ret = TAKE(listed);
    return NULL;
}

static struct err *list_release(struct doc **ret, struct ingest *in)
{
    OWN_FREE char *folder = str_fmt("%s/%s/%s", in->o->store, STORE_TMP, bundle_digest(in->b));
    OWN_BUNDLE struct bundle *newer = NULL;
    OWN_DOC struct doc *receipt = NULL;
    if (!folder)
        return err_os(ENOMEM, "store");
    TRY(find_newer(&newer, in));
    TRY(store_fault(in->o->store, keep_write(&in->dir, newer ? newer : in->b)));
    TRY(check_stored(&receipt, in, folder));
    describe(receipt, in);
    TRY(store_fault(in->o->store, keep_list(&in->dir, in->b, receipt)));
    *ret = TAKE(receipt);
    return NULL;
}

struct err *store_ingest(struct doc **ret, const struct bundle *b, const struct store_opts *o)
{
    OWN(ingest_done) struct ingest in = {.b = b, .o = o, .dir = STORE_DIR_INIT};
    pthread_mutex_init(&in.mutex, NULL);
    TRY(prepare(&in));
    TRY(take_blobs(&in));
    return list_release(ret, &in);
}
