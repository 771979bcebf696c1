/* order: units sorted so that a unit comes after those its After= names: systemctl queues them one by one. */
#include "base/file.h"
#include "base/own.h"
#include "node/activate.h"

#include <errno.h>
#include <string.h>

/* True when a line After= of the unit file names `other`. */
static bool comes_after(const char *text, const char *other)
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!str_starts(line, "After="))
            continue;
        const char *end = line + strcspn(line, "\n");
        size_t n = strlen(other);
        for (const char *at = line; (at = strstr(at, other)) && at < end; at += n)
            if (strchr("= \t", at[-1]) && strchr(" \t\n", at[n]))
                return true;
    }
    return false;
}

struct sorter {
    const struct doc *manifest;
    int dir;
    const char *folder;
    struct strs *ret;
    struct strs open; /* being placed: a circle ends here */
};

static struct err *sorter_place(struct sorter *s, const char *name)
{
    if (strs_has(s->ret, name) || strs_has(&s->open, name))
        return NULL;
    TRY(strs_add(&s->open, name));
    OWN_FREE char *path = str_fmt("%s/%s", s->folder, name);
    OWN_BUF struct buf text = {.max = 1 << 20};
    if (!path)
        return err_os(ENOMEM, "order of units");
    TRY(file_read(&text, s->dir, path));
    DOC_EACH (u, doc_get(s->manifest, "units")) {
        const char *other = doc_text(u, "name");
        if (!str_eq(other, name) && comes_after(buf_text(&text), other))
            TRY(sorter_place(s, other));
    }
    return strs_add(s->ret, name);
}

struct err *order_units(struct strs *ret, const struct doc *manifest, int dir, const char *folder)
{
    struct sorter s = {.manifest = manifest, .dir = dir, .folder = folder, .ret = ret};
    struct err *e = NULL;
    DOC_EACH (u, doc_get(manifest, "units"))
        if (!e && doc_bool(u, "enabled", true))
            e = sorter_place(&s, doc_text(u, "name"));
    strs_done(&s.open);
    return e;
}
