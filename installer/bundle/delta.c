#include "bundle/delta.h"

#include "bundle/walk.h"

#include <string.h>

static struct err *no_place(const struct members *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->at[i].path, name) == 0)
            return err_new(ERR_UNTRUSTED, "E_ORDER: this member does not belong here");
    return err_new(ERR_UNTRUSTED, "E_EXTRA: not in release.json");
}

/* Goes from the i-th member of the release on to the one that `w` stands at. */
static struct err *find_place(size_t *i, struct members *m, const struct walk *w)
{
    size_t at = *i;
    while (at < m->n && strcmp(m->at[at].path, w->entry.name) != 0)
        m->at[at++].at = 0;
    if (at == m->n)
        return no_place(m, w->entry.name);
    if (m->at[at].size != w->entry.size)
        return err_new(ERR_UNTRUSTED, "E_SIZE: %llu bytes, release.json says %llu", (unsigned long long)w->entry.size,
                       (unsigned long long)m->at[at].size);
    m->at[at].at = w->at;
    *i = at + 1;
    return NULL;
}

struct err *delta_places(struct members *m, const struct source *source, int64_t mtime)
{
    struct walk w = {.source = source, .next = m->at[0].at, .mtime = mtime};
    size_t i = 0;
    bool end;
    for (;;) {
        TRY(walk_next(&end, &w));
        if (end)
            break;
        TRY(walk_place(find_place(&i, m, &w), &w));
    }
    for (; i < m->n; i++)
        m->at[i].at = 0;
    m->end_at = w.at;
    return NULL;
}
