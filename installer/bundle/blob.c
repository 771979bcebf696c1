#include "bundle/inside.h"

#include "base/file.h"
#include "base/str.h"
#include "bundle/format.h"
#include "bundle/walk.h"
#include "crypt/digest.h"

#include <string.h>

struct tap {
    struct sha256 *hash;
    bundle_sink sink; /* or NULL */
    void *self;
};

static struct err *tap(void *self, const void *p, size_t n)
{
    const struct tap *t = self;
    TRY(sha256_add(t->hash, p, n));
    return t->sink ? t->sink(t->self, p, n) : NULL;
}

static struct err *stream(const struct bundle *b, const struct member *m, bundle_sink sink, void *self)
{
    OWN_SHA256 struct sha256 *hash = NULL;
    char got[DIGEST_HEX];
    TRY(sha256_new(&hash));
    TRY(source_stream(b->source, m->at + USTAR_BLOCK, m->size, tap, &(struct tap){hash, sink, self}));
    TRY(sha256_hex(hash, got));
    if (strcmp(got, m->hex) != 0)
        return err_hint(err_new(ERR_UNTRUSTED, "E_DIGEST: sha256 is %s, not %s", got, m->hex), "%s",
                        source_cure(b->source));
    return NULL;
}

struct err *blob_stream(const struct bundle *b, const struct member *m, bundle_sink sink, void *self)
{
    return err_wrap(stream(b, m, sink, self), "%s: member %s at byte %llu", b->path, m->path,
                    (unsigned long long)m->at);
}

static const char *hex_of(const char *digest)
{
    return str_starts(digest, "sha256:") ? digest + 7 : digest;
}

static const struct member *find(const struct bundle *b, const char *digest)
{
    const struct member *m = members_find(&b->members, hex_of(digest));
    return m && m->at ? m : NULL;
}

struct err *join_first(struct err *e, const struct bundle *b)
{
    return err_hint(e, "make the full one first: caisson bundle join %s --base OLDER-BUNDLE --out FILE", b->path);
}

static struct err *must_find(const struct member **ret, const struct bundle *b, const char *digest)
{
    *ret = find(b, digest);
    if (*ret)
        return NULL;
    if (!b->delta)
        return err_new(ERR_FAILED, "%s: no blob %s", b->path, digest);
    return join_first(
        err_new(ERR_UNTRUSTED, "%s: E_MISSING: the delta was made without sha256:%s", b->path, hex_of(digest)), b);
}

bool bundle_blob(const struct bundle *b, const char *digest, uint64_t *ret_size)
{
    const struct member *m = find(b, digest);
    if (m && ret_size)
        *ret_size = m->size;
    return m != NULL;
}

static struct err *to_buf(void *self, const void *p, size_t n)
{
    return buf_add(self, p, n);
}

/* Of what is read once; asked for are documents. */
static struct err *read_kept(struct buf *out, const struct bundle *b, const struct member *m)
{
    const struct buf *kept = &b->docs[m - b->members.at];
    return kept->len ? buf_add(out, kept->at, kept->len) : err_new(ERR_UNTRUSTED, "E_OCI: %s is no JSON", m->path);
}

struct err *bundle_read(struct buf *out, const struct bundle *b, const char *digest)
{
    const struct member *m;
    TRY(must_find(&m, b, digest));
    if (b->docs)
        return read_kept(out, b, m);
    if (m->size > FORMAT_SMALL_BYTES_MAX)
        return err_new(ERR_FAILED, "%s: %s is too large to be read at once", b->path, m->path);
    size_t before = out->len;
    struct err *e = blob_stream(b, m, to_buf, out);
    if (e && out->at) {
        out->len = before; /* nobody may use bytes whose digest did not fit */
        out->at[before] = '\0';
    }
    return e;
}

static struct err *to_fd(void *self, const void *p, size_t n)
{
    return fd_write_all(*(const int *)self, p, n);
}

struct err *bundle_stream(const struct bundle *b, const char *digest, bundle_sink sink, void *self)
{
    const struct member *m;
    TRY(must_find(&m, b, digest));
    return blob_stream(b, m, sink, self);
}

struct err *bundle_copy(const struct bundle *b, const char *digest, int out_fd)
{
    return bundle_stream(b, digest, to_fd, &out_fd);
}
