#include "bundle/bundle.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "bundle/delta.h"
#include "bundle/format.h"
#include "bundle/head.h"
#include "bundle/inside.h"
#include "bundle/oci.h"
#include "crypt/digest.h"
#include "pack/ustar_write.h"

#include <errno.h>
#include <string.h>

/* ---- open ---- */

/* The last root document and the release must speak of one product, and the release of no higher epoch. */
static struct err *check_root_agrees(const struct bundle *b)
{
    const char *product = doc_text(b->release, "predicate.product"), *of_root = doc_text(b->who.root, "product");
    if (!str_eq(product, of_root))
        return err_new(ERR_UNTRUSTED, "E_PRODUCT: release of %s, root document of %s", product, of_root);
    if (doc_int(b->release, "predicate.epoch", 0) > doc_int(b->who.root, "epoch", 0))
        return err_new(ERR_UNTRUSTED, "E_FASTFORWARD: the release's epoch is above the root document's");
    return NULL;
}

static struct err *read_index(struct bundle *b)
{
    OWN_BUF struct buf text = {0};
    if (b->members.at[0].size > FORMAT_MANIFEST_BYTES_MAX)
        return err_new(ERR_UNTRUSTED, "%s: E_LIMIT: index.json is too large", b->path);
    TRY(bundle_read(&text, b, b->members.at[0].hex));
    struct err *e = doc_json(&b->index, "index.json", text.at, text.len);
    if (e)
        return err_as(err_wrap(e, "%s: E_OCI", b->path), ERR_UNTRUSTED);
    return err_wrap(oci_check_index(b->index, b->release), "%s", b->path);
}

static struct err *check_full(const struct bundle *b)
{
    if (!b->delta)
        return NULL;
    return join_first(
        err_new(ERR_UNTRUSTED, "%s: E_FORMAT: a delta bundle, which has only what an older one lacks", b->path), b);
}

/* Which blobs a delta has is seen as it passes. */
static void forget_places(struct members *m)
{
    for (size_t i = 1; i < m->n; i++)
        m->at[i].at = 0;
}

static struct err *read_head(struct bundle *b, const char *const trust[], size_t n_trust, enum bundle_accept accept)
{
    OWN(head_done) struct head head = {0};
    TRY(head_read(&head, b->source));
    b->delta = head.delta;
    TRY(accept == BUNDLE_DELTA ? NULL : check_full(b));
    TRY(trust_check(&b->who, &head, b->path, trust, n_trust, accept == BUNDLE_TO_SIGN));
    TRY(head_check_sigstores(&head, b->path));
    b->mtime = head.mtime;
    TRY(digest_hex(b->digest, head.release.at, head.release.len));
    struct err *e = release_parse(&b->release, &head.release);
    if (!e)
        e = release_members(&b->members, b->release, head.index_at);
    if (!e)
        e = release_check_digests(b->release, &b->members);
    if (!e)
        e = check_root_agrees(b);
    TRY_CTX(e, "%s: member caisson/release.json at byte %llu", b->path, (unsigned long long)head.release_at);
    if (b->delta && b->source->one_pass)
        forget_places(&b->members);
    return b->delta && !b->source->one_pass ? delta_places(&b->members, b->source, b->mtime) : NULL;
}

/* Every refusal has a way out; most of them have the same. */
struct err *bundle_way_out(struct err *e)
{
    if (!e || err_kind(e) != ERR_UNTRUSTED || err_hint_text(e))
        return e;
    return err_hint(e,
                    "it is not the file that was signed: get it again from where you trust it; nothing of it was used");
}

struct err *bundle_open_source(struct bundle **ret, struct source *source, enum bundle_accept accept,
                               const char *const trust[], size_t n_trust)
{
    OWN_SOURCE struct source *own = source;
    OWN_BUNDLE struct bundle *b = calloc(1, sizeof *b);
    if (!b)
        return err_os(ENOMEM, "bundle %s", source_path(source));
    b->source = TAKE(own);
    b->path = source_path(b->source);
    TRY(bundle_way_out(source_blame(b->source, read_head(b, trust, n_trust, accept))));
    TRY(bundle_way_out(source_blame(b->source, read_index(b))));
    source_settle(b->source);
    *ret = TAKE(b);
    return NULL;
}

static struct err *open_as(struct bundle **ret, const char *path, const char *const trust[], size_t n_trust,
                           enum bundle_accept accept)
{
    struct source *source = NULL;
    TRY(source_open(&source, path));
    return bundle_open_source(ret, source, accept, trust, n_trust);
}

struct err *bundle_open(struct bundle **ret, const char *path, const char *const trust[], size_t n_trust)
{
    return open_as(ret, path, trust, n_trust, BUNDLE_FULL);
}

struct err *bundle_open_delta(struct bundle **ret, const char *path, const char *const trust[], size_t n_trust)
{
    return open_as(ret, path, trust, n_trust, BUNDLE_DELTA);
}

struct err *bundle_open_to_sign(struct bundle **ret, const char *path, const char *const trust[], size_t n_trust)
{
    return open_as(ret, path, trust, n_trust, BUNDLE_TO_SIGN);
}

struct err *bundle_look(const struct source *s)
{
    OWN(head_done) struct head head = {0};
    return bundle_way_out(source_blame(s, head_read(&head, s)));
}

struct err *bundle_roots(struct root_raw **ret, size_t *ret_n, const char *path)
{
    OWN_SOURCE struct source *s = NULL;
    OWN(head_done) struct head head = {0};
    TRY(source_open(&s, path));
    TRY(bundle_way_out(source_blame(s, head_read(&head, s))));
    *ret = TAKE(head.roots);
    *ret_n = head.n_roots;
    head.n_roots = 0;
    return NULL;
}

void bundle_free(struct bundle *b)
{
    if (!b)
        return;
    source_free(b->source);
    for (size_t i = 0; b->docs && i < b->members.n; i++)
        buf_done(&b->docs[i]);
    free(b->docs);
    members_done(&b->members);
    trust_done(&b->who);
    doc_free(b->release);
    doc_free(b->index);
    free(b);
}

/* ---- write again ---- */

uint64_t bundle_head_size(const struct bundle *b)
{
    return b->members.at[0].at;
}

int64_t bundle_time(const struct bundle *b)
{
    return b->mtime;
}

static struct err *copy_bytes(const struct bundle *b, uint64_t from, uint64_t to, int fd)
{
    char chunk[1 << 14];
    while (from < to) {
        size_t n = to - from < sizeof chunk ? (size_t)(to - from) : sizeof chunk;
        TRY_CTX(source_read(b->source, chunk, n, from), "%s", b->path);
        TRY(fd_write_all(fd, chunk, n));
        from += n;
    }
    return NULL;
}

struct err *bundle_head_write(const struct bundle *b, bool delta, int out_fd)
{
    const char *format = delta ? FORMAT_DELTA : FORMAT_FULL;
    uint64_t at = ustar_span(strlen(FORMAT_LAYOUT)), behind = at + ustar_span(strlen(format)); /* both fill one block */
    TRY(copy_bytes(b, 0, at, out_fd));
    TRY(ustar_write_member(out_fd, "caisson/format", b->mtime, format, strlen(format)));
    return copy_bytes(b, behind, bundle_head_size(b), out_fd);
}

/* ---- what it says ---- */

bool bundle_is_delta(const struct bundle *b)
{
    return b->delta;
}

const struct doc *bundle_release(const struct bundle *b)
{
    return b->release;
}

const struct doc *bundle_index(const struct bundle *b)
{
    return b->index;
}

const char *bundle_digest(const struct bundle *b)
{
    return b->digest;
}

const struct strs *bundle_signers(const struct bundle *b)
{
    return &b->who.signers;
}

const struct doc *bundle_root(const struct bundle *b)
{
    return b->who.root;
}

const struct buf *bundle_root_bytes(const struct bundle *b)
{
    return &b->who.bytes;
}

const struct strs *bundle_chain(const struct bundle *b)
{
    return &b->who.chain;
}

const char *bundle_path(const struct bundle *b)
{
    return b->path;
}

static int64_t missing(const struct bundle *b)
{
    int64_t n = 0;
    for (size_t i = 0; i < b->members.n; i++)
        n += !b->members.at[i].at;
    return n;
}

/* ---- dates ---- */

enum { CLOCK_SLACK_S = 300 };

/* `text` (may be NULL) is a time that the schemas have checked. */
static int64_t time_of(const char *text, int64_t otherwise)
{
    int64_t t = otherwise;
    return text && clock_parse(text, &t) ? t : otherwise;
}

static struct err *check_issued(const struct bundle *b, int64_t now)
{
    const char *issued = doc_text(b->release, "predicate.issued");
    char today[32];
    clock_rfc3339(today, now);
    if (time_of(issued, now) <= now + CLOCK_SLACK_S)
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "%s: E_CLOCK: issued at %s, and here it is %s", b->path, issued, today),
                    "set this machine's clock");
}

static struct err *check_expires(const struct bundle *b, const char *what, const char *expires, int64_t now)
{
    if (time_of(expires, now) >= now)
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "%s: E_EXPIRED: %s expired at %s", b->path, what, expires),
                    "ask the publisher for a newer one");
}

struct err *bundle_dates(const struct bundle *b, int64_t now, struct strs *warnings)
{
    struct err *found[] = {check_issued(b, now),
                           check_expires(b, "the release", doc_text(b->release, "predicate.expires"), now),
                           check_expires(b, "the last root document", doc_text(b->who.root, "expires"), now)};
    struct err *first = NULL;
    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        struct err *e = found[i];
        if (e && warnings && !first)
            first = strs_add(warnings, err_text(e));
        else if (e && !first)
            first = TAKE(e);
        err_free(e);
    }
    return first;
}

void receipt_place(struct doc *receipt, const char *key, const char *path)
{
    OWN_FREE char *whole = realpath(path, NULL);
    doc_set_text(receipt, key, whole ? whole : path); /* it is an address, or standard input */
}

struct doc *bundle_receipt(const struct bundle *b)
{
    static const char *const copied[] = {"product", "profile", "channel", "version", "epoch", "sequence"};
    struct doc *receipt = doc_new_map();
    receipt_place(receipt, "path", b->path);
    doc_set_fmt(receipt, "digest", "sha256:%s", b->digest);
    for (size_t i = 0; i < ARRAY_LEN(copied); i++)
        doc_set(receipt, copied[i], doc_clone(doc_get(doc_get(b->release, "predicate"), copied[i])));
    doc_set_texts(receipt, "signers", &b->who.signers);
    doc_set(receipt, "rootVersion", doc_clone(doc_get(b->who.root, "version")));
    doc_set_int(receipt, "members", (int64_t)b->members.n);
    doc_set_int(receipt, "bytes", (int64_t)(b->members.end_at + 2 * (uint64_t)USTAR_BLOCK));
    if (b->delta)
        doc_set_int(receipt, "missing", missing(b));
    return receipt;
}
