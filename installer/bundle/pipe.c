#include "bundle/pipe.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

enum { PIPE_BYTES = 1 << 20 };

struct flow {
    int fd;
    const struct cancel *cancel;
    uint64_t at;     /* bytes that came */
    struct buf kept; /* the first of them: the head, which has a limit and is read again */
    bool settled;    /* it is complete */
};

/* The source stays as it is; what flows is behind the pointer. One thread reads it. */
struct pipe_source {
    struct source s;
    struct flow *flow;
};

static void pipe_close(struct source *s)
{
    struct flow *f = ((struct pipe_source *)s)->flow;
    if (!f)
        return;
    own_close(&f->fd);
    buf_done(&f->kept);
    free(f);
}

/* The next bytes, at most `n`; 0 at the end. */
static struct err *next_bytes(size_t *ret, struct flow *f, void *p, size_t n)
{
    ssize_t r = -1;
    do {
        TRY(wait_fd(f->fd, POLLIN, -1, f->cancel));
        r = read(f->fd, p, n);
    } while (r < 0 && (errno == EINTR || errno == EAGAIN));
    if (r < 0)
        return err_os(errno, "read");
    if (!f->settled)
        TRY(buf_add(&f->kept, p, (size_t)r));
    f->at += (size_t)r;
    *ret = (size_t)r;
    return NULL;
}

/* Reads on to `offset` and drops what comes; *ret_end: it ends before. */
static struct err *skip_to(bool *ret_end, struct flow *f, uint64_t offset)
{
    char drop[1 << 16];
    *ret_end = false;
    while (f->at < offset && !*ret_end) {
        uint64_t left = offset - f->at;
        size_t r;
        TRY(next_bytes(&r, f, drop, left < sizeof drop ? (size_t)left : sizeof drop));
        *ret_end = r == 0;
    }
    return NULL;
}

static struct err *pipe_read(size_t *ret, const struct source *s, void *p, size_t n, uint64_t offset)
{
    struct flow *f = ((const struct pipe_source *)s)->flow;
    bool end;
    *ret = 0;
    if (offset < f->kept.len) {
        *ret = n < f->kept.len - offset ? n : (size_t)(f->kept.len - offset);
        memcpy(p, f->kept.at + offset, *ret);
        return NULL;
    }
    if (offset < f->at)
        return err_new(ERR_FAILED, "it can be read only once; byte %llu is gone", (unsigned long long)offset);
    TRY(skip_to(&end, f, offset));
    return end ? NULL : next_bytes(ret, f, p, n);
}

static void pipe_settle(const struct source *s)
{
    ((const struct pipe_source *)s)->flow->settled = true;
}

static const struct source_ops pipe_ops = {.close = pipe_close, .read = pipe_read, .settle = pipe_settle};

struct err *pipe_open(struct source **ret, int fd, const char *name, const struct cancel *c)
{
    struct pipe_source *s = calloc(1, sizeof *s);
    if (!s)
        return err_os(ENOMEM, "%s", name);
    OWN_SOURCE struct source *own = &s->s;
    s->s = (struct source){.ops = &pipe_ops,
                           .path = strdup(name),
                           .size = SOURCE_SIZE_UNKNOWN,
                           .one_pass = true,
                           .streams = 1,
                           .cure = "it was damaged on its way; send it again"};
    s->flow = calloc(1, sizeof *s->flow);
    if (!s->s.path || !s->flow)
        return err_os(ENOMEM, "%s", name);
    *s->flow = (struct flow){.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3), .cancel = c};
    if (s->flow->fd < 0)
        return err_as(err_os(errno, "%s", name), ERR_USAGE);
    (void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* fewer, larger reads; not every file is a pipe */
    *ret = TAKE(own);
    return NULL;
}
