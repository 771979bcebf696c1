#include "run/helper_file.h"

#include "base/file.h"
#include "base/str.h"
#include "crypt/digest.h"
#include "helper_digest.h" /* made by the build: HELPER_DIGEST */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>

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

struct err *helper_file_read(struct buf *out)
{
    char dir[PATH_MAX], hex[DIGEST_HEX];
    TRY(folder_of_program(dir));
    OWN_FREE char *path = str_fmt("%s/caisson-node", dir);
    if (!path)
        return err_os(ENOMEM, "path of the helper");
    struct err *e = file_read(out, AT_FDCWD, path);
    if (e)
        return err_hint(e, "caisson-node belongs beside caisson; unpack the whole release tarball");
    TRY(digest_hex(hex, out->at, out->len));
    if (!str_eq(hex, HELPER_DIGEST))
        return err_hint(err_new(ERR_UNTRUSTED, "%s is not the helper of this caisson", path),
                        "take caisson and caisson-node from the same release");
    return NULL;
}
