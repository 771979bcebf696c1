#include "bundle/pieces.h"

#include "base/file.h"
#include "base/str.h"
#include "bundle/parts.h"
#include "crypt/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK = 1 << 20 };

/* A file and where its bytes stand in the whole. The only file of a bundle that is not cut has no end of its own. */
struct piece {
    int fd;
    uint64_t at, end;
    char *path;
    const char *name; /* its last part */
};

struct pieces {
    struct source s;
    struct stat st;     /* of the file or the list */
    struct parts *list; /* NULL: one file */
    struct piece *at;
    size_t n;
};

/* ---- open ---- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static struct err *open_path(int *ret_fd, struct stat *ret_st, const char *path)
{
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && strstr(path, "://"))
        return err_hint(err_new(ERR_USAGE, "bundle %s: an address, where a file is wanted", path),
                        "download it, or take it into a store: caisson bundle ingest URL, of http or https");
    if (fd < 0)
        return err_hint(err_as(err_os(errno, "bundle %s", path), ERR_USAGE),
                        "is the path right? In cluster.yaml it begins at the folder of that file");
    if (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode))
        return err_new(ERR_USAGE, "bundle %s: not a regular file", path);
    *ret_fd = TAKE_FD(fd);
    return NULL;
}

/* NAME.000 is given where NAME.parts.json, which lies beside it, is meant. */
static struct err *check_no_part(const char *path)
{
    size_t n = strlen(path);
    if (n < 4 || path[n - 4] != '.' || strspn(path + n - 3, "0123456789") != 3)
        return NULL;
    OWN_FREE char *list = str_fmt("%.*s" PARTS_SUFFIX, (int)(n - 4), path);
    if (!list || !file_exists(AT_FDCWD, list))
        return NULL;
    return err_hint(err_new(ERR_USAGE, "bundle %s: one part of a bundle", path), "give the list of its parts: %s",
                    list);
}

static struct err *open_whole(struct pieces *s)
{
    TRY(check_no_part(s->s.path));
    TRY(open_path(&s->at[0].fd, &s->st, s->s.path));
    s->at[0].end = INT64_MAX;
    s->s.size = (uint64_t)s->st.st_size;
    return NULL;
}

static struct err *read_list(struct pieces *s)
{
    OWN_FD int fd = -1;
    OWN_BUF struct buf text = {0};
    TRY(open_path(&fd, &s->st, s->s.path));
    if (s->st.st_size > PARTS_BYTES_MAX)
        return err_hint(err_new(ERR_UNTRUSTED, "%s: E_PART: not the list of a bundle's parts: too large", s->s.path),
                        "copy the list again");
    TRY_CTX(fd_read_all(fd, &text), "%s", s->s.path);
    return parts_parse(s->list, s->s.path, text.at, text.len);
}

static struct err *open_part(struct pieces *s, size_t i)
{
    struct piece *p = &s->at[i];
    struct stat st = {0};
    p->at = i ? s->at[i - 1].end : 0;
    p->end = p->at + s->list->at[i].size;
    p->path = parts_path(s->s.path, i);
    if (!p->path)
        return err_os(ENOMEM, "%s", s->s.path);
    p->name = last_part(p->path);
    p->fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (p->fd < 0 && errno == ENOENT)
        return err_hint(err_new(ERR_UNTRUSTED, "%s: E_PART: part %s is missing", s->s.path, p->name),
                        "copy all parts and the list into one folder, under the names that they were made with");
    if (p->fd < 0)
        return err_as(err_os(errno, "%s: part %s", s->s.path, p->name), ERR_USAGE);
    if (fstat(p->fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != s->list->at[i].size)
        return err_hint(err_new(ERR_UNTRUSTED, "%s: E_PART: part %s has %lld bytes, the list says %llu", s->s.path,
                                p->name, (long long)st.st_size, (unsigned long long)s->list->at[i].size),
                        "copy that part again");
    return NULL;
}

/* A part that the list does not have: parts of two cuts were mixed. */
static struct err *check_no_more(const struct pieces *s)
{
    for (size_t i = s->n; i < 1000; i++) {
        OWN_FREE char *path = parts_path(s->s.path, i);
        if (path && file_exists(AT_FDCWD, path))
            return err_hint(
                err_new(ERR_UNTRUSTED, "%s: E_PART: part %s is one more than the list has", s->s.path, last_part(path)),
                "delete it, or copy the list again: they are not of one bundle");
    }
    return NULL;
}

static struct err *open_parts(struct pieces *s)
{
    s->s.size = s->list->size;
    for (size_t i = 0; i < s->n; i++)
        TRY(open_part(s, i));
    return check_no_more(s);
}

static struct err *make_room(struct pieces *s, size_t n)
{
    s->at = calloc(n + 1, sizeof *s->at);
    if (!s->at)
        return err_os(ENOMEM, "bundle %s", s->s.path);
    s->n = n;
    for (size_t i = 0; i < n; i++)
        s->at[i].fd = -1;
    return NULL;
}

static const struct source_ops pieces_ops;

static struct err *open_all(struct pieces *s)
{
    if (parts_is_list(s->s.path)) {
        s->list = calloc(1, sizeof *s->list);
        if (!s->list)
            return err_os(ENOMEM, "bundle %s", s->s.path);
        TRY(read_list(s));
    }
    TRY(make_room(s, s->list ? s->list->n : 1));
    return s->list ? open_parts(s) : open_whole(s);
}

struct err *pieces_open(struct source **ret, const char *path)
{
    struct pieces *s = calloc(1, sizeof *s);
    if (!s)
        return err_os(ENOMEM, "bundle %s", path);
    OWN_SOURCE struct source *own = &s->s;
    s->s = (struct source){.ops = &pieces_ops, .path = strdup(path), .streams = 1};
    if (!s->s.path)
        return err_os(ENOMEM, "bundle %s", path);
    TRY(open_all(s));
    *ret = TAKE(own);
    return NULL;
}

static void pieces_close(struct source *source)
{
    struct pieces *s = (struct pieces *)source;
    for (size_t i = 0; i < s->n; i++) {
        own_close(&s->at[i].fd);
        free(s->at[i].path);
    }
    free(s->at);
    free(s->list);
}

/* ---- read ---- */

static const struct piece *piece_at(const struct pieces *s, uint64_t offset)
{
    for (size_t i = 0; i < s->n; i++)
        if (offset < s->at[i].end)
            return &s->at[i];
    return NULL;
}

static struct err *pieces_read(size_t *ret, const struct source *source, void *p, size_t n, uint64_t offset)
{
    const struct pieces *s = (const struct pieces *)source;
    const struct piece *piece = piece_at(s, offset);
    *ret = 0;
    if (!piece)
        return NULL;
    n = n < piece->end - offset ? n : (size_t)(piece->end - offset);
    TRY_CTX(fd_read_at(ret, piece->fd, p, n, offset - piece->at), "%s", s->list ? piece->path : s->s.path);
    if (!*ret && s->list)
        return err_new(ERR_UNTRUSTED, "E_PART: part %s became shorter while it was read", piece->name);
    return NULL;
}

static void pieces_sequential(const struct source *source)
{
    const struct pieces *s = (const struct pieces *)source;
    for (size_t i = 0; i < s->n; i++)
        (void)posix_fadvise(s->at[i].fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* advice only */
}

static bool pieces_is_file(const struct source *source, const char *path)
{
    const struct pieces *s = (const struct pieces *)source;
    struct stat st;
    return stat(path, &st) == 0 && st.st_dev == s->st.st_dev && st.st_ino == s->st.st_ino;
}

/* ---- digests of parts ---- */

/* What a wrong part is: often another one's bytes under its name. */
static struct err *wrong_part(const struct pieces *s, size_t i, const char *hex)
{
    for (size_t k = 0; k < s->n; k++)
        if (strcmp(s->list->at[k].hex, hex) == 0)
            return err_hint(err_new(ERR_UNTRUSTED, "%s: E_PART: part %s has the bytes of part %s", s->s.path,
                                    s->at[i].name, s->at[k].name),
                            "name each part as it was when it was made");
    return err_hint(err_new(ERR_UNTRUSTED, "%s: E_PART: part %s: sha256 is %s, the list says %s", s->s.path,
                            s->at[i].name, hex, s->list->at[i].hex),
                    "copy that part again");
}

static struct err *finish_part(struct part_check *c, const struct pieces *s)
{
    OWN_SHA256 struct sha256 *hash = TAKE(c->hash);
    char hex[DIGEST_HEX];
    size_t i = c->next++;
    TRY(sha256_hex(hash, hex));
    return strcmp(hex, s->list->at[i].hex) == 0 ? NULL : wrong_part(s, i, hex);
}

struct err *part_check_to(struct part_check *c, const struct source *source, uint64_t offset)
{
    const struct pieces *s = source->ops == &pieces_ops ? (const struct pieces *)source : NULL;
    OWN_FREE char *chunk = s && s->list ? malloc(CHUNK) : NULL;
    if (!s || !s->list)
        return NULL;
    if (!chunk)
        return err_os(ENOMEM, "parts");
    for (offset = offset < source->size ? offset : source->size; c->at < offset;) {
        uint64_t end = s->at[c->next].end < offset ? s->at[c->next].end : offset;
        size_t n = end - c->at < CHUNK ? (size_t)(end - c->at) : CHUNK;
        if (!c->hash)
            TRY(sha256_new(&c->hash));
        TRY_CTX(source_read(source, chunk, n, c->at), "%s", source->path);
        TRY(sha256_add(c->hash, chunk, n));
        c->at += n;
        if (c->at == s->at[c->next].end)
            TRY(finish_part(c, s));
    }
    return NULL;
}

void part_check_done(struct part_check *c)
{
    sha256_free(c->hash);
}

static struct err *pieces_blame(const struct source *s)
{
    OWN(part_check_done) struct part_check c = {0};
    return part_check_to(&c, s, s->size);
}

static const struct source_ops pieces_ops = {
    .close = pieces_close,
    .read = pieces_read,
    .sequential = pieces_sequential,
    .is_file = pieces_is_file,
    .blame = pieces_blame,
};
