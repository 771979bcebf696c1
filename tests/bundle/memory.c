#include "memory.h"

#include <stdlib.h>
#include <string.h>

struct memory {
    struct source source; /* first: the one is the other */
    const char *at;
};

static void close_nothing(struct source *s)
{
    (void)s;
}

static struct err *read_some(size_t *ret, const struct source *s, void *p, size_t n, uint64_t offset)
{
    const struct memory *m = (const struct memory *)s;
    uint64_t left = offset < s->size ? s->size - offset : 0;
    *ret = n < left ? n : (size_t)left;
    if (*ret)
        memcpy(p, m->at + offset, *ret);
    return NULL;
}

/* In one block, or as much of it as there is. */
static struct err *stream(const struct source *s, uint64_t offset, uint64_t n, source_sink sink, void *self)
{
    const struct memory *m = (const struct memory *)s;
    if (offset > s->size || n > s->size - offset)
        return err_new(ERR_UNTRUSTED, "E_TRUNCATED: the file ends at byte %llu", (unsigned long long)s->size);
    return n ? sink(self, m->at + offset, (size_t)n) : NULL;
}

struct source *memory_source(const void *p, size_t n)
{
    static const struct source_ops ops = {.close = close_nothing, .read = read_some, .stream = stream};
    struct memory *m = calloc(1, sizeof *m);
    if (!m || !(m->source.path = strdup("memory")))
        abort();
    m->source.ops = &ops;
    m->source.size = n;
    m->source.streams = 1;
    m->at = p;
    return &m->source;
}
