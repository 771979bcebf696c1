#include "supply/statement.h"

#include "base/clock.h"
#include "base/str.h"
#include "bundle/format.h"
#include "pack/ustar.h"

#include <string.h>

/* The first caisson that can read what is written here. */
static const char min_tool[] = "0.1.0";

static void add_member(struct doc *members, const char *path, const char *hex, uint64_t size)
{
    struct doc *m = doc_add(members, doc_new_map());
    doc_set_text(m, "path", path);
    doc_set_fmt(m, "digest", "sha256:%s", hex);
    doc_set_int(m, "size", (int64_t)size);
}

static struct err *add_members(struct doc *predicate, const struct assembly *a, const char *index_hex,
                               uint64_t index_size)
{
    struct doc *members = doc_set(predicate, "members", doc_new_list());
    uint64_t bytes = index_size;
    add_member(members, "index.json", index_hex, index_size);
    for (size_t i = 0; i < a->content.n; i++) {
        char path[USTAR_NAME_MAX + 1];
        (void)snprintf(path, sizeof path, "blobs/sha256/%s", a->content.at[i].hex);
        add_member(members, path, a->content.at[i].hex, a->content.at[i].size);
        bytes += a->content.at[i].size;
    }
    if (a->content.n + 1 > FORMAT_MEMBERS_MAX || bytes > FORMAT_INT_MAX)
        return err_new(ERR_FAILED, "E_LIMIT: %zu members with %llu bytes", a->content.n + 1, (unsigned long long)bytes);
    struct doc *totals = doc_set(predicate, "totals", doc_new_map());
    doc_set_int(totals, "members", (int64_t)a->content.n + 1);
    doc_set_int(totals, "bytes", (int64_t)bytes);
    doc_set_int(totals, "rawBytes", (int64_t)(bytes + a->raw_extra));
    return NULL;
}

/* ---- what a node is sent: packages, and each blob of its seed images once ---- */

static int64_t size_of(const struct assembly *a, const char *digest)
{
    const struct blob *b = digest ? content_find(&a->content, format_hex(digest)) : NULL;
    return b ? (int64_t)b->size : 0;
}

static int64_t once(const struct assembly *a, struct strs *seen, const char *digest, struct err **e)
{
    if (*e || !digest || strs_has(seen, digest))
        return 0;
    *e = strs_add(seen, digest);
    return size_of(a, digest);
}

static int64_t image_bytes(const struct assembly *a, struct strs *seen, const struct doc *image, struct err **e)
{
    const char *digest = doc_text(image, "manifestDigest");
    const struct blob *b = content_find(&a->content, format_hex(digest));
    OWN_DOC struct doc *manifest = NULL;
    int64_t sum = once(a, seen, digest, e);
    if (*e || !b || !b->bytes)
        return sum;
    *e = doc_json(&manifest, digest, b->bytes, (size_t)b->size);
    sum += once(a, seen, doc_text(manifest, "config.digest"), e);
    DOC_EACH (v, doc_get(manifest, "layers"))
        sum += once(a, seen, doc_text(v, "digest"), e);
    return sum;
}

/* A node may have both roles, and then it is sent everything: what any one node may need room for. */
static struct err *add_seed_bytes(struct doc *predicate, const struct assembly *a)
{
    OWN_STRS struct strs seen = {0};
    struct err *e = NULL;
    int64_t sum = 0;
    DOC_EACH (c, a->components) {
        DOC_EACH (v, doc_get(c, "artifacts"))
            sum += once(a, &seen, doc_text(v, "digest"), &e);
        DOC_EACH (v, doc_get(c, "images"))
            if (doc_bool(v, "seed", true))
                sum += image_bytes(a, &seen, v, &e);
    }
    doc_set_int(doc_get(predicate, "totals"), "seedBytesPerNode", sum);
    return e;
}

/* ---- release.json ---- */

static void add_identity(struct doc *p, const struct recipe *r)
{
    const struct build_opts *o = r->opts;
    char issued[32];
    clock_rfc3339(issued, o->source_date_epoch);
    doc_set_text(p, "product", build_product(o));
    doc_set_text(p, "profile", r->name);
    doc_set_text(p, "channel", o->channel ? o->channel : "stable");
    doc_set_text(p, "version", r->version);
    doc_set_int(p, "epoch", o->epoch);
    doc_set_int(p, "sequence", (int64_t)o->sequence);
    doc_set_text(p, "issued", issued);
    if (o->expires)
        doc_set_text(p, "expires", o->expires);
    doc_set_text(p, "minTool", min_tool);
    doc_add_text(doc_set(p, "platforms", doc_new_list()), r->platform);
    if (doc_path(r->profile, "spec.kubernetes"))
        doc_set(p, "kubernetes", doc_clone(doc_path(r->profile, "spec.kubernetes")));
}

static struct err *add_provenance(struct doc *p, const struct recipe *r)
{
    char hex[DIGEST_HEX];
    struct doc *v = doc_set(p, "provenance", doc_new_map());
    TRY(digest_hex(hex, r->lock_text.at, r->lock_text.len));
    doc_set_fmt(v, "lockDigest", "sha256:%s", hex);
    doc_set_text(v, "builder", "caisson " CAISSON_VERSION);
    doc_set_int(v, "sourceDateEpoch", r->opts->source_date_epoch);
    return NULL;
}

static void add_sbom(struct doc *p, const struct assembly *a)
{
    struct doc *v = doc_add(doc_set(p, "sbom", doc_new_list()), doc_new_map());
    doc_set_text(v, "digest", a->sbom_digest);
    doc_set_text(v, "format", FORMAT_SBOM);
    doc_set_text(v, "scope", "release");
}

static void add_subject(struct doc *statement, const char *index_hex)
{
    struct doc *subject = doc_add(doc_set(statement, "subject", doc_new_list()), doc_new_map());
    doc_set_text(subject, "name", "index.json");
    doc_set_text(doc_set(subject, "digest", doc_new_map()), "sha256", index_hex);
}

struct err *statement_release(struct buf *out, const struct recipe *r, const struct assembly *a,
                              const struct buf *index, const struct bundle *required)
{
    OWN_DOC struct doc *statement = doc_new_map();
    struct doc *p = doc_set(statement, "predicate", doc_new_map());
    char index_hex[DIGEST_HEX];
    TRY(digest_hex(index_hex, index->at, index->len));
    doc_set_text(statement, "_type", FORMAT_STATEMENT);
    doc_set_text(statement, "predicateType", FORMAT_PREDICATE);
    add_subject(statement, index_hex);
    doc_set_int(p, "schema", 1);
    doc_set(p, "crit", doc_new_list());
    add_identity(p, r);
    struct doc *needs = doc_set(p, "requires", doc_new_list());
    if (required) {
        struct doc *v = doc_add(needs, doc_new_map());
        doc_set_text(v, "profile", doc_text(bundle_release(required), "predicate.profile"));
        doc_set_fmt(v, "releaseDigest", "sha256:%s", bundle_digest(required));
    }
    const struct doc *back = r->opts->rollback_to;
    doc_set(p, "rollbackTo", back ? doc_clone(back) : doc_new_list());
    TRY(add_members(p, a, index_hex, index->len));
    TRY(add_seed_bytes(p, a));
    doc_set(p, "components", doc_clone(a->components));
    doc_set_text(doc_set(p, "profileDefinition", doc_new_map()), "digest", a->profile_digest);
    add_sbom(p, a);
    TRY(add_provenance(p, r));
    return doc_json_write(out, statement);
}

/* ---- root.json ---- */

struct doc *statement_root(const char *product, int64_t version, int64_t epoch)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "_type", FORMAT_ROOT);
    doc_set_int(d, "schema", 1);
    doc_set_text(d, "product", product);
    doc_set_int(d, "version", version);
    doc_set_int(d, "epoch", epoch);
    doc_set(d, "keys", doc_new_map());
    doc_set(d, "roles", doc_new_map());
    doc_set(d, "deny", doc_new_list());
    return d;
}

static struct err *add_key(struct doc *root, struct doc *keyids, const struct key *key)
{
    OWN_BUF struct buf pem = {0};
    char id[DIGEST_HEX];
    TRY(key_id(id, key));
    TRY(key_public_pem(&pem, key));
    const char *scheme = format_scheme(buf_text(&pem));
    if (!scheme)
        return err_new(ERR_USAGE, "key %.16s cannot sign releases; P-256 and Ed25519 keys can", id);
    if (doc_list_has(keyids, id))
        return err_new(ERR_USAGE, "key %.16s is there twice", id);
    doc_add_text(keyids, id);
    struct doc *k = doc_set(doc_get(root, "keys"), id, doc_new_map());
    doc_set_text(k, "scheme", scheme);
    doc_set_text(k, "spki", buf_text(&pem));
    return NULL;
}

struct err *statement_role(struct doc *root, const char *role, int64_t threshold, struct key *const keys[], size_t n)
{
    struct doc *to = doc_set(doc_get(root, "roles"), role, doc_new_map());
    struct doc *keyids = doc_set(to, "keyids", doc_new_list());
    for (size_t i = 0; i < n; i++)
        TRY_CTX(add_key(root, keyids, keys[i]), "role %s", role);
    if (threshold < 1 || (uint64_t)threshold > n)
        return err_new(ERR_USAGE, "role %s: a threshold of %lld with %zu keys", role, (long long)threshold, n);
    doc_set_int(to, "threshold", threshold);
    return NULL;
}
