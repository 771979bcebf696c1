#include "supply/content.h"

#include "base/file.h"
#include "base/str.h"
#include "crypt/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { CHUNK = 1 << 20 };

const struct blob *content_find(const struct content *c, const char *hex)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->at[i].hex, hex) == 0)
            return &c->at[i];
    return NULL;
}

/* A new entry, to be filled by the caller. */
static struct err *append(struct blob **ret, struct content *c, const char *hex, uint64_t size)
{
    struct blob *at = reallocarray(c->at, c->n + 1, sizeof *at);
    if (!at)
        return err_os(ENOMEM, "bundle content");
    c->at = at;
    struct blob *b = &c->at[c->n++];
    *b = (struct blob){.size = size};
    memcpy(b->hex, hex, sizeof b->hex);
    *ret = b;
    return NULL;
}

struct err *content_add_bytes(char ret[72], struct content *c, const void *p, size_t n)
{
    char hex[DIGEST_HEX];
    struct blob *b = NULL;
    TRY(digest_hex(hex, p, n));
    (void)snprintf(ret, 72, "sha256:%s", hex);
    if (content_find(c, hex))
        return NULL;
    TRY(append(&b, c, hex, n));
    b->small = true;
    b->bytes = malloc(n + 1);
    if (!b->bytes)
        return err_os(ENOMEM, "bundle content");
    memcpy(b->bytes, p, n);
    return NULL;
}

struct err *content_add_doc(char ret[72], uint64_t *ret_size, struct content *c, const struct doc *d)
{
    OWN_BUF struct buf text = {0};
    TRY(doc_json_write(&text, d));
    if (ret_size)
        *ret_size = text.len;
    return content_add_bytes(ret, c, text.at, text.len);
}

struct err *content_add_file(struct content *c, const char *path, const char *hex, uint64_t size, bool small)
{
    struct blob *b = NULL;
    if (content_find(c, hex))
        return NULL;
    TRY(append(&b, c, hex, size));
    b->small = small;
    b->path = strdup(path);
    return b->path ? NULL : err_os(ENOMEM, "bundle content");
}

struct err *content_sort(struct content *c)
{
    struct blob *sorted = calloc(c->n + 1, sizeof *sorted);
    size_t n = 0;
    if (!sorted)
        return err_os(ENOMEM, "bundle content");
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < c->n; i++)
            if (c->at[i].small == (pass == 0))
                sorted[n++] = c->at[i];
    free(c->at);
    c->at = sorted;
    return NULL;
}

static struct err *copy_file(char ret_hex[DIGEST_HEX], const struct blob *b, int out_fd)
{
    OWN_SHA256 struct sha256 *hash = NULL;
    OWN_FREE char *chunk = malloc(CHUNK);
    OWN_FD int fd = open(b->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || !chunk)
        return err_os(chunk ? errno : ENOMEM, "%s", b->path);
    TRY(sha256_new(&hash));
    for (uint64_t left = b->size; left;) {
        size_t n = left < CHUNK ? (size_t)left : CHUNK;
        struct err *e = fd_read_exact(fd, chunk, n, NULL);
        if (e) /* shorter than it must be: as wrong as any other byte */
            return err_as(err_wrap(e, "E_DIGEST: %s", b->path), ERR_UNTRUSTED);
        TRY(sha256_add(hash, chunk, n));
        TRY(fd_write_all(out_fd, chunk, n));
        left -= n;
    }
    return sha256_hex(hash, ret_hex);
}

static struct err *check_digest(const struct blob *b, const char *hex)
{
    if (strcmp(hex, b->hex) == 0)
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "E_DIGEST: %s: sha256 is %s, wanted %s", b->path, hex, b->hex),
                    "the cache is damaged: delete the file and fill the cache again");
}

struct err *content_copy(const struct blob *b, int out_fd)
{
    char hex[DIGEST_HEX];
    if (!b->path)
        return fd_write_all(out_fd, b->bytes, (size_t)b->size);
    TRY(copy_file(hex, b, out_fd));
    return check_digest(b, hex);
}

struct err *content_read(struct buf *out, const struct blob *b)
{
    char hex[DIGEST_HEX];
    size_t start = out->len;
    if (!b->path)
        return buf_add(out, b->bytes, (size_t)b->size);
    TRY(file_read(out, AT_FDCWD, b->path));
    TRY(digest_hex(hex, out->at + start, out->len - start));
    return check_digest(b, hex);
}

void content_done(struct content *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->at[i].path);
        free(c->at[i].bytes);
    }
    free(c->at);
}
