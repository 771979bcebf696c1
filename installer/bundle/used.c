#include "bundle/used.h"

#include "base/file.h"
#include "bundle/store_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct users {
    struct used *used;
    int releases;
    size_t cap;
};

static struct err *add_hex(struct users *u, const char *hex)
{
    if (u->used->n == u->cap) {
        size_t cap = u->cap ? 2 * u->cap : 256;
        void *more = realloc(u->used->hex, cap * sizeof *u->used->hex);
        if (!more)
            return err_os(ENOMEM, "blobs in use");
        u->used->hex = more;
        u->cap = cap;
    }
    memcpy(u->used->hex[u->used->n++], hex, 65);
    return NULL;
}

static struct err *add_headers(struct users *u, const struct headers *h)
{
    struct ustar_entry e;
    for (size_t i = 0; i < h->n; i++) {
        headers_entry(&e, h, i);
        if (headers_hex(&e))
            TRY(add_hex(u, headers_hex(&e)));
    }
    return NULL;
}

static struct err *add_release(void *self, const char *name)
{
    struct users *u = self;
    OWN(headers_done) struct headers h = {0};
    OWN_FD int fd = openat(u->releases, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_os(errno, "%s/%s", STORE_RELEASES, name);
    struct err *e = headers_read(&h, fd);
    if (!e)
        e = add_headers(u, &h);
    return err_hint(err_wrap(e, "%s/%s", STORE_RELEASES, name), "ingest that release again, or remove it");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

struct err *used_read(struct used *u, int releases)
{
    struct users users = {.used = u, .releases = releases};
    TRY(folder_each(releases, add_release, &users));
    if (u->n)
        qsort(u->hex, u->n, sizeof *u->hex, by_text);
    return NULL;
}

bool used_has(const struct used *u, const char *hex)
{
    return u->n && bsearch(hex, u->hex, u->n, sizeof *u->hex, by_text);
}

void used_done(struct used *u)
{
    free(u->hex);
}
