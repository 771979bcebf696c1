#include "bundle/source.h"

#include "bundle/pieces.h"
#include "bundle/pipe.h"
#include "bundle/stored.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK = 1 << 20 };

struct err *source_open(struct source **ret, const char *path)
{
    struct stat st;
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    return folder ? stored_open(ret, path, path) : pieces_open(ret, path);
}

struct err *source_open_once(struct source **ret, const char *path, const struct cancel *c)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        return pipe_open(ret, STDIN_FILENO, "standard input", c);
    if (stat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return source_open(ret, path);
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO opens before its writer comes */
    if (fd < 0)
        return err_as(err_os(errno, "bundle %s", path), ERR_USAGE);
    return pipe_open(ret, fd, path, c);
}

void source_free(struct source *s)
{
    if (!s)
        return;
    s->ops->close(s);
    free(s->path);
    free(s);
}

const char *source_path(const struct source *s)
{
    return s->path;
}

uint64_t source_size(const struct source *s)
{
    return s->size;
}

struct err *source_read(const struct source *s, void *p, size_t n, uint64_t offset)
{
    for (size_t got = 0, r = 0; got < n; got += r) {
        TRY(s->ops->read(&r, s, (char *)p + got, n - got, offset + got));
        if (r == 0)
            return err_new(ERR_UNTRUSTED, "E_TRUNCATED: the file ends at byte %llu", (unsigned long long)offset + got);
    }
    return NULL;
}

struct err *source_stream(const struct source *s, uint64_t offset, uint64_t n, source_sink sink, void *self)
{
    if (s->ops->stream)
        return s->ops->stream(s, offset, n, sink, self);
    OWN_FREE char *chunk = malloc(CHUNK);
    if (!chunk)
        return err_os(ENOMEM, "read %s", s->path);
    while (n > 0) {
        size_t part = n < CHUNK ? (size_t)n : CHUNK;
        TRY(source_read(s, chunk, part, offset));
        TRY(sink(self, chunk, part));
        offset += part;
        n -= part;
    }
    return NULL;
}

struct err *source_ends(bool *ret, const struct source *s, uint64_t offset)
{
    char byte;
    size_t r = 0;
    TRY(s->ops->read(&r, s, &byte, 1, offset));
    *ret = r == 0;
    return NULL;
}

void source_sequential(const struct source *s)
{
    if (s->ops->sequential)
        s->ops->sequential(s);
}

void source_settle(const struct source *s)
{
    if (s->ops->settle)
        s->ops->settle(s);
}

const char *source_cure(const struct source *s)
{
    return s->cure ? s->cure : "the file was damaged or changed; copy the bundle again";
}

bool source_is_file(const struct source *s, const char *path)
{
    return s->ops->is_file && s->ops->is_file(s, path);
}

struct err *source_blame(const struct source *s, struct err *e)
{
    struct err *better = e && err_kind(e) == ERR_UNTRUSTED && s->ops->blame ? s->ops->blame(s) : NULL;
    if (!better)
        return e;
    err_free(e);
    return better;
}
