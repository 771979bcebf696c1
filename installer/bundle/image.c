#include "bundle/image.h"

#include "base/file.h"
#include "bundle/format.h"
#include "bundle/inside.h"
#include "bundle/oci.h"
#include "pack/ustar.h"
#include "pack/ustar_write.h"

#include <errno.h>
#include <string.h>

/* The archive to be: its index.json, and each blob once, in the order of the bundle. */
struct layout {
    const struct bundle *b;
    struct buf index;
    bool *wanted; /* by member */
};

static void layout_done(struct layout *l)
{
    buf_done(&l->index);
    free(l->wanted);
}

static struct err *must_find(const struct doc **ret, const struct bundle *b, const char *name)
{
    *ret = oci_find_image(b->index, name);
    return *ret ? NULL : err_new(ERR_FAILED, "%s: no image %s", b->path, name);
}

static struct err *want(void *self, const char *hex, bool is_read)
{
    struct layout *l = self;
    (void)is_read;
    l->wanted[members_find(&l->b->members, hex) - l->b->members.at] = true;
    return NULL;
}

static struct err *layout_init(struct layout *l, const struct bundle *b, const char *const names[], size_t n)
{
    OWN_DOC struct doc *index = doc_new_map();
    struct doc *list = doc_set(index, "manifests", doc_new_list());
    doc_set_int(index, "schemaVersion", 2);
    doc_set_text(index, "mediaType", MEDIA_INDEX);
    l->b = b;
    l->wanted = calloc(b->members.n, sizeof *l->wanted);
    if (!l->wanted)
        return err_os(ENOMEM, "image archive");
    const struct oci_blobs blobs = oci_blobs_of(b);
    for (size_t i = 0; i < n; i++) {
        const struct doc *d;
        TRY(must_find(&d, b, names[i]));
        TRY_CTX(oci_walk(&blobs, d, want, l), "%s", b->path);
        doc_add(list, doc_clone(d));
    }
    return doc_json_write(&l->index, index);
}

static struct err *write_blobs(const struct layout *l, int fd)
{
    for (size_t i = 0; i < l->b->members.n; i++) {
        const struct member *m = &l->b->members.at[i];
        if (!l->wanted[i])
            continue;
        TRY(ustar_write_header(fd, m->path, m->size, 0));
        TRY(bundle_copy(l->b, m->hex, fd));
        TRY(ustar_write_padding(fd, m->size));
    }
    return NULL;
}

struct err *bundle_images_write(const struct bundle *b, const char *const names[], size_t n, int out_fd)
{
    OWN(layout_done) struct layout l = {0};
    TRY(layout_init(&l, b, names, n));
    TRY(ustar_write_member(out_fd, "oci-layout", 0, FORMAT_LAYOUT, strlen(FORMAT_LAYOUT)));
    TRY(ustar_write_member(out_fd, "index.json", 0, l.index.at, l.index.len));
    TRY(write_blobs(&l, out_fd));
    return ustar_write_end(out_fd);
}

struct err *bundle_images_size(uint64_t *ret, const struct bundle *b, const char *const names[], size_t n)
{
    OWN(layout_done) struct layout l = {0};
    TRY(layout_init(&l, b, names, n));
    uint64_t size = ustar_span(strlen(FORMAT_LAYOUT)) + ustar_span(l.index.len) + 2 * (uint64_t)USTAR_BLOCK;
    for (size_t i = 0; i < b->members.n; i++)
        if (l.wanted[i])
            size += ustar_span(b->members.at[i].size);
    *ret = size;
    return NULL;
}

const char *bundle_image_digest(const struct bundle *b, const char *name)
{
    return doc_text(oci_find_image(b->index, name), "digest");
}

static struct err *collect(void *self, const char *hex, bool is_read)
{
    char digest[72];
    (void)is_read;
    (void)snprintf(digest, sizeof digest, "sha256:%s", hex);
    return strs_has(self, digest) ? NULL : strs_add(self, digest);
}

struct err *bundle_image_blobs(struct strs *out, const struct bundle *b, const char *name)
{
    const struct doc *d;
    const struct oci_blobs blobs = oci_blobs_of(b);
    TRY(must_find(&d, b, name));
    return err_wrap(oci_walk(&blobs, d, collect, out), "%s", b->path);
}

struct lack {
    const struct bundle *b;
    const char *hex; /* found, borrowed from the bundle */
};

static struct err *stop_at_lack(void *self, const char *hex, bool is_read)
{
    struct lack *l = self;
    const struct member *m = members_find(&l->b->members, hex);
    (void)is_read;
    if (m->at)
        return NULL;
    l->hex = m->hex;
    return err_new(ERR_CANCELLED, "found");
}

struct err *bundle_image_lack(const char **ret, const struct bundle *b, const char *name)
{
    const struct doc *d;
    const struct oci_blobs blobs = oci_blobs_of(b);
    struct lack l = {.b = b};
    TRY(must_find(&d, b, name));
    struct err *e = oci_walk(&blobs, d, stop_at_lack, &l);
    *ret = l.hex;
    if (!l.hex)
        return err_wrap(e, "%s", b->path);
    err_free(e);
    return NULL;
}
