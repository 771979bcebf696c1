/*
 * Unpacks node packages. The zstd frame is checked and bounded here; libarchive gets plain tar bytes from a callback.
 * It is more lenient than we are (warnings, other tar dialects, members behind the end): all that is refused.
 */
#include "pack/tree.h"

#include "base/file.h"
#include "base/str.h"
#include "pack/ustar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

enum { CHUNK = 256 << 10, FRAME_HEAD = 18 };

struct unpacker {
    int in_fd, dirfd;
    ZSTD_DCtx *zstd;
    struct archive *tar;
    char *in, *out; /* CHUNK bytes each */
    ZSTD_inBuffer rest;
    bool frame_done;
    bool starving; /* the decoder took all it was given, so it is the input's turn */
    uint64_t raw, raw_max;
    uint64_t zeros;      /* at the end of what was decoded so far */
    uint64_t expected;   /* size of an archive of the members so far, without end mark */
    struct err *failure; /* of the read callback */
};

static void unpacker_done(struct unpacker *u)
{
    if (u->tar)
        (void)archive_read_free(u->tar);
    (void)ZSTD_freeDCtx(u->zstd);
    free(u->in);
    free(u->out);
    err_free(u->failure);
}

/* As many bytes as there are, up to CHUNK. 0 at the end of file. */
static struct err *refill(struct unpacker *u)
{
    ssize_t n;
    do
        n = read(u->in_fd, u->in, CHUNK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_os(errno, "read package");
    u->rest = (ZSTD_inBuffer){.src = u->in, .size = (size_t)n};
    return NULL;
}

/* One standard frame that states its size, needs no dictionary, and fits. */
static struct err *check_frame(struct unpacker *u)
{
    bool eof;
    struct err *e = fd_read_exact(u->in_fd, u->in, FRAME_HEAD, &eof);
    if (e && err_errno(e) == 0)
        e = err_as(err_wrap(e, "E_DECODE: too short"), ERR_UNTRUSTED);
    TRY(e);
    if (eof || memcmp(u->in, "\x28\xb5\x2f\xfd", 4) != 0)
        return err_new(ERR_UNTRUSTED, "E_DECODE: not a zstd frame");
    unsigned long long size = ZSTD_getFrameContentSize(u->in, FRAME_HEAD);
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
        return err_new(ERR_UNTRUSTED, "E_DECODE: a frame without its size");
    if (ZSTD_getDictID_fromFrame(u->in, FRAME_HEAD) != 0)
        return err_new(ERR_UNTRUSTED, "E_DECODE: a frame that wants a dictionary");
    if (size > u->raw_max)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: %llu bytes unpacked, at most %llu are allowed", size,
                       (unsigned long long)u->raw_max);
    u->rest = (ZSTD_inBuffer){.src = u->in, .size = FRAME_HEAD};
    return NULL;
}

static void count_zeros(struct unpacker *u, size_t n)
{
    size_t tail = 0;
    while (tail < n && !u->out[n - 1 - tail])
        tail++;
    u->zeros = tail == n ? u->zeros + n : tail;
}

/* The next raw bytes into u->out; *ret is 0 at the end of the frame, which must be the end of the input. */
static struct err *decode(size_t *ret, struct unpacker *u)
{
    ZSTD_outBuffer out = {.dst = u->out, .size = CHUNK};
    while (!u->frame_done && out.pos == 0) {
        if (u->rest.pos == u->rest.size && u->starving) {
            TRY(refill(u));
            if (u->rest.size == 0)
                return err_new(ERR_UNTRUSTED, "E_DECODE: the frame is cut off");
        }
        size_t left = ZSTD_decompressStream(u->zstd, &out, &u->rest);
        if (ZSTD_isError(left))
            return err_new(ERR_UNTRUSTED, "E_DECODE: %s", ZSTD_getErrorName(left));
        u->frame_done = left == 0;
        u->starving = out.pos < out.size;
    }
    if (u->frame_done && u->rest.pos == u->rest.size)
        TRY(refill(u));
    if (u->frame_done && u->rest.pos < u->rest.size)
        return err_new(ERR_UNTRUSTED, "E_DECODE: bytes behind the frame");
    count_zeros(u, out.pos);
    u->raw += out.pos;
    if (u->raw > u->raw_max)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: more than %llu bytes unpacked", (unsigned long long)u->raw_max);
    *ret = out.pos;
    return NULL;
}

static la_ssize_t on_read(struct archive *a, void *self, const void **ret)
{
    struct unpacker *u = self;
    size_t n = 0;
    u->failure = decode(&n, u);
    if (u->failure) {
        archive_set_error(a, EIO, "stopped");
        return -1;
    }
    *ret = u->out;
    return (la_ssize_t)n;
}

static struct err *tar_err(struct unpacker *u)
{
    const char *why = archive_error_string(u->tar);
    return u->failure ? TAKE(u->failure) : err_new(ERR_UNTRUSTED, "E_HEADER: tar: %s", why ? why : "unknown trouble");
}

static struct err *set_up(struct unpacker *u)
{
    u->in = malloc(CHUNK);
    u->out = malloc(CHUNK);
    u->zstd = ZSTD_createDCtx();
    u->tar = archive_read_new();
    if (!u->in || !u->out || !u->zstd || !u->tar)
        return err_os(ENOMEM, "unpack");
    if (ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, TREE_WINDOW_LOG_MAX)))
        return err_new(ERR_FAILED, "zstd: window");
    TRY(check_frame(u));
    if (archive_read_support_format_tar(u->tar) != ARCHIVE_OK ||
        archive_read_open(u->tar, u, NULL, on_read, NULL) != ARCHIVE_OK)
        return tar_err(u);
    return NULL;
}

/* The folder that holds `path`, opened part by part without following links; *ret_name is the last part. */
static struct err *open_parent(int *ret_fd, const char **ret_name, int dirfd, const char *path)
{
    OWN_FD int at = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return err_os(errno, "open target folder");
    const char *part = path;
    for (const char *slash; (slash = strchr(part, '/')); part = slash + 1) {
        char name[256] = {0};
        memcpy(name, part, (size_t)(slash - part)); /* tree_check_path() bounded it */
        int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0 && (errno == ENOTDIR || errno == ELOOP || errno == ENOENT))
            return err_new(ERR_UNTRUSTED, "E_PATH: %s: \"%s\" is not a folder of the package", path, name);
        if (next < 0)
            return err_os(errno, "open %s", name);
        (void)close(at);
        at = next;
    }
    *ret_fd = TAKE_FD(at);
    *ret_name = part;
    return NULL;
}

/* What openat() and its like say about a member that is already there is the package's fault. */
static struct err *make_err(int sys, const char *path)
{
    if (sys == EEXIST)
        return err_new(ERR_UNTRUSTED, "E_PATH: %s is there twice", path);
    return err_os(sys, "create %s", path);
}

static struct err *make_file(struct unpacker *u, struct archive_entry *e, int parent, const char *name,
                             const char *path)
{
    const void *at;
    size_t n;
    la_int64_t offset, written = 0;
    OWN_FD int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return make_err(errno, path);
    for (int rc; (rc = archive_read_data_block(u->tar, &at, &n, &offset)) != ARCHIVE_EOF; written += (la_int64_t)n) {
        if (rc != ARCHIVE_OK)
            return tar_err(u);
        if (offset != written)
            return err_new(ERR_UNTRUSTED, "E_TYPE: %s has holes", path);
        TRY_CTX(fd_write_all(fd, at, n), "%s", path);
    }
    if (written != archive_entry_size(e))
        return err_new(ERR_UNTRUSTED, "E_SIZE: %s is cut off", path);
    return fchmod(fd, archive_entry_perm(e)) < 0 ? err_os(errno, "mode of %s", path) : NULL;
}

static struct err *make_link(struct archive_entry *e, int parent, const char *name, const char *path)
{
    const char *target = archive_entry_symlink(e);
    struct err *bad = target ? tree_check_link(path, target) : err_new(ERR_FAILED, "E_PATH: a link without target");
    if (bad)
        return err_as(bad, ERR_UNTRUSTED);
    return symlinkat(target, parent, name) < 0 ? make_err(errno, path) : NULL;
}

static struct err *check_entry(struct unpacker *u, struct archive_entry *e, const char *path)
{
    if (archive_format(u->tar) != ARCHIVE_FORMAT_TAR_USTAR)
        return err_new(ERR_UNTRUSTED, "E_HEADER: %s: not plain ustar", path);
    if (archive_entry_hardlink(e))
        return err_new(ERR_UNTRUSTED, "E_TYPE: %s is a hard link", path);
    if (archive_entry_perm(e) & ~(mode_t)0777)
        return err_new(ERR_UNTRUSTED, "E_PATH: %s: mode 0%o has more than permission bits", path,
                       (unsigned)archive_entry_perm(e));
    if (archive_entry_filetype(e) != AE_IFREG && archive_entry_size(e) != 0)
        return err_new(ERR_UNTRUSTED, "E_TYPE: %s is no file and has a size", path);
    return NULL;
}

static struct err *make_entry(struct unpacker *u, struct archive_entry *e)
{
    char path[256];
    const char *raw = archive_entry_pathname(e), *name = "";
    size_t n = raw ? strlen(raw) : 0;
    if (n == 0 || n >= sizeof path)
        return err_new(ERR_UNTRUSTED, "E_PATH: no name, or one of more than 255 bytes");
    memcpy(path, raw, n + 1);
    if (archive_entry_filetype(e) == AE_IFDIR && path[n - 1] == '/')
        path[n - 1] = '\0'; /* tar's mark of a folder */
    struct err *bad = tree_check_path(path);
    if (bad)
        return err_as(bad, ERR_UNTRUSTED);
    TRY(check_entry(u, e, path));
    OWN_FD int parent = -1;
    TRY(open_parent(&parent, &name, u->dirfd, path));
    switch (archive_entry_filetype(e)) {
    case AE_IFREG:
        return make_file(u, e, parent, name, path);
    case AE_IFLNK:
        return make_link(e, parent, name, path);
    case AE_IFDIR:
        if (mkdirat(parent, name, 0755) < 0)
            return make_err(errno, path);
        return fchmodat(parent, name, 0755, 0) < 0 ? err_os(errno, "mode of %s", path) : NULL;
    default:
        return err_new(ERR_UNTRUSTED, "E_TYPE: %s is no file, folder or link", path);
    }
}

/*
 * libarchive stops at the first zero block, takes a missing end mark for one, and skips extended headers silently. So
 * the size decides: one header and a padded body for each member, two zero blocks, nothing else.
 */
static struct err *check_end(struct unpacker *u)
{
    for (size_t n = 1; n;)
        TRY(decode(&n, u));
    if (u->raw != u->expected + 1024 || u->zeros < 1024)
        return err_new(ERR_UNTRUSTED, "E_TRAILING: %llu bytes for members of %llu", (unsigned long long)u->raw,
                       (unsigned long long)u->expected);
    return NULL;
}

struct err *tree_unpack(int in_fd, int dirfd, uint64_t raw_max)
{
    OWN(unpacker_done) struct unpacker u = {.in_fd = in_fd, .dirfd = dirfd, .raw_max = raw_max, .starving = true};
    TRY(set_up(&u));
    for (;;) {
        struct archive_entry *e;
        int rc = archive_read_next_header(u.tar, &e);
        if (rc == ARCHIVE_EOF)
            break;
        if (rc != ARCHIVE_OK)
            return tar_err(&u);
        u.expected += ustar_span((uint64_t)archive_entry_size(e));
        TRY(make_entry(&u, e));
    }
    TRY(check_end(&u));
    return syncfs(dirfd) < 0 ? err_os(errno, "sync package") : NULL;
}
