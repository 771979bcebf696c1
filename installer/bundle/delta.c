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

struct err *delta_find(size_t *i, const struct members *m, const struct walk *w)
{
    size_t at = *i;
    while (at < m->n && strcmp(m->at[at].path, w->entry.name) != 0)
        at++;
    if (at == m->n)
        return no_place(m, w->entry.name);
    if (m->at[at].size != w->entry.size)
        return err_new(ERR_UNTRUSTED, "E_SIZE: %llu bytes, release.json says %llu", (unsigned long long)w->entry.size,
                       (unsigned long long)m->at[at].size);
    *i = at;
    return NULL;
}

struct err *delta_places(struct members *m, const struct source *source, int64_t mtime)
{
    struct walk w = {.source = source, .next = m->at[0].at, .mtime = mtime};
    bool end;
    for (size_t i = 0;; i++) {
        size_t from = i;
        TRY(walk_next(&end, &w));
        if (end)
            i = m->n;
        else
            TRY(walk_place(delta_find(&i, m, &w), &w));
        while (from < i)
            m->at[from++].at = 0;
        if (end)
            break;
        m->at[i].at = w.at;
    }
    m->end_at = w.at;
    return NULL;
}
