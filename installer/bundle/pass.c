#include "bundle/pass.h"

#include "bundle/delta.h"

#include <string.h>

void pass_start(struct pass *p, const struct bundle *b)
{
    *p = (struct pass){.b = b, .w = {.source = b->source, .next = b->members.at[0].at, .mtime = b->mtime}};
}

/* True when the member `name` comes later in the file. */
static bool is_behind(const struct walk *w, const char *name)
{
    struct walk ahead = *w;
    bool end = false;
    struct err *e = NULL;
    do
        e = walk_next(&end, &ahead);
    while (!e && !end && strcmp(ahead.entry.name, name) != 0);
    bool found = !e && !end;
    err_free(e);
    return found;
}

/* The member that the file has where release.json wants `want`. */
static struct err *check_place(const struct bundle *b, const struct walk *w, const struct member *want)
{
    if (strcmp(w->entry.name, want->path) == 0)
        return w->entry.size == want->size ? NULL
                                           : err_new(ERR_UNTRUSTED, "E_SIZE: %llu bytes, release.json says %llu",
                                                     (unsigned long long)w->entry.size, (unsigned long long)want->size);
    for (size_t i = 0; i < b->members.n; i++)
        if (strcmp(w->entry.name, b->members.at[i].path) == 0)
            return err_new(ERR_UNTRUSTED,
                           is_behind(w, want->path) ? "E_ORDER: %s belongs here"
                                                    : "E_MISSING: %s belongs here, and the file does not have it",
                           want->path);
    return err_new(ERR_UNTRUSTED, "E_EXTRA: not in release.json, which has %s here", want->path);
}

static struct err *find_place(size_t *ret, const struct pass *p)
{
    const struct members *m = &p->b->members;
    *ret = p->next;
    if (p->b->delta)
        return delta_find(ret, m, &p->w);
    return p->next < m->n ? check_place(p->b, &p->w, &m->at[p->next])
                          : err_new(ERR_UNTRUSTED, "E_EXTRA: not in release.json");
}

struct err *pass_next(bool *ret_end, struct pass *p)
{
    const struct members *m = &p->b->members;
    TRY(walk_next(ret_end, &p->w));
    if (*ret_end && !p->b->delta && p->next < m->n)
        return err_new(ERR_UNTRUSTED, "%s: E_MISSING: the bundle ends at byte %llu, before member %s", p->b->path,
                       (unsigned long long)p->w.at, m->at[p->next].path);
    if (*ret_end)
        return NULL;
    TRY(walk_place(find_place(&p->index, p), &p->w));
    p->here = m->at[p->index];
    p->here.at = p->w.at;
    p->next = p->index + 1;
    return NULL;
}

struct err *pass_padding(const struct pass *p)
{
    return walk_place(walk_padding(&p->w), &p->w);
}
