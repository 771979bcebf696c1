#include "bundle/store.h"

#include "base/file.h"
#include "base/str.h"
#include "bundle/format.h"
#include "bundle/store_dir.h"
#include "bundle/used.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* ---- list ---- */

struct listing {
    int releases;
    struct doc **at;
    size_t n;
};

static void listing_done(struct listing *l)
{
    own_close(&l->releases);
    for (size_t i = 0; i < l->n; i++)
        doc_free(l->at[i]);
    free(l->at);
}

static struct err *add_receipt(void *self, const char *name)
{
    struct listing *l = self;
    OWN_BUF struct buf text = {.max = FORMAT_SMALL_BYTES_MAX};
    OWN_FREE char *path = str_fmt("%s/receipt.json", name);
    void *more = realloc(l->at, (l->n + 1) * sizeof(struct doc *));
    if (more)
        l->at = more;
    if (!more || !path)
        return err_os(ENOMEM, "receipts");
    struct err *e = file_read(&text, l->releases, path);
    if (!e)
        e = doc_json(&l->at[l->n], path, text.at, text.len);
    l->n += !e;
    if (e && !err_errno(e))
        e = err_as(err_wrap(e, "E_STORE"), ERR_FAILED);
    return err_hint(e, "ingest that release again, or remove it");
}

/* Receipts have seconds: those of one second stand in the order of their digests, not in that of the disk. */
static int by_time(const void *a, const void *b)
{
    static const char *const keys[] = {"time", "digest"};
    int order = 0;
    for (size_t i = 0; i < ARRAY_LEN(keys) && !order; i++) {
        const char *x = doc_text(*(struct doc *const *)a, keys[i]), *y = doc_text(*(struct doc *const *)b, keys[i]);
        order = strcmp(x ? x : "", y ? y : "");
    }
    return order;
}

struct sum {
    int blobs;
    const struct used *used; /* counted are the others; NULL: all */
    bool remove;
    int64_t n, bytes;
};

static struct err *sum_blob(void *self, const char *name)
{
    struct sum *s = self;
    struct stat st;
    if (s->used && used_has(s->used, name))
        return NULL;
    if (fstatat(s->blobs, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    if (s->remove && unlinkat(s->blobs, name, 0) < 0)
        return err_os(errno, "remove %s/%s", STORE_BLOBS, name);
    s->n++;
    s->bytes += st.st_size;
    return NULL;
}

static void set_sum(struct doc *d, const struct sum *s)
{
    doc_set_int(d, "blobs", s->n);
    doc_set_int(d, "bytes", s->bytes);
}

static struct err *list_blobs(struct doc *ret, int fd, int releases)
{
    OWN(used_done) struct used used = {0};
    OWN_FD int blobs = openat(fd, STORE_BLOBS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct sum all = {.blobs = blobs}, unused = {.blobs = blobs, .used = &used};
    if (blobs < 0)
        return err_os(errno, "open %s", STORE_BLOBS);
    TRY(used_read(&used, releases));
    TRY(folder_each(blobs, sum_blob, &all));
    TRY(folder_each(blobs, sum_blob, &unused));
    set_sum(ret, &all);
    set_sum(doc_set(ret, "unused", doc_new_map()), &unused);
    return NULL;
}

static struct err *list_at(struct doc *ret, int fd)
{
    OWN(listing_done) struct listing l = {.releases = openat(fd, STORE_RELEASES, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (l.releases < 0)
        return err_hint(err_as(err_os(errno, "open %s", STORE_RELEASES), ERR_USAGE), "is this folder a store?");
    TRY(folder_each(l.releases, add_receipt, &l));
    if (l.n)
        qsort(l.at, l.n, sizeof(struct doc *), by_time);
    struct doc *list = doc_set(ret, "releases", doc_new_list());
    for (size_t i = 0; i < l.n; i++)
        doc_add(list, TAKE(l.at[i]));
    return list_blobs(ret, fd, l.releases);
}

struct err *store_list(struct doc **ret, const char *path)
{
    OWN_DOC struct doc *d = doc_new_map();
    OWN_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    doc_set_text(d, "store", path);
    if (fd < 0 && errno != ENOENT)
        return store_fault(path, err_os(errno, "open"));
    if (fd >= 0)
        TRY(store_fault(path, list_at(d, fd)));
    else
        doc_set(d, "releases", doc_new_list());
    *ret = TAKE(d);
    return NULL;
}

/* ---- remove ---- */

/* The blobs of a release that is in tmp by now, but for those that others use. */
static struct err *remove_blobs(struct sum *sum, const struct store_dir *s, const char *name)
{
    OWN(used_done) struct used used = {0};
    OWN(headers_done) struct headers h = {0};
    struct ustar_entry e;
    OWN_FD int folder = openat(s->tmp, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return err_os(errno, "open %s", name);
    TRY(used_read(&used, s->releases));
    err_ignore(headers_read(&h, folder)); /* without them its blobs stay as unused ones */
    *sum = (struct sum){.blobs = s->blobs, .used = &used, .remove = true};
    for (size_t i = 0; i < h.n; i++) {
        headers_entry(&e, &h, i);
        if (headers_hex(&e))
            TRY(sum_blob(sum, headers_hex(&e)));
    }
    return NULL;
}

/* First it is listed no more, for good; a blob that is left over then is one that no release has. */
static struct err *remove_release(struct sum *sum, const struct store_dir *s, const char *hex)
{
    if (renameat(s->releases, hex, s->tmp, hex) < 0)
        return errno != ENOENT ? err_os(errno, "%s/%s", STORE_RELEASES, hex)
                               : err_hint(err_new(ERR_USAGE, "no release sha256:%s is in it", hex),
                                          "caisson bundle list shows what is");
    if (fsync(s->releases) < 0)
        return err_os(errno, "write to the disk");
    return remove_blobs(sum, s, hex);
}

struct err *store_remove(struct doc **ret, const char *path, const char *digest)
{
    OWN(store_dir_done) struct store_dir s = STORE_DIR_INIT;
    const char *hex = str_starts(digest, "sha256:") ? digest + 7 : digest;
    struct sum sum = {0};
    if (!str_is_sha256(hex))
        return err_hint(err_new(ERR_USAGE, "\"%s\" is no digest of a release", digest),
                        "sha256: and 64 digits, as caisson bundle list shows them");
    TRY(store_dir_open(&s, path, false));
    TRY(store_fault(path, remove_release(&sum, &s, hex)));
    *ret = doc_new_map();
    doc_set_fmt(*ret, "digest", "sha256:%s", hex);
    set_sum(*ret, &sum);
    return NULL;
}

struct err *store_remove_unused(struct doc **ret, const char *path)
{
    OWN(store_dir_done) struct store_dir s = STORE_DIR_INIT;
    OWN(used_done) struct used used = {0};
    TRY(store_dir_open(&s, path, false));
    struct sum sum = {.blobs = s.blobs, .used = &used, .remove = true};
    TRY(store_fault(path, used_read(&used, s.releases)));
    TRY(store_fault(path, folder_each(s.blobs, sum_blob, &sum)));
    *ret = doc_new_map();
    set_sum(*ret, &sum);
    return NULL;
}
