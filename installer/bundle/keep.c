#include "bundle/keep.h"

#include "base/file.h"
#include "pack/ustar_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static struct err *write_head(const struct bundle *b, int folder)
{
    OWN_FD int fd = -1;
    TRY(store_create(&fd, folder, "head"));
    return err_wrap(bundle_head_write(b, false, fd), "head");
}

static struct err *write_bytes(int folder, const char *name, const struct buf *bytes)
{
    OWN_FD int fd = -1;
    TRY(store_create(&fd, folder, name));
    return err_wrap(fd_write_all(fd, bytes->at, bytes->len), "%s", name);
}

static struct err *write_index(const struct bundle *b, int folder)
{
    OWN_BUF struct buf text = {0};
    TRY(bundle_read(&text, b, b->members.at[0].hex));
    return write_bytes(folder, "index.json", &text);
}

static struct err *write_headers(const struct bundle *b, int folder)
{
    OWN_BUF struct buf all = {0};
    TRY(buf_reserve(&all, b->members.n * USTAR_BLOCK));
    for (size_t i = 0; i < b->members.n; i++) {
        const struct member *m = &b->members.at[i];
        struct ustar_entry e = {.size = m->size, .mtime = b->mtime};
        unsigned char block[USTAR_BLOCK];
        (void)snprintf(e.name, sizeof e.name, "%s", m->path);
        TRY(ustar_encode(block, &e));
        TRY(buf_add(&all, block, sizeof block));
    }
    return write_bytes(folder, "headers", &all);
}

struct err *keep_write(const struct store_dir *s, const struct bundle *b)
{
    if (mkdirat(s->tmp, b->digest, 0755) < 0)
        return err_os(errno, "create folder %s", b->digest);
    OWN_FD int folder = openat(s->tmp, b->digest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return err_os(errno, "open %s", b->digest);
    TRY(write_head(b, folder));
    TRY(write_index(b, folder));
    return write_headers(b, folder);
}

enum { OLD_NAME = 64 + sizeof STORE_OLD };

static void old_name(char ret[OLD_NAME], const char *name)
{
    (void)snprintf(ret, OLD_NAME, "%.64s" STORE_OLD, name);
}

/*
 * Where the file system knows no other way: the old one goes to tmp/ whole. After a power cut there the next one to
 * open the store puts it back (store_dir.c).
 */
static struct err *swap_by_hand(const struct store_dir *s, const char *name)
{
    char old[OLD_NAME];
    old_name(old, name);
    if (renameat(s->releases, name, s->tmp, old) < 0 && errno != ENOENT)
        return err_os(errno, "rename %s", name);
    if (renameat(s->tmp, name, s->releases, name) == 0)
        return NULL;
    struct err *e = err_os(errno, "rename %s", name);
    (void)renameat(s->tmp, old, s->releases, name); /* the old one stays listed */
    return e;
}

/* In place of the same release, whose head may have had other signatures. Not every file system can exchange. */
static struct err *swap(const struct store_dir *s, const char *name)
{
    if (renameat2(s->tmp, name, s->releases, name, RENAME_NOREPLACE) == 0 ||
        (errno == EEXIST && renameat2(s->tmp, name, s->releases, name, RENAME_EXCHANGE) == 0))
        return NULL;
    if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
        return swap_by_hand(s, name);
    return err_os(errno, "rename %s", name);
}

/* Nobody knows whether the new one would stay: it is listed no more, and what was before it is again. */
static void swap_back(const struct store_dir *s, const char *name)
{
    char old[OLD_NAME];
    old_name(old, name);
    if (renameat2(s->releases, name, s->tmp, name, RENAME_EXCHANGE) == 0)
        return;
    (void)renameat(s->releases, name, s->tmp, name);
    (void)renameat(s->tmp, old, s->releases, name);
}

struct err *keep_list(const struct store_dir *s, const struct bundle *b, const struct doc *receipt)
{
    OWN_BUF struct buf text = {0};
    OWN_FD int folder = openat(s->tmp, b->digest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return err_os(errno, "open %s", b->digest);
    TRY(doc_json_write(&text, receipt));
    TRY(write_bytes(folder, "receipt.json", &text));
    if (syncfs(s->fd) < 0)
        return err_os(errno, "write to the disk");
    TRY(swap(s, b->digest));
    if (fsync(s->releases) == 0)
        return NULL;
    struct err *e = err_os(errno, "write to the disk");
    swap_back(s, b->digest);
    return e;
}
