#include "bundle/source.h"

#include "bundle/pieces.h"

#include <errno.h>

enum { CHUNK = 1 << 20 };

struct err *source_open(struct source **ret, const char *path)
{
    return pieces_open(ret, path);
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
