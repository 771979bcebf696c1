#include "supply/split.h"

#include "base/file.h"
#include "base/output.h"
#include "base/str.h"
#include "bundle/bundle.h"
#include "bundle/parts.h"
#include "bundle/pieces.h"
#include "crypt/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK = 1 << 20, NUMBERS = 1000 };

struct split {
    const struct split_opts *o;
    struct source *source;
    struct part_check check; /* when it is in parts itself */
    struct parts parts;
    char *list; /* path of the list to be */
    char *chunk;
    uint64_t done;
    build_progress progress;
    void *self;
};

static void split_done(struct split *s)
{
    part_check_done(&s->check);
    source_free(s->source);
    free(s->list);
    free(s->chunk);
}

/* ---- before ---- */

static struct err *choose_name(struct split *s)
{
    const char *file = s->o->file, *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    size_t n = strlen(name) - (parts_is_list(name) ? strlen(PARTS_SUFFIX) : 0);
    s->list = str_fmt("%s/%.*s" PARTS_SUFFIX, s->o->out, (int)n, name);
    if (!s->list)
        return err_os(ENOMEM, "split %s", file);
    if (source_is_file(s->source, s->list))
        return err_hint(err_new(ERR_USAGE, "%s: would be written over while it is read", s->list),
                        "choose another folder: --out");
    return NULL;
}

static struct err *choose_sizes(struct split *s)
{
    uint64_t whole = source_size(s->source), n = (whole + s->o->size - 1) / s->o->size;
    if (n > PARTS_MAX)
        return err_hint(err_new(ERR_USAGE, "%s: %llu parts of %llu bytes; at most %d can be read", s->o->file,
                                (unsigned long long)n, (unsigned long long)s->o->size, PARTS_MAX),
                        "choose larger ones: --size %llu", (unsigned long long)((whole + PARTS_MAX - 1) / PARTS_MAX));
    s->parts.n = (size_t)n;
    s->parts.size = whole;
    for (size_t i = 0; i < n; i++)
        s->parts.at[i].size = i + 1 < n ? s->o->size : whole - (n - 1) * s->o->size;
    return NULL;
}

/* ---- what is there already ---- */

/* The size of a file and of its unfinished form; `path` is taken. */
static uint64_t earlier_file(char *path, bool remove)
{
    OWN_FREE char *whole = path, *begun = path ? str_fmt("%s.new", path) : NULL;
    char *const both[] = {whole, begun};
    uint64_t bytes = 0;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        struct stat st;
        if (!both[i] || lstat(both[i], &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        bytes += (uint64_t)st.st_size;
        if (remove)
            (void)unlink(both[i]); /* what stays is met again: when it is written, or as one part too many */
    }
    return bytes;
}

/* Bytes of an earlier cut of that name. The list goes first: without it the parts are nobody's. */
static uint64_t earlier(const struct split *s, bool remove)
{
    uint64_t bytes = earlier_file(strdup(s->list), remove);
    for (size_t i = 0; i < NUMBERS; i++)
        bytes += earlier_file(parts_path(s->list, i), remove);
    return bytes;
}

static struct err *check_space(const struct split *s)
{
    uint64_t gained = earlier(s, false), need = s->parts.size + PARTS_BYTES_MAX;
    OWN_FD int fd = open(s->o->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_hint(err_as(err_os(errno, "folder %s", s->o->out), ERR_USAGE),
                        "make it first, or mount what shall carry the parts");
    return output_space(fd, s->o->out, need > gained ? need - gained : 0);
}

/* ---- cut ---- */

static struct err *copy(struct split *s, struct part *p, const struct output *out)
{
    OWN_SHA256 struct sha256 *hash = NULL;
    TRY(sha256_new(&hash));
    for (uint64_t left = p->size; left;) {
        size_t n = left < CHUNK ? (size_t)left : CHUNK;
        TRY_CTX(source_read(s->source, s->chunk, n, s->done), "%s", s->o->file);
        TRY(sha256_add(hash, s->chunk, n));
        TRY_CTX(fd_write_all(out->fd, s->chunk, n), "%s", out->path);
        left -= n;
        s->done += n;
        TRY(part_check_to(&s->check, s->source, s->done));
        if (s->progress && !s->progress(s->self, "split", s->done, s->parts.size))
            return err_new(ERR_CANCELLED, "stopped");
    }
    return sha256_hex(hash, p->hex);
}

static struct err *write_part(struct split *s, size_t i)
{
    OWN_FREE char *path = parts_path(s->list, i);
    OWN_OUTPUT struct output out = {.fd = -1};
    if (!path)
        return err_os(ENOMEM, "split %s", s->o->file);
    TRY(output_open(&out, path, s->parts.at[i].size));
    TRY(copy(s, &s->parts.at[i], &out));
    return output_commit(&out);
}

static struct err *cut(struct split *s)
{
    OWN_BUF struct buf text = {0};
    OWN_OUTPUT struct output out = {.fd = -1};
    bool ends;
    for (size_t i = 0; i < s->parts.n; i++)
        TRY(write_part(s, i));
    TRY(source_ends(&ends, s->source, s->done));
    if (!ends)
        return err_new(ERR_FAILED, "%s: grew while it was read", s->o->file);
    TRY(parts_write(&text, &s->parts));
    TRY(output_open(&out, s->list, text.len));
    TRY_CTX(fd_write_all(out.fd, text.at, text.len), "%s", s->list);
    return output_commit(&out);
}

static struct doc *result(const struct split *s)
{
    struct doc *d = doc_new_map(), *list = doc_set(d, "parts", doc_new_list());
    doc_set_text(d, "path", s->list);
    doc_set_int(d, "bytes", (int64_t)s->parts.size);
    for (size_t i = 0; i < s->parts.n; i++) {
        OWN_FREE char *path = parts_path(s->list, i);
        struct doc *p = doc_add(list, doc_new_map());
        doc_set_text(p, "path", path ? path : "");
        doc_set_int(p, "size", (int64_t)s->parts.at[i].size);
        doc_set_text(p, "sha256", s->parts.at[i].hex);
    }
    return d;
}

struct err *bundle_split(struct doc **ret, const struct split_opts *o, build_progress progress, void *self)
{
    OWN(split_done) struct split s = {.o = o, .progress = progress, .self = self, .chunk = malloc(CHUNK)};
    if (!s.chunk)
        return err_os(ENOMEM, "split %s", o->file);
    TRY(source_open(&s.source, o->file));
    TRY(bundle_look(s.source));
    TRY(choose_name(&s));
    TRY(choose_sizes(&s));
    TRY(check_space(&s));
    (void)earlier(&s, true);
    struct err *e = cut(&s);
    if (e) {
        (void)earlier(&s, true);
        return e;
    }
    *ret = result(&s);
    return NULL;
}
