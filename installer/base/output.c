#include "base/output.h"

#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

struct err *output_space(int fd, const char *path, uint64_t bytes)
{
    struct statvfs st;
    char want[24], have[24];
    if (fstatvfs(fd, &st) < 0)
        return err_os(errno, "free space for %s", path);
    uint64_t room = (uint64_t)st.f_bavail * st.f_frsize;
    if (bytes <= room)
        return NULL;
    str_size(want, bytes);
    str_size(have, room);
    return err_hint(err_new(ERR_FAILED, "%s: E_SPACE: %s are needed, %s are free", path, want, have),
                    "make room, or choose another folder: --out");
}

/* A file without a name in the folder of `path`; false when that cannot be. */
static bool open_nameless(struct output *o)
{
    OWN_FREE char *copy = strdup(o->path);
    o->fd = copy && access("/proc/self/fd", X_OK) == 0 ? open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, 0644) : -1;
    if (o->fd >= 0)
        o->tmp = str_fmt("/proc/self/fd/%d", o->fd);
    return o->tmp;
}

static struct err *open_named(struct output *o)
{
    o->tmp = str_fmt("%s.new", o->path);
    if (!o->tmp)
        return err_os(ENOMEM, "write %s", o->path);
    (void)unlink(o->tmp); /* left by a killed run; made new, so that its owner and mode are ours from the start */
    o->named = true;
    o->fd = open(o->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (o->fd < 0)
        return err_hint(err_as(err_os(errno, "create %s", o->tmp), ERR_USAGE),
                        "does its folder exist, and may you write there?");
    return NULL;
}

/* What has the name goes away in the end: a device, a folder or a link is not meant to. */
static struct err *must_be_replaceable(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
        return NULL;
    return err_hint(err_new(ERR_USAGE, "write %s: there is something that is no file", path), "choose another name");
}

struct err *output_open(struct output *o, const char *path, uint64_t bytes)
{
    *o = (struct output){.fd = -1, .path = strdup(path)};
    if (!o->path)
        return err_os(ENOMEM, "write %s", path);
    TRY(must_be_replaceable(path));
    if (!open_nameless(o))
        TRY(open_named(o));
    return output_space(o->fd, path, bytes);
}

/* Its first name: its own, or beside the file that it will replace. */
static struct err *give_name(struct output *o)
{
    OWN_FREE char *beside = str_fmt("%s.new", o->path);
    if (!beside)
        return err_os(ENOMEM, "write %s", o->path);
    (void)unlink(beside); /* left by a killed run */
    if (linkat(AT_FDCWD, o->tmp, AT_FDCWD, o->path, AT_SYMLINK_FOLLOW) == 0)
        return NULL;
    if (linkat(AT_FDCWD, o->tmp, AT_FDCWD, beside, AT_SYMLINK_FOLLOW) < 0)
        return err_os(errno, "create %s", beside);
    free(o->tmp);
    o->tmp = TAKE(beside);
    o->named = true;
    return NULL;
}

struct err *output_commit(struct output *o)
{
    (void)fchmod(o->fd, 0644); /* whatever the umask says; FAT has no modes and may refuse */
    if (fsync(o->fd) < 0)
        return err_os(errno, "write %s", o->path);
    if (!o->named)
        TRY(give_name(o));
    if (o->named && rename(o->tmp, o->path) < 0)
        return err_os(errno, "write %s", o->path);
    o->named = false;
    return file_sync_parent(AT_FDCWD, o->path);
}

void output_done(struct output *o)
{
    own_close(&o->fd);
    if (o->named)
        (void)unlink(o->tmp);
    free(o->tmp);
    free(o->path);
}
