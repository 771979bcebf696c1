#include "bundle/store_dir.h"

#include "base/file.h"
#include "base/str.h"
#include "crypt/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

struct err *store_fault(const char *path, struct err *e)
{
    int sys = e ? err_errno(e) : 0;
    if (!sys)
        return err_wrap(e, "store %s", path);
    bool full = sys == ENOSPC || sys == EDQUOT;
    e = err_wrap(e, "store %s: %s", path, full ? "E_SPACE" : "E_STORE");
    if (full)
        return err_hint(e, "make room there and run it again: what is complete in the store is kept");
    if (err_hint_text(e)) /* who found it knows more */
        return e;
    return err_hint(e, "may you write there? --store DIR chooses another folder");
}

struct err *store_create(int *ret_fd, int dirfd, const char *name)
{
    *ret_fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    return *ret_fd < 0 ? err_os(errno, "create %s", name) : NULL;
}

/* ---- open ---- */

/* A folder with other things in it was meant for something else. */
static struct err *check_foreign(void *self, const char *name)
{
    (void)self;
    if (strcmp(name, "lost+found") == 0)
        return NULL;
    return err_hint(err_new(ERR_USAGE, "a folder with other things in it, such as %s, and no store", name),
                    "choose an empty folder, or one that is not there yet: --store DIR");
}

static struct err *open_folder(struct store_dir *s, bool make)
{
    struct stat st;
    if (make)
        TRY(file_mkdirs(AT_FDCWD, s->path, 0755));
    s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->fd < 0 && errno != ENOENT)
        return err_os(errno, "open");
    if (s->fd >= 0 && fstatat(s->fd, STORE_FORMAT_FILE, &st, 0) == 0)
        return NULL;
    return make ? folder_each(s->fd, check_foreign, s)
                : err_hint(err_new(ERR_USAGE, "no store is there"), "caisson bundle ingest makes one");
}

/* The file that says what the folder is, is its lock too; it is never replaced. */
static struct err *take_lock(struct store_dir *s)
{
    OWN_BUF struct buf text = {.max = 64};
    s->lock = openat(s->fd, STORE_FORMAT_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (s->lock < 0)
        return err_os(errno, "open %s", STORE_FORMAT_FILE);
    if (flock(s->lock, LOCK_EX | LOCK_NB) < 0)
        return errno != EWOULDBLOCK
                   ? err_os(errno, "lock")
                   : err_hint(err_new(ERR_REFUSED, "another caisson writes into it"), "wait until it is done");
    TRY(fd_read_all(s->lock, &text));
    if (!text.len)
        return fd_write_all(s->lock, STORE_FORMAT, strlen(STORE_FORMAT));
    if (strcmp(buf_text(&text), STORE_FORMAT) == 0)
        return NULL;
    return err_hint(err_new(ERR_FAILED, "E_STORE: a store of another format"), "it needs a newer caisson than %s",
                    CAISSON_VERSION);
}

/* No links: what lies in tmp/ is removed, and the file system that is synced is that of the store. */
static struct err *open_inner(int *ret_fd, int dirfd, const char *name)
{
    TRY(file_mkdirs(dirfd, name, 0755));
    *ret_fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *ret_fd < 0 ? err_hint(err_os(errno, "open %s", name), "a store's own folders are no links") : NULL;
}

static struct err *open_all(struct store_dir *s, bool make)
{
    OWN_FD int above = -1;
    TRY(open_folder(s, make));
    TRY(take_lock(s));
    TRY(open_inner(&above, s->fd, "blobs"));
    TRY(open_inner(&s->blobs, above, "sha256"));
    TRY(open_inner(&s->releases, s->fd, STORE_RELEASES));
    TRY(open_inner(&s->tmp, s->fd, STORE_TMP));
    return NULL;
}

/* True for a release put aside (keep.c) whose place stayed empty, as a power cut leaves it; its digits into `hex`. */
static bool is_listed_no_more(char hex[DIGEST_HEX], const struct store_dir *s, const char *name)
{
    if (strlen(name) != DIGEST_HEX - 1 + strlen(STORE_OLD) || !str_ends(name, STORE_OLD))
        return false;
    (void)snprintf(hex, DIGEST_HEX, "%.64s", name);
    return !file_exists(s->releases, hex);
}

static struct err *clear_one(void *self, const char *name)
{
    const struct store_dir *s = self;
    char hex[DIGEST_HEX];
    if (!is_listed_no_more(hex, s, name))
        return file_remove_tree(s->tmp, name);
    return renameat(s->tmp, name, s->releases, hex) < 0 ? err_os(errno, "rename %s", name) : NULL;
}

struct err *store_dir_open(struct store_dir *s, const char *path, bool make)
{
    s->path = path;
    TRY(store_fault(path, open_all(s, make)));
    return store_fault(path, folder_each(s->tmp, clear_one, s));
}

void store_dir_done(struct store_dir *s)
{
    if (s->tmp >= 0)
        err_ignore(folder_each(s->tmp, clear_one, s)); /* the next one to come does it again */
    own_close(&s->tmp);
    own_close(&s->releases);
    own_close(&s->blobs);
    own_close(&s->lock);
    own_close(&s->fd);
}
