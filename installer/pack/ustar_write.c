#include "pack/ustar_write.h"

#include "base/file.h"
#include "pack/ustar.h"

#include <string.h>

static const unsigned char zeros[2 * USTAR_BLOCK];

struct err *ustar_write_header(int fd, const char *name, uint64_t size, int64_t mtime)
{
    struct ustar_entry e = {.size = size, .mtime = mtime};
    unsigned char block[USTAR_BLOCK];
    size_t n = strlen(name);
    if (n > USTAR_NAME_MAX)
        return err_new(ERR_FAILED, "\"%s\" is longer than 100 bytes", name);
    memcpy(e.name, name, n);
    TRY(ustar_encode(block, &e));
    return fd_write_all(fd, block, sizeof block);
}

struct err *ustar_write_padding(int fd, uint64_t size)
{
    return fd_write_all(fd, zeros, ustar_padding(size));
}

struct err *ustar_write_member(int fd, const char *name, int64_t mtime, const void *p, size_t n)
{
    TRY(ustar_write_header(fd, name, n, mtime));
    TRY(fd_write_all(fd, p, n));
    return ustar_write_padding(fd, n);
}

struct err *ustar_write_end(int fd)
{
    return fd_write_all(fd, zeros, sizeof zeros);
}
