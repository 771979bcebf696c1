#include "run/helper_file.h"

#include "base/file.h"
#include "base/str.h"
#include "crypt/digest.h"
#include "helper_digest.h" /* made by the build: HELPER_DIGEST */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

const char *helper_file_digest(void)
{
    return HELPER_DIGEST;
}

static struct err *folder_of_program(char ret[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
    if (n < 0)
        return err_os(errno, "find this program's folder");
    ret[n] = '\0';
    char *slash = strrchr(ret, '/');
    if (slash)
        *slash = '\0';
    return NULL;
}

static struct err *check(int fd, uint64_t *ret_size)
{
    char hex[DIGEST_HEX];
    TRY(digest_fd(hex, fd, ret_size));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_os(errno, "read the helper");
    return str_eq(hex, HELPER_DIGEST) ? NULL : err_new(ERR_UNTRUSTED, "it is not the helper of this caisson");
}

struct err *helper_file_open(int *ret_fd, uint64_t *ret_size)
{
    char dir[PATH_MAX];
    TRY(folder_of_program(dir));
    OWN_FREE char *path = str_fmt("%s/caisson-node", dir);
    if (!path)
        return err_os(ENOMEM, "path of the helper");
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_hint(err_os(errno, "%s", path),
                        "caisson-node belongs beside caisson; unpack the whole release tarball");
    struct err *e = check(fd, ret_size);
    if (e)
        return err_hint(err_wrap(e, "%s", path), "take caisson and caisson-node from the same release");
    *ret_fd = TAKE_FD(fd);
    return NULL;
}
