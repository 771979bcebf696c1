#include "net/partial.h"

#include "base/file.h"
#include "base/str.h"
#include "doc/doc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { STATE_BYTES_MAX = 1 << 20 };

/* ---- the notes ---- */

static size_t count(uint64_t total, uint64_t segment)
{
    return segment ? (size_t)((total + segment - 1) / segment) : 0;
}

/* True when the notes are of this kind, and then they are taken over. */
static bool take_notes(struct partial *p, const struct doc *d, uint64_t size, uint64_t segment)
{
    const char *etag = doc_text(d, "etag"), *have = doc_text(d, "have");
    int64_t total = doc_int(d, "total", 0), cut = doc_int(d, "segment", 0);
    if (doc_int(d, "schema", 0) != 1 || !etag || strlen(etag) >= sizeof p->etag || total <= 0 ||
        (size && (uint64_t)total != size) || (cut && (uint64_t)cut != segment))
        return false;
    if (cut && (!have || strlen(have) != count((uint64_t)total, segment) || have[strspn(have, "01")]))
        return false;
    memcpy(p->etag, etag, strlen(etag) + 1);
    p->total = (uint64_t)total;
    p->segment = (uint64_t)cut;
    p->have = cut ? strdup(have) : NULL;
    return !cut || p->have;
}

static bool read_notes(struct partial *p, uint64_t size, uint64_t segment)
{
    OWN_BUF struct buf text = {.max = STATE_BYTES_MAX};
    OWN_DOC struct doc *d = NULL;
    struct err *e = file_read(&text, AT_FDCWD, p->state);
    if (!e)
        e = doc_json(&d, p->state, text.at, text.len);
    bool good = !e && take_notes(p, d, size, segment);
    err_ignore(e); /* without notes it begins at the first byte */
    return good;
}

/* Also without an ETag: the digest tells in the end. */
static bool can_go_on(const struct partial *p)
{
    return p->known && p->total && p->total != HTTP_UNKNOWN;
}

/* Not forced to the disk: after a power cut the digest tells, and the file is fetched again. */
static struct err *write_notes(const struct partial *p)
{
    if (!can_go_on(p))
        return NULL;
    OWN_BUF struct buf text = {0};
    OWN_DOC struct doc *d = doc_new_map();
    OWN_FREE char *tmp = str_fmt("%s.new", p->state);
    doc_set_text(d, "etag", p->etag);
    doc_set_int(d, "schema", 1);
    doc_set_int(d, "total", (int64_t)p->total);
    if (p->segment) {
        doc_set_text(d, "have", p->have);
        doc_set_int(d, "segment", (int64_t)p->segment);
    }
    TRY(doc_json_write(&text, d));
    OWN_FD int fd = tmp ? open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (fd < 0)
        return err_os(tmp ? errno : ENOMEM, "create %s.new", p->state);
    TRY_CTX(fd_write_all(fd, text.at, text.len), "write %s", tmp);
    return rename(tmp, p->state) == 0 ? NULL : err_os(errno, "write %s", p->state);
}

/* ---- the file ---- */

/* The lock belongs to the open file; one that was renamed or deleted meanwhile is not the one at the path. */
static struct err *open_locked(struct partial *p)
{
    struct stat here, there;
    p->fd = open(p->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (p->fd < 0)
        return err_hint(err_os(errno, "create %s", p->part), "may you write there?");
    bool ours = flock(p->fd, LOCK_EX | LOCK_NB) == 0 && fstat(p->fd, &here) == 0 && stat(p->part, &there) == 0 &&
                here.st_ino == there.st_ino;
    if (ours)
        return NULL;
    own_close(&p->fd);
    p->fd = -1;
    return err_hint(err_new(ERR_REFUSED, "%s: another run fetches this file", p->path), "wait until it has ended");
}

static void forget(struct partial *p)
{
    free(TAKE(p->have));
    p->etag[0] = '\0';
    p->total = p->segment = 0;
}

struct err *partial_open(struct partial *p, const char *path, uint64_t size, uint64_t segment, bool known)
{
    struct stat st;
    *p = (struct partial){.fd = -1,
                          .known = known,
                          .path = strdup(path),
                          .part = str_fmt("%s.part", path),
                          .state = str_fmt("%s.part.json", path)};
    if (!p->path || !p->part || !p->state)
        return err_os(ENOMEM, "%s", path);
    TRY(open_locked(p));
    bool good = known && read_notes(p, size, segment) && fstat(p->fd, &st) == 0;
    good = good && (p->segment ? (uint64_t)st.st_size == p->total : (uint64_t)st.st_size <= p->total);
    return good ? NULL : partial_reset(p);
}

size_t partial_segments(const struct partial *p)
{
    return count(p->total, p->segment);
}

uint64_t partial_end(const struct partial *p, size_t i)
{
    uint64_t end = ((uint64_t)i + 1) * p->segment;
    return end < p->total ? end : p->total;
}

uint64_t partial_size(const struct partial *p)
{
    struct stat st;
    uint64_t n = 0;
    if (!p->segment)
        return fstat(p->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    for (size_t i = 0; i < partial_segments(p); i++)
        n += p->have[i] == '1' ? partial_end(p, i) - i * p->segment : 0;
    return n;
}

uint64_t partial_room(const char *path)
{
    struct stat st;
    OWN_FREE char *part = str_fmt("%s.part", path);
    return part && lstat(part, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

struct err *partial_reset(struct partial *p)
{
    forget(p);
    if ((unlink(p->state) < 0 && errno != ENOENT) || ftruncate(p->fd, 0) < 0)
        return err_os(errno, "empty %s", p->part);
    return NULL;
}

struct err *partial_begin(struct partial *p, const struct http_found *found, uint64_t segment)
{
    forget(p);
    memcpy(p->etag, found->etag, sizeof p->etag);
    p->total = found->total;
    p->segment = segment;
    if (segment) {
        size_t n = partial_segments(p);
        p->have = malloc(n + 1);
        if (!p->have)
            return err_os(ENOMEM, "%s", p->path);
        memset(p->have, '0', n);
        p->have[n] = '\0';
        if (ftruncate(p->fd, (off_t)p->total) < 0)
            return err_os(errno, "%s", p->part);
    }
    return write_notes(p);
}

struct err *partial_note(struct partial *p, size_t i)
{
    p->have[i] = '1';
    return write_notes(p);
}

/* What has such an end beside `path`; mostly there is none. */
static void unlink_beside(const char *path, const char *end)
{
    OWN_FREE char *name = str_fmt("%s%s", path, end);
    if (name)
        (void)unlink(name);
}

static void unlink_notes(const char *path)
{
    unlink_beside(path, ".part.json");
    unlink_beside(path, ".part.json.new");
}

/* The notes go first: behind the rename, and so behind the lock, they may be another run's. */
struct err *partial_commit(struct partial *p)
{
    (void)fchmod(p->fd, 0644); /* as all blobs of a cache; FAT has no modes and may refuse */
    if (fsync(p->fd) < 0)
        return err_os(errno, "write %s", p->path);
    unlink_notes(p->path);
    if (rename(p->part, p->path) < 0)
        return err_os(errno, "write %s", p->path);
    own_close(&p->fd);
    p->fd = -1;
    return file_sync_parent(AT_FDCWD, p->path);
}

void partial_clean(const char *path)
{
    OWN_FREE char *part = str_fmt("%s.part", path);
    OWN_FD int fd = part ? open(part, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        return;
    unlink_notes(path);
    unlink_beside(path, ".part");
}

void partial_done(struct partial *p)
{
    if (p->fd >= 0 && !can_go_on(p)) {
        unlink_notes(p->path);
        (void)unlink(p->part);
    }
    own_close(&p->fd);
    free(p->path);
    free(p->part);
    free(p->state);
    free(p->have);
}
