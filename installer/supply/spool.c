#include "supply/spool.h"

#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { SPOOL_BYTES = 64 << 10 };

/* Where a file system cannot make one without a name, it loses the name at once. */
struct err *spool_file(int *ret_fd, const char *dir)
{
    OWN_FREE char *path = NULL;
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        path = str_fmt("%s/scratch.XXXXXX", dir);
        fd = path ? mkostemp(path, O_CLOEXEC) : -1;
        if (fd >= 0)
            (void)unlink(path);
    }
    if (fd < 0)
        return err_os(errno, "make a file in %s", dir);
    *ret_fd = fd;
    return NULL;
}

struct err *spool_new(struct spool **ret, const char *dir)
{
    OWN_SPOOL struct spool *s = calloc(1, sizeof *s);
    if (!s)
        return err_os(ENOMEM, "scratch file");
    s->fd = -1;
    TRY(spool_file(&s->fd, dir));
    *ret = TAKE(s);
    return NULL;
}

void spool_free(struct spool *s)
{
    if (!s)
        return;
    own_close(&s->fd);
    buf_done(&s->tail);
    free(s);
}

struct err *spool_add(struct spool *s, const void *p, size_t n)
{
    TRY(buf_add(&s->tail, p, n));
    s->size += n;
    return s->tail.len < SPOOL_BYTES ? NULL : spool_flush(s);
}

struct err *spool_str(struct spool *s, const char *text)
{
    return spool_add(s, text, strlen(text));
}

struct err *spool_json(struct spool *s, const struct doc *d)
{
    size_t before = s->tail.len;
    TRY(doc_json_write(&s->tail, d));
    s->size += s->tail.len - before;
    return s->tail.len < SPOOL_BYTES ? NULL : spool_flush(s);
}

struct err *spool_read(const struct spool *s, void *p, size_t n, uint64_t at)
{
    size_t got = 0;
    TRY_CTX(fd_read_at(&got, s->fd, p, n, at), "scratch file");
    return got == n ? NULL : err_new(ERR_FAILED, "scratch file: ends too early");
}

struct err *spool_flush(struct spool *s)
{
    TRY(fd_write_all(s->fd, s->tail.at, s->tail.len));
    s->tail.len = 0;
    return NULL;
}

struct err *spool_copy(struct spool *s, int out_fd)
{
    char chunk[16 << 10];
    size_t n;
    TRY(spool_flush(s));
    for (uint64_t at = 0; at < s->size; at += n) {
        n = s->size - at < sizeof chunk ? (size_t)(s->size - at) : sizeof chunk;
        TRY(spool_read(s, chunk, n, at));
        TRY(fd_write_all(out_fd, chunk, n));
    }
    return NULL;
}

struct err *spool_append(struct spool *s, struct spool *from)
{
    TRY(spool_flush(s));
    TRY(spool_copy(from, s->fd));
    s->size += from->size;
    return NULL;
}

struct err *spool_digest(char ret[DIGEST_HEX], struct spool *s)
{
    TRY(spool_flush(s));
    if (lseek(s->fd, 0, SEEK_SET) < 0)
        return err_os(errno, "scratch file");
    return digest_fd(ret, s->fd, NULL); /* which stands at its end again */
}

struct err *spool_cut(struct spool *s, uint64_t size)
{
    TRY(spool_flush(s));
    if (ftruncate(s->fd, (off_t)size) < 0 || lseek(s->fd, 0, SEEK_END) < 0)
        return err_os(errno, "scratch file");
    s->size = size;
    return NULL;
}
