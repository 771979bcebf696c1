#include "supply/output.h"

#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
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

struct err *output_open(struct output *o, const char *path, uint64_t bytes)
{
    *o = (struct output){.fd = -1, .path = strdup(path)};
    o->tmp = str_fmt("%s.new", path);
    if (!o->path || !o->tmp)
        return err_os(ENOMEM, "write %s", path);
    (void)unlink(o->tmp); /* left by a killed run; made new, so that its owner and mode are ours from the start */
    o->fd = open(o->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (o->fd < 0)
        return err_hint(err_as(err_os(errno, "create %s", o->tmp), ERR_USAGE),
                        "does its folder exist, and may you write there?");
    return output_space(o->fd, path, bytes);
}

struct err *output_commit(struct output *o)
{
    (void)fchmod(o->fd, 0644); /* whatever the umask says; FAT has no modes and may refuse */
    if (fsync(o->fd) < 0 || rename(o->tmp, o->path) < 0)
        return err_os(errno, "write %s", o->path);
    free(TAKE(o->tmp));
    return file_sync_parent(AT_FDCWD, o->path);
}

void output_done(struct output *o)
{
    own_close(&o->fd);
    if (o->tmp)
        (void)unlink(o->tmp);
    free(o->tmp);
    free(o->path);
}
