/* The store: what is taken into it, in one pass, and what is refused; rows 12, 33, 40, 41, 42 and 48 of the table. */
#include "forge.h"

#include "bundle/store.h"
#include "crypt/digest.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- a bundle, a store, and ways from one to the other ---- */

struct shop {
    struct forge *f;
    char *folder, *store, *release; /* a folder for all; the store in it; the release in that */
    char *fifo;
    bundle_progress progress;
    void *self;
};

static void shop_done(struct shop *s)
{
    check_folder_done(&s->folder);
    free(s->store);
    free(s->release);
    free(s->fifo);
    forge_free(s->f);
}

#define OWN_SHOP OWN(shop_done)

static void find_release(struct shop *s)
{
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = s->f->pub_path;
    OK(bundle_open_delta(&b, s->f->path, &trust, 1));
    free(s->release);
    s->release = str_fmt("%s/releases/%s", s->store, bundle_digest(b));
}

static struct shop shop_of(struct forge *f)
{
    struct shop s = {.f = f, .folder = check_folder()};
    s.store = check_path(s.folder, "store");
    s.fifo = check_path(s.folder, "fifo");
    assert_int_equal(mkfifo(s.fifo, 0600), 0);
    forge_seal(s.f);
    forge_write(s.f);
    find_release(&s);
    return s;
}

static struct shop shop_new(void)
{
    return shop_of(forge_new());
}

static struct err *ingest_source(struct doc **ret, const struct shop *s, struct source *source)
{
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = s->f->pub_path;
    const struct store_opts o = {
        .store = s->store, .trust = &trust, .n_trust = 1, .progress = s->progress, .self = s->self};
    TRY(bundle_open_source(&b, source, BUNDLE_DELTA, &trust, 1));
    return store_ingest(ret, b, &o);
}

static struct err *ingest_path(struct doc **ret, const struct shop *s, const char *path)
{
    struct source *source = NULL;
    TRY(source_open_once(&source, path, NULL));
    return ingest_source(ret, s, source);
}

static struct err *ingest(struct doc **ret, const struct shop *s)
{
    return ingest_path(ret, s, s->f->path);
}

/* Through a pipe, out of another process, in pieces of odd sizes. */
static struct err *ingest_fifo(struct doc **ret, const struct shop *s)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open(s->fifo, O_WRONLY | O_CLOEXEC);
        for (size_t at = 0, n = 1; at < s->f->file.len; at += n, n = n * 5 % 4099 + 1) {
            n = n < s->f->file.len - at ? n : s->f->file.len - at;
            if (write(fd, s->f->file.at + at, n) != (ssize_t)n)
                _exit(1); /* nobody reads any more */
        }
        _exit(0);
    }
    struct err *e = ingest_path(ret, s, s->fifo);
    int fd = open(s->fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* lets a writer go on that nobody waited for */
    own_close(&fd);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return e;
}

typedef struct err *(*way)(struct doc **ret, const struct shop *s);

/* ---- what is in a folder ---- */

static size_t count_in(const char *folder, const char *name)
{
    OWN_FREE char *path = check_path(folder, name);
    size_t n = 0;
    DIR *d = opendir(path);
    for (struct dirent *at; d && (at = readdir(d));)
        n += at->d_name[0] != '.';
    if (d)
        (void)closedir(d);
    return n;
}

/* Nothing listed, nothing in tmp; blobs may be there, each with the bytes that its name says. */
static void not_there(const struct shop *s)
{
    OWN_FREE char *blobs = check_path(s->store, "blobs/sha256");
    assert_int_equal(count_in(s->store, "releases"), 0);
    assert_int_equal(count_in(s->store, "tmp"), 0);
    DIR *d = opendir(blobs);
    for (struct dirent *at; d && (at = readdir(d));) {
        OWN_FREE char *path = check_path(blobs, at->d_name);
        char hex[DIGEST_HEX];
        if (at->d_name[0] == '.')
            continue;
        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        OK(digest_fd(hex, fd, NULL));
        assert_string_equal(hex, at->d_name);
    }
    if (d)
        (void)closedir(d);
}

/* The release's folder is the published file, whatever it came from. */
static void is_published_file(const struct shop *s, const struct buf *file)
{
    OWN_SOURCE struct source *source = NULL;
    OWN_FREE char *all = malloc(file->len);
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = s->f->pub_path;
    bool ends;
    OK(source_open(&source, s->release));
    assert_int_equal(source_size(source), file->len);
    OK(source_read(source, all, file->len, 0));
    assert_memory_equal(all, file->at, file->len);
    OK(source_ends(&ends, source, file->len));
    assert_true(ends);
    for (size_t at = 0, n = 1; at + n < file->len; at += n, n = n * 7 % 1021 + 1) {
        OK(source_read(source, all, n, at));
        assert_memory_equal(all, file->at + at, n);
    }
    OK(bundle_open(&b, s->release, &trust, 1));
    OK(bundle_verify(b, NULL, NULL));
    assert_int_equal(count_in(s->store, "tmp"), 0);
}

/* ---- good ones ---- */

static void by_every_way(void **state)
{
    (void)state;
    static const way ways[] = {ingest, ingest_fifo};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        OWN_SHOP struct shop s = shop_new();
        OWN_DOC struct doc *first = NULL, *second = NULL;
        OK(ways[i](&first, &s));
        is_published_file(&s, &s.f->file);
        assert_int_equal(doc_int(first, "taken", 0), s.f->n_blobs);
        assert_int_equal(doc_int(first, "kept", -1), 0);
        assert_int_equal(doc_int(first, "bytes", 0), s.f->file.len);
        assert_string_equal(doc_text(first, "path"), s.release);
        OK(ways[i](&second, &s)); /* nothing is taken twice */
        is_published_file(&s, &s.f->file);
        assert_int_equal(doc_int(second, "taken", -1), 0);
        assert_int_equal(doc_int(second, "kept", 0), s.f->n_blobs);
        assert_int_equal(count_in(s.store, "blobs/sha256"), s.f->n_blobs);
    }
}

static void the_receipt_is_kept(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_DOC struct doc *told = NULL, *kept = NULL;
    OWN_BUF struct buf text = {0};
    OK(ingest(&told, &s));
    OWN_FREE char *path = check_path(s.release, "receipt.json");
    OK(file_read(&text, AT_FDCWD, path));
    OK(doc_json(&kept, path, text.at, text.len));
    assert_true(doc_equal(told, kept));
    assert_string_equal(doc_text(kept, "source"), s.f->path);
    assert_string_equal(doc_text(kept, "store"), s.store);
    assert_non_null(doc_text(kept, "time"));
    assert_int_equal(doc_len(doc_get(kept, "signers")), 1);
}

/* An empty folder becomes a store; one with other things does not; what is a store stays one. */
static void folders(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_DOC struct doc *a = NULL, *b = NULL, *none = NULL;
    OK(store_list(&none, s.store));
    assert_int_equal(doc_len(doc_get(none, "releases")), 0);
    assert_int_equal(mkdir(s.store, 0700), 0);
    OWN_FREE char *foreign = check_path(s.store, "notes.txt"), *format = check_path(s.store, "format");
    check_write(s.store, "notes.txt", "x", 1);
    FAILS(ERR_USAGE, "such as notes.txt, and no store", ingest(&a, &s));
    assert_int_equal(unlink(foreign), 0);
    OK(ingest(&a, &s));
    check_write(s.store, "format", "caisson-store 2\n", 16);
    FAILS(ERR_FAILED, "E_STORE: a store of another format", ingest(&b, &s));
    assert_int_equal(unlink(format), 0);
    FAILS(ERR_USAGE, "and no store", ingest(&b, &s));
}

/* A link in the place of a folder is not followed: what it leads to would be removed. */
static void linked_folders(void **state)
{
    (void)state;
    static const char *const names[] = {"tmp", "releases", "blobs", "blobs/sha256"};
    OWN_SHOP struct shop s = shop_new();
    OWN_DOC struct doc *a = NULL, *b = NULL;
    OWN_FREE char *other = check_path(s.f->folder, "other");
    assert_int_equal(mkdir(other, 0700), 0);
    check_write(other, "mine", "x", 1);
    OK(ingest(&a, &s));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        OWN_FREE char *name = check_path(s.store, names[i]), *kept = check_path(s.store, "kept");
        OWN_FREE char *mine = check_path(other, "mine");
        assert_int_equal(rename(name, kept), 0);
        assert_int_equal(symlink(other, name), 0);
        struct err *e = ingest(&b, &s);
        assert_string_equal(e ? err_hint_text(e) : "", "a store's own folders are no links");
        FAILS(ERR_FAILED, "E_STORE: open ", e);
        assert_int_equal(access(mine, F_OK), 0);
        assert_int_equal(unlink(name), 0);
        assert_int_equal(rename(kept, name), 0);
    }
}

/* The same release again with fewer root documents: those that came before stay. */
static void newer_roots_stay(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_BUF struct buf older = {0};
    OWN_DOC struct doc *a = NULL, *b = NULL, *c = NULL;
    OK(buf_add(&older, s.f->file.at, s.f->file.len));
    OK(ingest(&a, &s));
    while (s.f->n)
        forge_remove(s.f, s.f->entries[0].name);
    (void)forge_next_root(s.f, (struct forge_more){{s.f->key}});
    forge_seal(s.f);
    forge_write(s.f);
    OK(ingest(&b, &s));
    is_published_file(&s, &s.f->file);
    check_write(s.f->folder, "test.csn.tar", older.at, older.len);
    OK(ingest(&c, &s));
    is_published_file(&s, &s.f->file);
    assert_int_equal(doc_int(c, "rootVersion", 0), 2);
    assert_string_equal(doc_text(c, "digest"), doc_text(a, "digest"));
}

/* ---- deltas ---- */

/* Makes the bundle a delta without the blobs from `from` on, in steps of `step`; the file of the full one into `full`.
 */
static void make_delta(struct shop *s, struct buf *full, size_t from, size_t step)
{
    OK(buf_add(full, s->f->file.at, s->f->file.len));
    struct buf *format = &forge_find(s->f, "caisson/format")->body;
    format->len = 0;
    OK(buf_str(format, "caisson-bundle 1 delta\n"));
    for (size_t i = from; i < s->f->n_blobs; i += step)
        forge_remove(s->f, s->f->blobs[i].name);
    forge_write(s->f);
}

static void deltas(void **state)
{
    (void)state;
    static const way ways[] = {ingest, ingest_fifo};
    for (size_t i = 0; i < 2 * ARRAY_LEN(ways); i++) {
        way how = ways[i % 2];
        OWN_SHOP struct shop s = shop_new();
        OWN_BUF struct buf full = {0};
        OWN_DOC struct doc *a = NULL, *b = NULL;
        OK(ingest(&a, &s));
        OK(file_remove_tree(AT_FDCWD, s.release)); /* the blobs stay, as of another release */
        make_delta(&s, &full, i / 2, 2);
        OK(how(&b, &s));
        is_published_file(&s, &full);
        assert_int_equal(doc_int(b, "kept", 0), s.f->n_blobs);
        assert_null(doc_get(b, "missing"));
    }
}

static void deltas_without_the_rest(void **state)
{
    (void)state;
    static const way ways[] = {ingest, ingest_fifo};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        OWN_SHOP struct shop s = shop_new();
        OWN_BUF struct buf full = {0};
        OWN_DOC struct doc *a = NULL;
        make_delta(&s, &full, 1, 3);
        OWN_FREE char *digest = str_fmt("sha256:%s", s.f->blobs[1].name + strlen("blobs/sha256/"));
        OWN_FREE char *words = str_fmt("neither in the delta nor in the store: %s", digest);
        struct err *e = ways[i](&a, &s);
        assert_true(e && err_hint_text(e) && strstr(err_text(e), "E_MISSING: "));
        FAILS(ERR_UNTRUSTED, words, e);
        not_there(&s);
    }
}

/* ---- rows 41, 48 ---- */

/* A blob in the store that is not what its name says, longer, shorter, or of the right size, is replaced and told. */
static void corrupt_blobs(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_DOC struct doc *first = NULL;
    OWN_FREE char *blobs = check_path(s.store, "blobs/sha256");
    OK(ingest(&first, &s));
    for (size_t i = 0; i < 3; i++) {
        const char *hex = s.f->blobs[i].name + strlen("blobs/sha256/");
        OWN_BUF struct buf wrong = {0};
        OWN_DOC struct doc *d = NULL;
        OWN_BUNDLE struct bundle *b = NULL;
        const char *trust = s.f->pub_path;
        OK(buf_add(&wrong, s.f->blobs[i].body.at, s.f->blobs[i].body.len));
        wrong.at[0] = (char)(wrong.at[0] ^ 1);
        check_write(blobs, hex, wrong.at, wrong.len + i - 1); /* reads the NUL behind once */
        OK(bundle_open(&b, s.release, &trust, 1));
        struct err *e = bundle_verify(b, NULL, NULL);
        assert_true(e && strstr(err_hint_text(e), "caisson bundle ingest"));
        FAILS(ERR_UNTRUSTED, i == 1 ? "E_DIGEST" : "E_SIZE", e);
        OK(ingest(&d, &s));
        assert_true(doc_list_has(doc_get(d, "replaced"), hex));
        assert_int_equal(doc_int(d, "taken", 0), 1);
        is_published_file(&s, &s.f->file);
    }
}

struct meddler {
    const struct forge *f;
    void (*act)(const struct forge *f);
    bool done;
};

static bool meddle(void *self, uint64_t done, uint64_t total)
{
    struct meddler *m = self;
    (void)done;
    (void)total;
    if (!m->done)
        m->act(m->f);
    m->done = true;
    return true;
}

static void grow(const struct forge *f)
{
    OWN_FD int fd = open(f->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    OK(fd_write_all(fd, "more", 4));
}

static void shrink(const struct forge *f)
{
    assert_int_equal(truncate(f->path, (off_t)f->file.len - 3000), 0);
}

/* A new file under the same name; the one that is read stays. */
static void replace(const struct forge *f)
{
    check_write(f->folder, "test.csn.tar", "other", 5);
}

static void overwrite(const struct forge *f)
{
    OWN_FD int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    OWN_FREE char *noise = malloc(f->file.len);
    memset(noise, 'x', f->file.len);
    OK(fd_write_all(fd, noise, f->file.len));
}

/* The file changes under the reader: what is in the store was hashed as it was written, or it is refused. */
static void changed_while_read(void **state)
{
    (void)state;
    static const struct {
        void (*act)(const struct forge *f);
        const char *code; /* NULL: it is the bundle that was opened */
    } rows[] = {{grow, "E_TRAILING"}, {shrink, "E_TRUNCATED"}, {replace, NULL}, {overwrite, "E_"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN_SHOP struct shop s = shop_new();
        OWN_DOC struct doc *d = NULL;
        struct meddler m = {.f = s.f, .act = rows[i].act};
        s.progress = meddle;
        s.self = &m;
        if (rows[i].code) {
            FAILS(ERR_UNTRUSTED, rows[i].code, ingest(&d, &s));
            not_there(&s);
        } else {
            OK(ingest(&d, &s));
            is_published_file(&s, &s.f->file);
        }
        assert_true(m.done);
    }
}

/* ---- rows 12 and 33, by a file and through a pipe ---- */

static void refused_both_ways(struct shop *s, const char *code)
{
    static const way ways[] = {ingest, ingest_fifo};
    check_write(s->f->folder, "test.csn.tar", s->f->file.at, s->f->file.len);
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        OWN_DOC struct doc *d = NULL;
        struct err *e = ways[i](&d, s);
        assert_true(!e || (err_hint_text(e) && strstr(err_text(e), i ? s->fifo : s->f->path)));
        FAILS(ERR_UNTRUSTED, code, e);
        assert_null(d);
        not_there(s);
    }
}

static void cut_everywhere(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    size_t whole = s.f->file.len;
    for (size_t at = 512; at < whole; at += 512)
        for (int i = -1; i <= 1; i++) {
            s.f->file.len = at + (size_t)i;
            refused_both_ways(&s, "E_TRUNCATED");
        }
}

static void a_flipped_byte(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    for (size_t at = 100; at < s.f->file.len; at += 397) {
        s.f->file.at[at] = (char)(s.f->file.at[at] ^ 4);
        refused_both_ways(&s, "E_");
        s.f->file.at[at] = (char)(s.f->file.at[at] ^ 4);
    }
    forge_write(s.f);
    OWN_DOC struct doc *d = NULL;
    OK(ingest(&d, &s)); /* goes on with what those attempts left */
    assert_true(doc_int(d, "kept", 0) > 0);
    is_published_file(&s, &s.f->file);
}

/* What nobody may trust does not even make a store. */
static void trust_comes_first(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_DOC struct doc *d = NULL;
    forge_remove(s.f, forge_find(s.f, "caisson/sig/*")->name);
    forge_write(s.f);
    FAILS(ERR_UNTRUSTED, "E_SIG_NONE", ingest(&d, &s));
    FAILS(ERR_UNTRUSTED, "E_SIG_NONE", ingest_fifo(&d, &s));
    assert_false(file_exists(AT_FDCWD, s.store));
}

/* What only the whole can show is seen before the release is listed. */
static void closure(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_FORGE struct forge *f = forge_new();
    char digest[72];
    (void)forge_blob(digest, f, "nobody's", 8);
    forge_seal(f);
    forge_write(f);
    struct shop other = s;
    OWN_DOC struct doc *d = NULL;
    other.f = f;
    FAILS(ERR_UNTRUSTED, "E_OCI_ORPHAN", ingest(&d, &other));
    not_there(&other);
}

/* ---- row 40: everything that the store's disk can refuse ---- */

static int fault_at, fault_errno;
static bool can_exchange = true; /* false: as on a file system without renameat2() */
static bool refuse_direct;       /* as on one that takes O_DIRECT, but no blocks of ours */
static int direct_writes;
static _Atomic int fault_calls; /* the writer is a thread of its own */

/* True when it is this call's turn to fail. */
static bool fault(void)
{
    if (fault_at && ++fault_calls == fault_at) {
        errno = fault_errno;
        return true;
    }
    return false;
}

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __real_renameat(int a, const char *x, int b, const char *y);
int __wrap_renameat(int a, const char *x, int b, const char *y);
int __real_renameat2(int a, const char *x, int b, const char *y, unsigned flags);
int __wrap_renameat2(int a, const char *x, int b, const char *y, unsigned flags);
int __real_mkdirat(int fd, const char *name, mode_t mode);
int __wrap_mkdirat(int fd, const char *name, mode_t mode);
int __wrap_syncfs(int fd);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __real_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...);

/* The first half of a direct write is done where the second half cannot be. */
static ssize_t write_direct(int fd, const void *p, size_t n)
{
    direct_writes++;
    errno = EINVAL;
    return direct_writes % 2 && n > 4096 ? __real_write(fd, p, 4096) : -1;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    if (refuse_direct && fcntl(fd, F_GETFL) & O_DIRECT)
        return write_direct(fd, p, n);
    return fault() ? -1 : __real_write(fd, p, n);
}

int __wrap_renameat(int a, const char *x, int b, const char *y)
{
    return fault() ? -1 : __real_renameat(a, x, b, y);
}

int __wrap_renameat2(int a, const char *x, int b, const char *y, unsigned flags)
{
    errno = EINVAL;
    return !can_exchange || fault() ? -1 : __real_renameat2(a, x, b, y, flags);
}

int __wrap_mkdirat(int fd, const char *name, mode_t mode)
{
    return fault() ? -1 : __real_mkdirat(fd, name, mode);
}

/* They do nothing else: a busy disk would make the tests minutes long. */
int __wrap_syncfs(int fd)
{
    (void)fd;
    return fault() ? -1 : 0;
}

int __wrap_fsync(int fd)
{
    (void)fd;
    return fault() ? -1 : 0;
}

int __wrap_fdatasync(int fd)
{
    (void)fd;
    return fault() ? -1 : 0;
}

int __wrap_openat(int fd, const char *name, int flags, ...)
{
    return flags & O_CREAT && fault() ? -1 : __real_openat(fd, name, flags, 0644);
}

/* The k-th call that writes fails, for each k: it is said, tmp is empty, nothing is listed, and the next run ends well.
 */
static void each_call_fails(int sys, const char *code)
{
    for (int k = 1;; k++) {
        OWN_SHOP struct shop s = shop_new();
        OWN_DOC struct doc *d = NULL, *again = NULL;
        fault_errno = sys;
        fault_calls = 0;
        fault_at = k;
        struct err *e = ingest(&d, &s);
        bool reached = fault_calls >= k;
        fault_at = 0;
        if (!reached) {
            OK(e);
            assert_true(k > 30);
            return;
        }
        if (!e || !err_hint_text(e))
            fail_msg("call %d: no error, or none with a way out", k);
        FAILS(ERR_FAILED, code, e);
        not_there(&s);
        OK(ingest(&again, &s));
        is_published_file(&s, &s.f->file);
    }
}

static void no_space(void **state)
{
    (void)state;
    each_call_fails(ENOSPC, ": E_SPACE: ");
}

static void not_writable(void **state)
{
    (void)state;
    can_exchange = false;
    each_call_fails(EROFS, ": E_STORE: ");
    can_exchange = true;
}

/* The k-th call fails when the release is listed already, and it stays so, as it was; false: there are fewer calls. */
static bool listed_stays(int k)
{
    OWN_SHOP struct shop s = shop_new();
    OWN_DOC struct doc *first = NULL, *second = NULL, *list = NULL;
    OK(ingest(&first, &s));
    fault_errno = EIO;
    fault_calls = 0;
    fault_at = k;
    struct err *e = ingest(&second, &s);
    bool reached = fault_calls >= k;
    fault_at = 0;
    if (reached)
        FAILS(ERR_FAILED, ": E_STORE: ", e);
    else
        OK(e);
    is_published_file(&s, &s.f->file);
    OK(store_list(&list, s.store));
    assert_true(doc_equal(doc_get(list, "releases")->child, reached ? first : second));
    return reached;
}

static void what_is_listed_stays(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int k = 1;
        can_exchange = i == 0;
        while (listed_stays(k))
            k++;
        assert_true(k > 10);
    }
    can_exchange = true;
}

/* A power cut between the two renames by hand: the old one is listed again, unless the new one came. */
static void cut_amid_a_swap(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_DOC struct doc *d = NULL, *list = NULL, *unused = NULL, *again = NULL;
    OK(ingest(&d, &s));
    const char *release = doc_text(d, "path");
    OWN_FREE char *old = str_fmt("%s/tmp/%s.old", s.store, strrchr(release, '/') + 1);
    OWN_FREE char *other = check_path(s.store, "tmp/other.old");
    assert_int_equal(mkdir(other, 0700), 0);
    assert_int_equal(rename(release, old), 0);
    OK(store_remove_unused(&unused, s.store));
    assert_int_equal(count_in(s.store, "tmp"), 0);
    OK(store_list(&list, s.store));
    assert_true(doc_equal(doc_get(list, "releases")->child, d));
    is_published_file(&s, &s.f->file);
    assert_int_equal(mkdir(old, 0700), 0);
    OK(store_remove_unused(&again, s.store));
    assert_int_equal(count_in(s.store, "tmp"), 0);
    is_published_file(&s, &s.f->file);
}

/* ---- a blob of several blocks ---- */

enum { LARGE = (3 << 20) + 5 };

/* A shop whose bundle has a blob of LARGE bytes; its digits into `hex`. */
static struct shop shop_large(char hex[65])
{
    struct forge *f = forge_new();
    OWN_FREE char *large = calloc(1, LARGE);
    struct doc *m = doc_new_map();
    char digest[72];
    size_t size;
    memcpy(large, "large", 5);
    doc_set_int(m, "schemaVersion", 2);
    doc_set_text(m, "artifactType", "large");
    doc_set(m, "config", forge_descriptor("application/vnd.oci.empty.v1+json", forge_blob(digest, f, "{}", 2), 2));
    (void)forge_blob(digest, f, large, LARGE);
    memcpy(hex, digest + strlen("sha256:"), 65);
    doc_add(doc_set(m, "layers", doc_new_list()), forge_descriptor("application/vnd.caisson.file.v1", digest, LARGE));
    (void)forge_json(digest, f, m, &size);
    doc_add(doc_get(f->index, "manifests"),
            forge_descriptor("application/vnd.oci.image.manifest.v1+json", digest, size));
    return shop_of(f);
}

static void direct_writes_refused(void **state)
{
    (void)state;
    char hex[65];
    OWN_SHOP struct shop s = shop_large(hex);
    OWN_DOC struct doc *d = NULL;
    refuse_direct = true;
    OK(ingest(&d, &s));
    refuse_direct = false;
    is_published_file(&s, &s.f->file);
    if (!direct_writes)
        skip(); /* no such file system here */
}

struct steps {
    uint64_t last, largest, total;
};

static bool step(void *self, uint64_t done, uint64_t total)
{
    struct steps *s = self;
    if (done > s->last && done - s->last > s->largest)
        s->largest = done - s->last;
    s->last = done;
    s->total = total;
    return done <= total;
}

/* What is there already is hashed in steps: it can be stopped meanwhile, and what has to come again is not counted. */
static void progress(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        char hex[65];
        OWN_SHOP struct shop s = shop_large(hex);
        OWN_FREE char *blobs = check_path(s.store, "blobs/sha256");
        OWN_FREE char *wrong = calloc(1, LARGE);
        OWN_DOC struct doc *d = NULL, *again = NULL;
        struct steps steps = {0};
        OK(ingest(&d, &s));
        if (i)
            check_write(blobs, hex, wrong, LARGE);
        s.progress = step;
        s.self = &steps;
        OK(ingest(&again, &s));
        assert_int_equal(doc_len(doc_get(again, "replaced")), i);
        assert_int_equal(steps.last, steps.total);
        assert_true(steps.largest <= 1 << 20);
    }
}

/* ---- one at a time ---- */

static struct shop *rival;
static struct err *rival_error;

static bool try_to_join(void *self, uint64_t done, uint64_t total)
{
    (void)self;
    (void)done;
    (void)total;
    OWN_DOC struct doc *d = NULL;
    if (!rival_error)
        rival_error = ingest(&d, rival);
    return true;
}

static void one_at_a_time(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_DOC struct doc *d = NULL;
    struct shop other = s;
    rival = &other;
    s.progress = try_to_join;
    OK(ingest(&d, &s));
    FAILS(ERR_REFUSED, "another caisson writes into it", rival_error);
    is_published_file(&s, &s.f->file);
}

static bool stop(void *self, uint64_t done, uint64_t total)
{
    (void)self;
    return done < total / 2;
}

static void stopped(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_DOC struct doc *d = NULL;
    s.progress = stop;
    FAILS(ERR_CANCELLED, "stopped", ingest(&d, &s));
    not_there(&s);
    s.progress = NULL;
    OK(ingest(&d, &s));
    assert_true(doc_int(d, "kept", 0) > 0);
}

/* ---- a source of ranges ---- */

/* Bytes in memory that count what was asked for; the `fails`-th range breaks. */
struct ranges {
    struct source s;
    const struct buf *file;
    _Atomic uint64_t *streamed;
    _Atomic int *asked;
    int fails;
};

static void ranges_close(struct source *s)
{
    (void)s;
}

static struct err *ranges_read(size_t *ret, const struct source *s, void *p, size_t n, uint64_t offset)
{
    const struct buf *file = ((const struct ranges *)s)->file;
    *ret = offset < file->len ? file->len - offset : 0;
    *ret = n < *ret ? n : *ret;
    memcpy(p, file->at + offset, *ret);
    return NULL;
}

static struct err *ranges_stream(const struct source *s, uint64_t offset, uint64_t n, source_sink sink, void *self)
{
    const struct ranges *r = (const struct ranges *)s;
    *r->streamed += n;
    if (++*r->asked == r->fails)
        return err_hint(err_new(ERR_UNREACHABLE, "E_SRC_STALL: nothing comes"), "try again");
    for (uint64_t at = 0, part; at < n; at += part) {
        part = n - at < 1000 ? n - at : 1000;
        TRY(sink(self, r->file->at + offset + at, part));
    }
    return NULL;
}

static struct err *ingest_ranges(struct doc **ret, const struct shop *s, int fails, uint64_t *streamed)
{
    static const struct source_ops ops = {.close = ranges_close, .read = ranges_read, .stream = ranges_stream};
    struct ranges *r = calloc(1, sizeof *r);
    _Atomic uint64_t bytes = 0;
    _Atomic int asked = 0;
    *r = (struct ranges){.s = {.ops = &ops, .path = strdup("ranges"), .size = s->f->file.len, .streams = 4},
                         .file = &s->f->file,
                         .streamed = &bytes,
                         .asked = &asked,
                         .fails = fails};
    struct err *e = ingest_source(ret, s, &r->s);
    *streamed = bytes;
    return e;
}

/* Several ranges at once, and only those that are missing. */
static void by_ranges(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_DOC struct doc *d = NULL, *again = NULL;
    uint64_t all, rest;
    FAILS(ERR_UNREACHABLE, "E_SRC_STALL", ingest_ranges(&d, &s, 5, &all));
    not_there(&s);
    OK(ingest_ranges(&d, &s, 0, &all));
    is_published_file(&s, &s.f->file);
    OWN_FREE char *blobs = check_path(s.store, "blobs/sha256");
    OWN_FREE char *one = check_path(s.store, s.f->blobs[2].name);
    assert_int_equal(unlink(one), 0);
    OK(ingest_ranges(&again, &s, 0, &rest));
    assert_int_equal(rest, 2 * forge_find(s.f, "index.json")->body.len + s.f->blobs[2].body.len);
    assert_int_equal(doc_int(again, "taken", 0), 1);
    is_published_file(&s, &s.f->file);
}

/* ---- list and remove ---- */

static void shared_blobs(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_FORGE struct forge *f = forge_new();
    OWN_DOC struct doc *a = NULL, *b = NULL, *list = NULL, *gone = NULL, *rest = NULL, *unused = NULL;
    struct shop other = s;
    OK(ingest(&a, &s));
    doc_set_text(f->predicate, "version", "9.9.9");
    forge_seal(f);
    forge_write(f);
    other.f = f;
    OK(ingest(&b, &other)); /* another release of the same blobs */
    OK(store_list(&list, s.store));
    assert_int_equal(doc_len(doc_get(list, "releases")), 2);
    size_t both = count_in(s.store, "blobs/sha256");
    assert_int_equal(doc_int(list, "blobs", 0), both);
    assert_int_equal(doc_int(list, "unused.blobs", -1), 0);
    FAILS(ERR_USAGE, "is no digest", store_remove(&gone, s.store, "sha256:12"));
    OK(store_remove(&gone, s.store, doc_text(a, "digest")));
    assert_int_equal(count_in(s.store, "blobs/sha256") + (size_t)doc_int(gone, "blobs", 0), both);
    assert_int_equal(count_in(s.store, "tmp"), 0);
    assert_false(file_exists(AT_FDCWD, s.release));
    FAILS(ERR_USAGE, "no release sha256:", store_remove(&unused, s.store, doc_text(a, "digest")));
    free(s.release);
    s.release = strdup(doc_text(b, "path"));
    other.release = s.release;
    is_published_file(&other, &f->file);
    OK(store_remove(&rest, s.store, doc_text(b, "digest") + 7));
    assert_int_equal(count_in(s.store, "blobs/sha256"), 0);
    FAILS(ERR_USAGE, "no store is there", store_remove_unused(&unused, s.folder));
}

static void unused_blobs(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    OWN_DOC struct doc *d = NULL, *list = NULL, *gone = NULL;
    s.progress = stop;
    FAILS(ERR_CANCELLED, "stopped", ingest(&d, &s));
    OK(store_list(&list, s.store));
    assert_true(doc_int(list, "unused.blobs", 0) > 0);
    OK(store_remove_unused(&gone, s.store));
    assert_int_equal(doc_int(gone, "blobs", 0), doc_int(list, "unused.blobs", 0));
    assert_int_equal(count_in(s.store, "blobs/sha256"), 0);
}

/* What is wrong in the release's own files is said, with the way out; nobody removes blobs that may be in use. */
static void broken_releases(void **state)
{
    (void)state;
    static const char *const names[] = {"head", "headers", "index.json"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        OWN_SHOP struct shop s = shop_new();
        OWN_DOC struct doc *d = NULL, *again = NULL, *none = NULL;
        OWN_BUNDLE struct bundle *b = NULL;
        const char *trust = s.f->pub_path;
        OK(ingest(&d, &s));
        check_write(s.release, names[i], "rubbish", 7);
        struct err *e = bundle_open(&b, s.release, &trust, 1);
        assert_true(e && err_hint_text(e) && strstr(err_text(e), s.release));
        err_free(e);
        if (i == 1)
            FAILS(ERR_FAILED, "E_STORE: headers", store_remove_unused(&none, s.store));
        OK(ingest(&again, &s));
        is_published_file(&s, &s.f->file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_every_way),
        cmocka_unit_test(the_receipt_is_kept),
        cmocka_unit_test(folders),
        cmocka_unit_test(linked_folders),
        cmocka_unit_test(newer_roots_stay),
        cmocka_unit_test(deltas),
        cmocka_unit_test(deltas_without_the_rest),
        cmocka_unit_test(corrupt_blobs),
        cmocka_unit_test(changed_while_read),
        cmocka_unit_test(cut_everywhere),
        cmocka_unit_test(a_flipped_byte),
        cmocka_unit_test(trust_comes_first),
        cmocka_unit_test(closure),
        cmocka_unit_test(no_space),
        cmocka_unit_test(not_writable),
        cmocka_unit_test(what_is_listed_stays),
        cmocka_unit_test(cut_amid_a_swap),
        cmocka_unit_test(direct_writes_refused),
        cmocka_unit_test(progress),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(stopped),
        cmocka_unit_test(by_ranges),
        cmocka_unit_test(shared_blobs),
        cmocka_unit_test(unused_blobs),
        cmocka_unit_test(broken_releases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
