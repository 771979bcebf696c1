#include "bundle/stored.h"

#include "base/file.h"
#include "base/str.h"
#include "bundle/format.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct stored {
    struct source s;
    struct stat st; /* of the folder */
    int fd, store;  /* the release's folder and the store's */
    uint64_t head;  /* bytes of it */
    uint64_t *at;   /* where each member begins, and the end mark */
    struct headers h;
};

/* ---- headers ---- */

static struct err *check_header(size_t i, const unsigned char *block)
{
    struct ustar_entry e = {0};
    struct err *bad = ustar_decode(&e, block);
    if (!bad && (i ? !headers_hex(&e) : strcmp(e.name, "index.json") != 0))
        bad = err_new(ERR_FAILED, "%s does not belong there", e.name);
    return bad ? err_as(err_wrap(bad, "E_STORE: headers, block %zu", i), ERR_FAILED) : NULL;
}

struct err *headers_read(struct headers *ret, int fd)
{
    OWN_BUF struct buf text = {.max = (size_t)FORMAT_MEMBERS_MAX * USTAR_BLOCK};
    TRY_CTX(file_read(&text, fd, "headers"), "E_STORE");
    if (!text.len || text.len % USTAR_BLOCK)
        return err_new(ERR_FAILED, "E_STORE: headers: %zu bytes are no whole blocks", text.len);
    for (size_t i = 0; i < text.len / USTAR_BLOCK; i++)
        TRY(check_header(i, (const unsigned char *)text.at + i * USTAR_BLOCK));
    ret->n = text.len / USTAR_BLOCK;
    ret->at = (unsigned char *)buf_take(&text);
    return NULL;
}

void headers_entry(struct ustar_entry *ret, const struct headers *h, size_t i)
{
    *ret = (struct ustar_entry){0};
    err_ignore(ustar_decode(ret, h->at + i * USTAR_BLOCK)); /* headers_read() has seen that it can */
}

const char *headers_hex(const struct ustar_entry *e)
{
    bool blob = str_starts(e->name, STORE_BLOBS "/") && str_is_sha256(e->name + sizeof STORE_BLOBS);
    return blob ? e->name + sizeof STORE_BLOBS : NULL;
}

void headers_done(struct headers *h)
{
    free(h->at);
}

/* ---- read ---- */

/* The member at or before `offset`; the last one is the end mark. */
static size_t member_at(const struct stored *s, uint64_t offset)
{
    size_t low = 0, high = s->h.n;
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (s->at[middle] <= offset)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static struct err *read_at(size_t *ret, int fd, void *p, size_t n, uint64_t offset)
{
    return err_wrap(fd_read_at(ret, fd, p, n, offset), "E_STORE");
}

static struct err *read_file(size_t *ret, const struct stored *s, const struct ustar_entry *e, void *p, size_t n,
                             uint64_t offset)
{
    struct stat st;
    OWN_FD int fd = openat(headers_hex(e) ? s->store : s->fd, e->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return err_hint(err_new(ERR_UNTRUSTED, "E_MISSING: the store has no %s", e->name), "%s", s->s.cure);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_os(errno, "E_STORE: %s", e->name);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != e->size)
        return err_hint(err_new(ERR_UNTRUSTED, "E_SIZE: the store's %s has %lld bytes, not %llu", e->name,
                                (long long)st.st_size, (unsigned long long)e->size),
                        "%s", s->s.cure);
    return read_at(ret, fd, p, n, offset);
}

static size_t least(size_t n, uint64_t left)
{
    return n < left ? n : (size_t)left;
}

static struct err *read_member(size_t *ret, const struct stored *s, size_t i, void *p, size_t n, uint64_t offset)
{
    struct ustar_entry e;
    headers_entry(&e, &s->h, i);
    if (offset < USTAR_BLOCK) {
        *ret = least(n, USTAR_BLOCK - offset);
        memcpy(p, s->h.at + i * USTAR_BLOCK + offset, *ret);
        return NULL;
    }
    offset -= USTAR_BLOCK;
    if (offset < e.size)
        return read_file(ret, s, &e, p, least(n, e.size - offset), offset);
    *ret = least(n, e.size + ustar_padding(e.size) - offset);
    memset(p, 0, *ret);
    return NULL;
}

static struct err *stored_read(size_t *ret, const struct source *source, void *p, size_t n, uint64_t offset)
{
    const struct stored *s = (const struct stored *)source;
    *ret = 0;
    if (offset < s->head) {
        OWN_FD int fd = openat(s->fd, "head", O_RDONLY | O_CLOEXEC);
        return fd < 0 ? err_os(errno, "E_STORE: %s/head", source->path)
                      : read_at(ret, fd, p, least(n, s->head - offset), offset);
    }
    if (offset >= source->size)
        return NULL;
    size_t i = member_at(s, offset);
    if (i < s->h.n)
        return read_member(ret, s, i, p, least(n, s->at[i + 1] - offset), offset - s->at[i]);
    *ret = least(n, source->size - offset);
    memset(p, 0, *ret);
    return NULL;
}

/* ---- open ---- */

static struct err *open_folder(struct stored *s, const char *path)
{
    struct stat st;
    s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &s->st) < 0)
        return err_as(err_os(errno, "bundle %s", s->s.path), ERR_USAGE);
    if (fstatat(s->fd, "head", &st, 0) < 0 || !S_ISREG(st.st_mode))
        return err_hint(err_new(ERR_USAGE, "bundle %s: a folder, but no release of a store", s->s.path),
                        "STORE/releases/DIGEST is one: see caisson bundle list");
    s->head = (uint64_t)st.st_size;
    s->store = openat(s->fd, "../..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return s->store < 0 ? err_os(errno, "bundle %s", s->s.path) : NULL;
}

static struct err *place_members(struct stored *s)
{
    struct ustar_entry e;
    s->at = calloc(s->h.n + 1, sizeof *s->at);
    if (!s->at)
        return err_os(ENOMEM, "bundle %s", s->s.path);
    s->at[0] = s->head;
    for (size_t i = 0; i < s->h.n; i++) {
        headers_entry(&e, &s->h, i);
        if (__builtin_add_overflow(s->at[i], ustar_span(e.size), &s->at[i + 1]) || s->at[i + 1] > INT64_MAX / 2)
            return err_new(ERR_FAILED, "%s: E_STORE: headers: sizes beyond 2^62", s->s.path);
    }
    s->s.size = s->at[s->h.n] + 2 * (uint64_t)USTAR_BLOCK;
    return NULL;
}

static void stored_close(struct source *source)
{
    struct stored *s = (struct stored *)source;
    own_close(&s->fd);
    own_close(&s->store);
    headers_done(&s->h);
    free(s->at);
}

static bool stored_is_file(const struct source *source, const char *path)
{
    const struct stored *s = (const struct stored *)source;
    struct stat st;
    return stat(path, &st) == 0 && st.st_dev == s->st.st_dev && st.st_ino == s->st.st_ino;
}

static const struct source_ops stored_ops = {.close = stored_close, .read = stored_read, .is_file = stored_is_file};

struct err *stored_open(struct source **ret, const char *path, const char *name)
{
    struct stored *s = calloc(1, sizeof *s);
    if (!s)
        return err_os(ENOMEM, "bundle %s", name);
    OWN_SOURCE struct source *own = &s->s;
    s->fd = s->store = -1;
    s->s = (struct source){.ops = &stored_ops,
                           .path = strdup(name),
                           .streams = 1,
                           .cure = "the store was damaged; `caisson bundle ingest` of that release mends it"};
    if (!s->s.path)
        return err_os(ENOMEM, "bundle %s", name);
    TRY(open_folder(s, path));
    TRY(err_hint(err_wrap(headers_read(&s->h, s->fd), "%s", name), "%s", s->s.cure));
    TRY(place_members(s));
    *ret = TAKE(own);
    return NULL;
}
