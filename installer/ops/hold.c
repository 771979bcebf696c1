#include "ops/hold.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { WHO_MAX = 300 };

static struct err *sign_in(int fd)
{
    char host[256] = "", who[WHO_MAX];
    (void)gethostname(host, sizeof host - 1);
    int n = snprintf(who, sizeof who, "pid %d on %s", (int)getpid(), host);
    if (ftruncate(fd, 0) < 0)
        return err_os(errno, "lock");
    return fd_write_all(fd, who, (size_t)n);
}

static struct err *held(int fd, const char *path)
{
    char who[WHO_MAX];
    ssize_t n = pread(fd, who, sizeof who, 0); /* it may be just being written: a name is a help, no more */
    return err_hint(
        err_new(ERR_REFUSED, "%s: another caisson changes this cluster: %.*s", path, n > 0 ? (int)n : 0, who),
        "wait until it has ended");
}

struct err *hold_cluster(int *ret_fd, const struct cluster *c)
{
    OWN_FREE char *dir = cluster_path(c, ".caisson"), *path = cluster_path(c, ".caisson/lock");
    if (!dir || !path)
        return err_os(ENOMEM, "lock");
    TRY(file_mkdirs(AT_FDCWD, dir, 0700));
    OWN_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_os(errno, "%s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? held(fd, path) : err_os(errno, "lock %s", path);
    TRY_CTX(sign_in(fd), "%s", path);
    *ret_fd = TAKE_FD(fd);
    return NULL;
}
