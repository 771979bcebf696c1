#include "bundle/walk.h"

#include <string.h>

struct err *walk_place(struct err *cause, const struct walk *w)
{
    const char *name = w->entry.name[0] ? w->entry.name : "?";
    return err_wrap(cause, "%s: member %s at byte %llu", source_path(w->source), name, (unsigned long long)w->at);
}

/* What people hand in by mistake gets an answer of its own. */
static struct err *check_kind(const unsigned char block[USTAR_BLOCK])
{
    if (memcmp(block, "\x28\xb5\x2f\xfd", 4) == 0 || memcmp(block, "\x1f\x8b", 2) == 0)
        return err_new(ERR_UNTRUSTED, "E_FORMAT: compressed; the outer tar must be uncompressed");
    if (memcmp(block + 257, "ustar", 5) != 0 && block[0] != 'o')
        return err_new(ERR_UNTRUSTED, "E_FORMAT: not a caisson bundle");
    return NULL;
}

/* Behind the first zero block: a second one, then the physical end. */
static struct err *check_end(const struct walk *w)
{
    unsigned char block[USTAR_BLOCK];
    TRY(source_read(w->source, block, sizeof block, w->at + USTAR_BLOCK));
    if (!ustar_is_zero(block))
        return err_new(ERR_UNTRUSTED, "E_TRAILING: a single zero block, then more");
    bool ends;
    TRY(source_ends(&ends, w->source, w->at + 2 * (uint64_t)USTAR_BLOCK));
    return ends ? NULL : err_new(ERR_UNTRUSTED, "E_TRAILING: bytes behind the end mark");
}

static struct err *next(bool *ret_end, struct walk *w)
{
    unsigned char block[USTAR_BLOCK];
    TRY(source_read(w->source, block, sizeof block, w->at));
    *ret_end = ustar_is_zero(block);
    if (*ret_end && w->at)
        return check_end(w);
    if (!w->at)
        TRY(check_kind(block));
    memcpy(w->entry.name, "?", 2);
    TRY(ustar_decode(&w->entry, block));
    if (w->mtime >= 0 && w->entry.mtime != w->mtime)
        return err_new(ERR_UNTRUSTED, "E_HEADER: another time than the first member's");
    w->mtime = w->entry.mtime;
    if (__builtin_add_overflow(w->at, ustar_span(w->entry.size), &w->next) || w->next > INT64_MAX - 2 * USTAR_BLOCK)
        return err_new(ERR_UNTRUSTED, "E_SIZE: beyond 2^63");
    return NULL;
}

struct err *walk_next(bool *ret_end, struct walk *w)
{
    w->at = w->next;
    w->entry.name[0] = '\0';
    return walk_place(next(ret_end, w), w);
}

struct err *walk_padding(const struct walk *w)
{
    unsigned char pad[USTAR_BLOCK];
    size_t n = ustar_padding(w->entry.size);
    TRY(source_read(w->source, pad, n, w->next - n));
    for (size_t i = 0; i < n; i++)
        if (pad[i])
            return err_new(ERR_UNTRUSTED, "E_HEADER: padding behind the body is not zero");
    return NULL;
}

static struct err *check_limit(const struct walk *w, uint64_t max)
{
    if (w->entry.size <= max)
        return NULL;
    return err_new(ERR_UNTRUSTED, "E_LIMIT: %llu bytes, at most %llu are allowed", (unsigned long long)w->entry.size,
                   (unsigned long long)max);
}

struct err *walk_body(struct buf *out, const struct walk *w, uint64_t max)
{
    TRY(check_limit(w, max));
    size_t n = (size_t)w->entry.size;
    TRY(buf_reserve(out, out->len + n));
    TRY(source_read(w->source, out->at + out->len, n, w->at + USTAR_BLOCK));
    out->len += n;
    out->at[out->len] = '\0';
    return walk_padding(w);
}

static struct err *hash(void *self, const void *p, size_t n)
{
    return sha256_add(self, p, n);
}

struct err *walk_digest(char ret[DIGEST_HEX], const struct walk *w, uint64_t max)
{
    OWN_SHA256 struct sha256 *h = NULL;
    TRY(check_limit(w, max));
    TRY(sha256_new(&h));
    TRY(source_stream(w->source, w->at + USTAR_BLOCK, w->entry.size, hash, h));
    TRY(sha256_hex(h, ret));
    return walk_padding(w);
}
