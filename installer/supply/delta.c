#include "supply/delta.h"

#include "base/file.h"
#include "base/output.h"
#include "base/str.h"
#include "bundle/bundle.h"
#include "bundle/held.h"
#include "pack/ustar.h"
#include "pack/ustar_write.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMED_MAX = 8 }; /* missing blobs that are named */

/* A bundle to be: the head of one, and its members out of several. */
struct weave {
    const struct delta_opts *o;
    struct bundle *head;
    struct bundle **bases; /* those that are bundles */
    size_t n_bases;
    struct doc **lists; /* those that are lists of what a cluster holds */
    size_t n_lists;
    const struct doc **members; /* of the release, in their order */
    const struct bundle **from; /* who gives each; NULL: it is left out */
    size_t n;
    bool delta; /* what is written */
    uint64_t bytes, done;
    int fd;
    const char *what;
    build_progress progress;
    void *self;
};

static void weave_done(struct weave *w)
{
    bundle_free(w->head);
    for (size_t i = 0; i < w->n_bases; i++)
        bundle_free(w->bases[i]);
    for (size_t i = 0; i < w->n_lists; i++)
        doc_free(w->lists[i]);
    free(w->bases);
    free(w->lists);
    free(w->members);
    free(w->from);
}
#define OWN_WEAVE OWN(weave_done)

/* ---- who has what ---- */

static struct err *open_base(struct weave *w, const char *path)
{
    bool is_list = held_is_list(path);
    if (is_list && !w->delta)
        return err_hint(err_new(ERR_USAGE, "%s: a list has no bytes to join", path),
                        "give the bundle that the cluster was installed from");
    if (is_list)
        return held_load(&w->lists[w->n_lists++], path);
    return bundle_open_delta(&w->bases[w->n_bases++], path, w->o->trust, w->o->n_trust);
}

static struct err *open_bases(struct weave *w)
{
    const struct delta_opts *o = w->o;
    w->bases = calloc(o->n_bases + 1, sizeof *w->bases);
    w->lists = calloc(o->n_bases + 1, sizeof *w->lists);
    if (!w->bases || !w->lists)
        return err_os(ENOMEM, "%s", o->file);
    for (size_t i = 0; i < o->n_bases; i++)
        TRY_CTX(open_base(w, o->bases[i]), "--base");
    return NULL;
}

static struct err *list_members(struct weave *w)
{
    const struct doc *list = doc_path(bundle_release(w->head), "predicate.members");
    size_t n = doc_len(list);
    w->members = calloc(n + 1, sizeof *w->members);
    w->from = calloc(n + 1, sizeof *w->from);
    if (!w->members || !w->from)
        return err_os(ENOMEM, "%s", w->o->file);
    DOC_EACH (v, list)
        w->members[w->n++] = v;
    return NULL;
}

static const char *digest_of(const struct weave *w, size_t i)
{
    return doc_text(w->members[i], "digest");
}

static uint64_t size_of(const struct weave *w, size_t i)
{
    return (uint64_t)doc_int(w->members[i], "size", 0);
}

static const struct bundle *base_with(const struct weave *w, const char *digest)
{
    for (size_t i = 0; i < w->n_bases; i++)
        if (bundle_blob(w->bases[i], digest, NULL))
            return w->bases[i];
    return NULL;
}

/* A delta has index.json, whoever else has it, and what nobody else has. */
static struct err *choose_for_delta(struct weave *w)
{
    OWN_FREE bool *held = calloc(w->n, sizeof *held);
    if (!held)
        return err_os(ENOMEM, "%s", w->o->file);
    if (w->n_lists)
        TRY(held_leave_out(held, w->head, (const struct doc *const *)w->lists, w->n_lists));
    for (size_t i = 0; i < w->n; i++)
        w->from[i] = i && (held[i] || base_with(w, digest_of(w, i))) ? NULL : w->head;
    return NULL;
}

static struct err *choose_for_join(struct weave *w)
{
    OWN_BUF struct buf missing = {0};
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        const char *digest = digest_of(w, i);
        w->from[i] = bundle_blob(w->head, digest, NULL) ? w->head : base_with(w, digest);
        if (!w->from[i] && n++ < NAMED_MAX)
            TRY(buf_fmt(&missing, "%s%s", n > 1 ? ", " : "", digest));
    }
    if (!n)
        return NULL;
    TRY(n > NAMED_MAX ? buf_fmt(&missing, " and %zu more", n - NAMED_MAX) : NULL);
    return err_hint(err_new(ERR_UNTRUSTED, "%s: E_MISSING: no base has %s", w->o->file, buf_text(&missing)),
                    "give every bundle that the delta was made against: --base FILE, more than once if need be");
}

/* ---- write ---- */

static struct err *put(void *self, const void *p, size_t n)
{
    struct weave *w = self;
    TRY_CTX(fd_write_all(w->fd, p, n), "%s", w->o->out);
    w->done += n;
    if (w->progress && !w->progress(w->self, w->what, w->done, w->bytes))
        return err_new(ERR_CANCELLED, "stopped");
    return NULL;
}

static void count_bytes(struct weave *w)
{
    w->bytes = bundle_head_size(w->head) + 2 * (uint64_t)USTAR_BLOCK;
    for (size_t i = 0; i < w->n; i++)
        w->bytes += w->from[i] ? ustar_span(size_of(w, i)) : 0;
}

static struct err *write_member(struct weave *w, size_t i)
{
    uint64_t size = size_of(w, i);
    const char *out = w->o->out;
    TRY_CTX(ustar_write_header(w->fd, doc_text(w->members[i], "path"), size, bundle_time(w->head)), "%s", out);
    TRY(bundle_stream(w->from[i], digest_of(w, i), put, w));
    w->done += ustar_span(size) - size;
    return err_wrap(ustar_write_padding(w->fd, size), "%s", out);
}

static struct err *write_all(struct weave *w)
{
    w->done = bundle_head_size(w->head);
    TRY(bundle_head_write(w->head, w->delta, w->fd));
    for (size_t i = 0; i < w->n; i++)
        TRY(w->from[i] ? write_member(w, i) : NULL);
    return err_wrap(ustar_write_end(w->fd), "%s", w->o->out);
}

/* The head was read anew when it was written: what stands there now must be the release that was opened. */
static struct err *check_written(const struct weave *w, const char *path)
{
    OWN_BUNDLE struct bundle *b = NULL;
    TRY(bundle_open_delta(&b, path, w->o->trust, w->o->n_trust));
    if (!str_eq(bundle_digest(b), bundle_digest(w->head)))
        return err_new(ERR_UNTRUSTED, "%s: E_DIGEST: it changed while it was read", w->o->file);
    return NULL;
}

/* A delta in the place of what has its other bytes would be the end of them. */
static struct err *must_not_be(const char *out, const char *in)
{
    struct stat a, b;
    if (stat(out, &a) < 0 || stat(in, &b) < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
        return NULL;
    return err_hint(err_new(ERR_USAGE, "--out %s would replace %s, which is read", out, in), "choose another name");
}

static struct err *write_out(struct weave *w)
{
    OWN_OUTPUT struct output out = {.fd = -1};
    TRY(w->delta ? must_not_be(w->o->out, w->o->file) : NULL);
    for (size_t i = 0; w->delta && i < w->o->n_bases; i++)
        TRY(must_not_be(w->o->out, w->o->bases[i]));
    count_bytes(w);
    TRY(output_open(&out, w->o->out, w->bytes));
    w->fd = out.fd;
    TRY(write_all(w));
    TRY(check_written(w, out.tmp));
    return output_commit(&out);
}

/* ---- the two ---- */

/* Members that come out of `b` (NULL: that are left out). */
static int64_t count_from(const struct weave *w, const struct bundle *b)
{
    int64_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += w->from[i] == b;
    return n;
}

static struct doc *result(const struct weave *w)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "path", w->o->out);
    doc_set_fmt(d, "digest", "sha256:%s", bundle_digest(w->head));
    doc_set_int(d, "bytes", (int64_t)w->bytes);
    doc_set_int(d, "members", (int64_t)w->n - count_from(w, NULL));
    return d;
}

struct err *bundle_delta(struct doc **ret, const struct delta_opts *o, build_progress progress, void *self)
{
    OWN_WEAVE struct weave w = {.o = o, .delta = true, .what = "delta", .progress = progress, .self = self};
    TRY(bundle_open(&w.head, o->file, o->trust, o->n_trust));
    TRY(open_bases(&w));
    TRY(list_members(&w));
    TRY(choose_for_delta(&w));
    TRY(write_out(&w));
    *ret = result(&w);
    doc_set_int(*ret, "missing", count_from(&w, NULL));
    return NULL;
}

struct err *bundle_join(struct doc **ret, const struct delta_opts *o, build_progress progress, void *self)
{
    OWN_WEAVE struct weave w = {.o = o, .what = "join", .progress = progress, .self = self};
    TRY(bundle_open_delta(&w.head, o->file, o->trust, o->n_trust));
    if (!bundle_is_delta(w.head))
        return err_hint(err_new(ERR_USAGE, "%s: a full bundle already", o->file), "use it as it is");
    TRY(open_bases(&w));
    TRY(list_members(&w));
    TRY(choose_for_join(&w));
    TRY(write_out(&w));
    *ret = result(&w);
    doc_set_int(*ret, "reused", (int64_t)w.n - count_from(&w, w.head));
    return NULL;
}
