#include "bundle/format.h"
#include "bundle/inside.h"
#include "bundle/oci.h"
#include "bundle/pass.h"
#include "bundle/pieces.h"

#include <errno.h>
#include <string.h>

enum { KEPT_MAX = 64 << 20 };

struct verify {
    struct bundle *b;
    bundle_progress call;
    void *self;
    uint64_t done, total;
    struct buf *keeps; /* where the present member is kept, or NULL */
    size_t kept;       /* bytes in all */
};

/*
 * What is read once is gone when it is known what index.json reaches: the documents that this depends on may come in
 * any order. So whatever may be one of them is kept as it passes. Layers and packages are none: they begin otherwise.
 */
static struct err *keep(struct verify *v, const char *p, size_t n)
{
    static const char begins[] = {'{', ' ', '\t', '\r', '\n'};
    if (!v->keeps->len && !memchr(begins, *p, sizeof begins)) {
        v->keeps = NULL;
        return NULL;
    }
    if ((v->kept += n) > KEPT_MAX)
        return err_hint(err_new(ERR_FAILED, "E_LIMIT: more than %d bytes of manifests through a pipe", KEPT_MAX),
                        "verify it as a file, or take it into a store: caisson bundle ingest -");
    return buf_add(v->keeps, p, n);
}

static struct err *pass_by(void *self, const void *p, size_t n)
{
    struct verify *v = self;
    v->done += n;
    if (v->call && !v->call(v->self, v->done, v->total))
        return err_new(ERR_CANCELLED, "stopped");
    return v->keeps ? keep(v, p, n) : NULL;
}

static struct err *verify_member(struct verify *v, const struct pass *p)
{
    const struct bundle *b = v->b;
    b->members.at[p->index].at = p->here.at; /* of a delta that is read once it was not known */
    v->keeps = b->docs && p->here.size <= FORMAT_MANIFEST_BYTES_MAX ? &b->docs[p->index] : NULL;
    TRY(blob_stream(b, &p->here, pass_by, v));
    return pass_padding(p);
}

static struct err *verify_members(struct verify *v)
{
    OWN(part_check_done) struct part_check parts = {0};
    struct bundle *b = v->b;
    struct pass p;
    bool end;
    pass_start(&p, b);
    for (;;) {
        TRY(pass_next(&end, &p));
        if (end)
            break;
        TRY(verify_member(v, &p));
        TRY(part_check_to(&parts, b->source, p.w.next)); /* while the kernel still has the bytes */
    }
    b->members.end_at = p.w.at;
    return part_check_to(&parts, b->source, source_size(b->source));
}

/* 0: a delta that is read once does not say before its end what it has. */
static uint64_t total_of(const struct bundle *b)
{
    uint64_t total = 0;
    for (size_t i = 0; i < b->members.n; i++)
        total += b->members.at[i].at ? b->members.at[i].size : 0;
    return b->delta && b->source->one_pass ? 0 : total;
}

struct err *bundle_verify(struct bundle *b, bundle_progress progress, void *self)
{
    struct verify v = {.b = b, .call = progress, .self = self, .total = total_of(b)};
    if (b->source->one_pass && !b->delta && !b->docs && !(b->docs = calloc(b->members.n, sizeof *b->docs)))
        return err_os(ENOMEM, "%s", b->path);
    source_sequential(b->source);
    TRY(bundle_way_out(source_blame(b->source, verify_members(&v))));
    return b->delta ? NULL : bundle_way_out(oci_check_closure(b));
}
