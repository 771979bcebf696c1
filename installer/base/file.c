#include "base/file.h"

#include "base/clock.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct err *fd_write_all(int fd, const void *p, size_t n)
{
    for (const char *at = p; n;) {
        ssize_t w = write(fd, at, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return err_os(errno, "write");
        at += w;
        n -= (size_t)w;
    }
    return NULL;
}

struct err *socket_write_all(int fd, const void *p, size_t n, int64_t idle_ms, const struct cancel *c)
{
    for (const char *at = p; n;) {
        TRY(wait_fd(fd, POLLOUT, idle_ms < 0 ? -1 : clock_ms() + idle_ms, c));
        ssize_t w = send(fd, at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (w < 0 && errno != EINTR && errno != EAGAIN)
            return err_os(errno, "write");
        at += w > 0 ? w : 0;
        n -= w > 0 ? (size_t)w : 0;
    }
    return NULL;
}

struct err *fd_read_all(int fd, struct buf *out)
{
    char chunk[65536];
    for (;;) {
        ssize_t r = read(fd, chunk, sizeof chunk);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_os(errno, "read");
        if (r == 0)
            return NULL;
        TRY(buf_add(out, chunk, (size_t)r));
    }
}

struct err *fd_read_exact(int fd, void *p, size_t n, bool *ret_eof)
{
    size_t got = 0;
    if (ret_eof)
        *ret_eof = false;
    while (got < n) {
        ssize_t r = read(fd, (char *)p + got, n - got);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_os(errno, "read");
        if (r == 0 && got == 0 && ret_eof) {
            *ret_eof = true;
            return NULL;
        }
        if (r == 0)
            return err_new(ERR_FAILED, "read: ended after %zu of %zu bytes", got, n);
        got += (size_t)r;
    }
    return NULL;
}

struct err *fd_read_at(size_t *ret, int fd, void *p, size_t n, uint64_t offset)
{
    for (*ret = 0; *ret < n;) {
        ssize_t r = pread(fd, (char *)p + *ret, n - *ret, (off_t)(offset + *ret));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_os(errno, "read");
        if (r == 0)
            return NULL;
        *ret += (size_t)r;
    }
    return NULL;
}

struct err *file_read(struct buf *out, int dirfd, const char *name)
{
    OWN_FD int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_os(errno, "open %s", name);
    TRY_CTX(fd_read_all(fd, out), "%s", name);
    return NULL;
}

struct err *file_read_named(struct buf *out, const char *what, const char *path)
{
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_as(err_os(errno, "%s %s", what, path), ERR_USAGE);
    return err_as(err_wrap(fd_read_all(fd, out), "%s %s", what, path), ERR_USAGE);
}

/* The folder part of `name` ("." when none), in new memory. */
static char *parent_of(const char *name)
{
    OWN_FREE char *copy = strdup(name);
    return copy ? strdup(dirname(copy)) : NULL;
}

struct err *file_sync_parent(int dirfd, const char *name)
{
    OWN_FREE char *parent = parent_of(name);
    if (!parent)
        return err_os(ENOMEM, "sync folder of %s", name);
    OWN_FD int fd = openat(dirfd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_os(errno, "sync folder %s", parent);
    return NULL;
}

/* Waits until nobody else is at the file. A file system without locks does without. */
static void lock(int fd)
{
    while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
        continue;
}

static bool has_name(int fd, int dirfd, const char *name)
{
    struct stat own, there;
    return fstat(fd, &own) == 0 && fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           own.st_ino == there.st_ino && own.st_dev == there.st_dev;
}

/*
 * Takes away what a crash left at the name; who is at work there is waited for. False when it stays, as what cannot be
 * opened does: another account may be at work there. Nobody is at a link or a socket.
 */
static bool remove_left(int dirfd, const char *name)
{
    OWN_FD int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ELOOP && errno != ENXIO)
        return errno == ENOENT;
    if (fd >= 0)
        lock(fd);
    if (fd >= 0 && !has_name(fd, dirfd, name))
        return true;
    return unlinkat(dirfd, name, 0) == 0 || errno == ENOENT;
}

/*
 * Makes the file, locked: only who has its lock renames it or takes it away. It is new, so that its owner and mode are
 * ours from the start.
 */
static int create_locked(int dirfd, const char *name)
{
    for (;;) {
        int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno == EEXIST && remove_left(dirfd, name))
            continue;
        if (fd < 0)
            return fd;
        lock(fd);
        if (has_name(fd, dirfd, name))
            return fd;
        own_close(&fd);
    }
}

struct err *file_replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode)
{
    OWN_FREE char *tmp = str_fmt("%s.new", name);
    if (!tmp)
        return err_os(ENOMEM, "write %s", name);
    OWN_FD int fd = create_locked(dirfd, tmp);
    if (fd < 0)
        return err_os(errno, "create %s", tmp);
    struct err *e = fd_write_all(fd, p, n);
    if (!e && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
        e = err_os(errno, "write");
    bool ours = has_name(fd, dirfd, tmp); /* a file system without locks lets two in */
    if (!e && !ours)
        e = err_new(ERR_FAILED, "somebody took %s away", tmp);
    if (!e && renameat(dirfd, tmp, dirfd, name) < 0)
        e = err_os(errno, "replace");
    if (e && ours)
        (void)unlinkat(dirfd, tmp, 0);
    return e ? err_wrap(e, "%s", name) : file_sync_parent(dirfd, name);
}

struct err *folder_each(int fd, folder_visit visit, void *self)
{
    struct err *e = NULL;
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = own < 0 ? NULL : fdopendir(own);
    if (!dir) {
        e = err_os(errno, "read a folder");
        own_close(&own);
        return e;
    }
    for (struct dirent *d; !e && (errno = 0, d = readdir(dir));)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            e = visit(self, d->d_name);
    if (!e && errno) /* what cannot be seen is not gone */
        e = err_os(errno, "read a folder");
    (void)closedir(dir); /* closes own */
    return e;
}

struct err *file_mkdirs(int dirfd, const char *path, mode_t mode)
{
    OWN_FREE char *copy = strdup(path);
    if (!copy)
        return err_os(ENOMEM, "create folder %s", path);
    for (char *at = copy + (*copy == '/');; at++) {
        char c = *at;
        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        if (*copy && mkdirat(dirfd, copy, mode) < 0 && errno != EEXIST)
            return err_os(errno, "create folder %s", copy);
        if (c == '\0')
            return NULL;
        *at = c;
    }
}

/* Bind mounts of the same file system show the same device; the kernel (5.8) says it in an attribute. */
static bool is_mount_point(int dirfd, const char *name, dev_t parent, dev_t own)
{
    struct statx sx;
    if (own != parent)
        return true;
    if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &sx) < 0)
        return false; /* gone: the caller sees it too */
    return (sx.stx_attributes & sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0;
}

static struct err *remove_entries(int fd, dev_t dev);

static struct err *remove_at(int dirfd, const char *name, dev_t dev)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? NULL : err_os(errno, "stat %s", name);
    if (dev && is_mount_point(dirfd, name, dev, st.st_dev))
        return err_new(ERR_FAILED, "%s is a mount point", name);
    if (S_ISDIR(st.st_mode)) {
        OWN_FD int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return err_os(errno, "open %s", name);
        TRY_CTX(remove_entries(fd, st.st_dev), "%s", name);
    }
    if (unlinkat(dirfd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT)
        return err_os(errno, "delete %s", name);
    return NULL;
}

/* A folder whose entries go away. */
struct removal {
    int fd;
    dev_t dev;
};

static struct err *remove_entry(void *self, const char *name)
{
    const struct removal *r = self;
    return remove_at(r->fd, name, r->dev);
}

static struct err *remove_entries(int fd, dev_t dev)
{
    return folder_each(fd, remove_entry, &(struct removal){fd, dev});
}

struct err *file_remove_tree(int dirfd, const char *name)
{
    return remove_at(dirfd, name, 0);
}

bool file_exists(int dirfd, const char *name)
{
    return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
