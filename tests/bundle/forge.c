#include "forge.h"

#include "crypt/digest.h"
#include "pack/ustar.h"

#include <dirent.h>

static const char release_type[] = "application/vnd.in-toto+json";
static const char root_type[] = "application/vnd.caisson.root.v1+json";

/* ---- blobs and documents ---- */

const char *forge_blob(char ret[72], struct forge *f, const void *p, size_t n)
{
    char hex[DIGEST_HEX], name[128];
    OK(digest_hex(hex, p, n));
    (void)snprintf(ret, 72, "sha256:%s", hex);
    (void)snprintf(name, sizeof name, "blobs/sha256/%s", hex);
    for (size_t i = 0; i < f->n_blobs; i++)
        if (strcmp(f->blobs[i].name, name) == 0)
            return ret;
    assert_true(f->n_blobs < FORGE_ENTRIES);
    struct forge_entry *e = &f->blobs[f->n_blobs++];
    memcpy(e->name, name, sizeof name);
    OK(buf_add(&e->body, p, n));
    return ret;
}

const char *forge_json(char ret[72], struct forge *f, struct doc *d, size_t *ret_size)
{
    OWN_BUF struct buf text = {0};
    OK(doc_json_write(&text, d));
    doc_free(d);
    *ret_size = text.len;
    return forge_blob(ret, f, text.at, text.len);
}

struct doc *forge_descriptor(const char *type, const char *digest, size_t size)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "mediaType", type);
    doc_set_text(d, "digest", digest);
    doc_set_int(d, "size", (int64_t)size);
    return d;
}

static struct doc *manifest_new(const char *config_type, const char *config, size_t size)
{
    struct doc *m = doc_new_map();
    doc_set_int(m, "schemaVersion", 2);
    doc_set_text(m, "mediaType", "application/vnd.oci.image.manifest.v1+json");
    doc_set(m, "config", forge_descriptor(config_type, config, size));
    doc_set(m, "layers", doc_new_list());
    return m;
}

static void add_image(struct forge *f, struct doc *component)
{
    static const char config[] =
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
    static const char name[] = "registry.example/pause:1.0";
    char digest[72];
    size_t size;
    forge_blob(digest, f, config, strlen(config));
    struct doc *m = manifest_new("application/vnd.oci.image.config.v1+json", digest, strlen(config));
    forge_blob(digest, f, "layer bytes", 11);
    doc_add(doc_get(m, "layers"), forge_descriptor("application/vnd.oci.image.layer.v1.tar", digest, 11));
    forge_json(digest, f, m, &size);
    struct doc *d = doc_add(doc_get(f->index, "manifests"),
                            forge_descriptor("application/vnd.oci.image.manifest.v1+json", digest, size));
    doc_set_text(doc_set(d, "annotations", doc_new_map()), "io.containerd.image.name", name);
    struct doc *image = doc_add(doc_get(component, "images"), doc_new_map());
    doc_set_text(image, "name", name);
    doc_set_text(image, "manifestDigest", digest);
    doc_set_text(image, "platform", "linux/amd64");
    doc_add_text(doc_set(image, "role", doc_new_list()), "all");
    doc_set_bool(image, "pin", true);
    doc_set_bool(image, "seed", true);
}

static void add_package(struct forge *f, struct doc *component, struct doc *layers)
{
    char digest[72];
    OWN_BUF struct buf big = {0};
    for (int i = 0; i < 300; i++)
        OK(buf_fmt(&big, "package byte %d\n", i));
    forge_blob(digest, f, big.at, big.len);
    doc_add(layers, forge_descriptor("application/vnd.caisson.package.v1.tar+zstd", digest, big.len));
    struct doc *a = doc_add(doc_get(component, "artifacts"), doc_new_map());
    doc_set_text(a, "name", "tool");
    doc_set_text(a, "digest", digest);
    doc_set_text(a, "mediaType", "application/vnd.caisson.package.v1.tar+zstd");
    doc_set_text(a, "enc", "zstd");
    doc_set_int(a, "rawSize", 10240);
    doc_set_text(a, "rawDigest", digest);
    doc_set_text(a, "platform", "linux/amd64");
    doc_add_text(doc_set(a, "role", doc_new_list()), "worker");
}

static void add_component(struct forge *f)
{
    char digest[72], empty[72];
    size_t size;
    struct doc *c = doc_add(doc_get(f->predicate, "components"), doc_new_map());
    static const char *const texts[][2] = {{"name", "tool"},        {"version", "1.2.3"},
                                           {"kind", "component"},   {"license", "MIT"},
                                           {"supplier", "example"}, {"purl", "pkg:generic/tool@1.2.3"}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        doc_set_text(c, texts[i][0], texts[i][1]);
    doc_set(c, "artifacts", doc_new_list());
    doc_set(c, "images", doc_new_list());
    forge_blob(empty, f, "{}", 2);
    struct doc *m = manifest_new("application/vnd.oci.empty.v1+json", empty, 2);
    doc_set_text(m, "artifactType", "application/vnd.caisson.component.v1");
    forge_blob(digest, f, "kind: Component\n", 16);
    doc_add(doc_get(m, "layers"), forge_descriptor("application/vnd.caisson.definition.v1+yaml", digest, 16));
    doc_set_text(doc_set(c, "definition", doc_new_map()), "digest", digest);
    doc_set_text(doc_set(f->predicate, "profileDefinition", doc_new_map()), "digest", digest);
    add_package(f, c, doc_get(m, "layers"));
    forge_json(digest, f, m, &size);
    doc_add(doc_get(f->index, "manifests"),
            forge_descriptor("application/vnd.oci.image.manifest.v1+json", digest, size));
    add_image(f, c);
}

static void start_predicate(struct forge *f)
{
    static const char *const lists[] = {"crit", "requires", "rollbackTo", "components", "sbom"};
    static const char *const texts[][2] = {{"product", "caisson"}, {"profile", "tiny"},
                                           {"channel", "stable"},  {"version", "1.0.0"},
                                           {"minTool", "0.1.0"},   {"issued", "2026-11-21T12:00:00Z"}};
    f->predicate = doc_new_map();
    doc_set_int(f->predicate, "schema", 1);
    doc_set_int(f->predicate, "epoch", 0);
    doc_set_int(f->predicate, "sequence", 1);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        doc_set(f->predicate, lists[i], doc_new_list());
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        doc_set_text(f->predicate, texts[i][0], texts[i][1]);
    doc_add_text(doc_set(f->predicate, "platforms", doc_new_list()), "linux/amd64");
    struct doc *p = doc_set(f->predicate, "provenance", doc_new_map());
    doc_set_fmt(p, "lockDigest", "sha256:%064d", 0);
    doc_set_text(p, "builder", "forge");
    doc_set_int(p, "sourceDateEpoch", 0);
}

void forge_key(char ret[65], struct doc *root, const struct key *k)
{
    OWN_BUF struct buf pem = {0};
    OK(key_id(ret, k));
    OK(key_public_pem(&pem, k));
    struct doc *v = doc_set(doc_get(root, "keys"), ret, doc_new_map());
    doc_set_text(v, "scheme", strncmp(pem.at + 27, "MCow", 4) == 0 ? "ed25519" : "ecdsa-p256-sha256");
    doc_set_text(v, "spki", pem.at);
}

void forge_role(struct doc *root, const char *role, int64_t threshold, const struct key *const keys[])
{
    struct doc *to = doc_set(doc_get(root, "roles"), role, doc_new_map());
    struct doc *keyids = doc_set(to, "keyids", doc_new_list());
    for (size_t i = 0; keys[i]; i++) {
        char id[DIGEST_HEX];
        forge_key(id, root, keys[i]);
        doc_add_text(keyids, id);
    }
    doc_set_int(to, "threshold", threshold);
}

static void start_root(struct forge *f)
{
    OWN_BUF struct buf pem = {0};
    const struct key *const own[] = {f->key, NULL};
    OK(key_public_pem(&pem, f->key));
    check_write(f->folder, "release.pub", pem.at, pem.len);
    f->root = doc_new_map();
    doc_set_text(f->root, "_type", "caisson-root");
    doc_set_int(f->root, "schema", 1);
    doc_set_text(f->root, "product", "caisson");
    doc_set_int(f->root, "version", 1);
    doc_set_int(f->root, "epoch", 0);
    doc_set(f->root, "deny", doc_new_list());
    doc_set(f->root, "keys", doc_new_map());
    doc_set(f->root, "roles", doc_new_map());
    forge_role(f->root, "root", 1, own);
    forge_role(f->root, "release", 1, own);
}

struct doc *forge_next_root(struct forge *f, struct forge_more signers)
{
    struct forge_root *r = &f->later[f->n_later++];
    assert_true(f->n_later <= ARRAY_LEN(f->later));
    *r = (struct forge_root){.doc = doc_clone(f->n_later > 1 ? r[-1].doc : f->root), .signers = signers};
    doc_set_int(r->doc, "version", (int64_t)f->n_later + 1);
    return r->doc;
}

struct forge *forge_new(void)
{
    struct forge *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->folder = check_folder();
    f->path = check_path(f->folder, "test.csn.tar");
    f->pub_path = check_path(f->folder, "release.pub");
    OK(key_new_ec(&f->key));
    start_root(f);
    start_predicate(f);
    f->index = doc_new_map();
    doc_set_int(f->index, "schemaVersion", 2);
    doc_set(f->index, "manifests", doc_new_list());
    add_component(f);
    return f;
}

void forge_free(struct forge *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < FORGE_ENTRIES; i++) {
        buf_done(&f->blobs[i].body);
        buf_done(&f->entries[i].body);
    }
    buf_done(&f->file);
    doc_free(f->root);
    for (size_t i = 0; i < f->n_later; i++)
        doc_free(f->later[i].doc);
    doc_free(f->predicate);
    doc_free(f->index);
    key_free(f->key);
    free(f->path);
    free(f->pub_path);
    check_folder_done(&f->folder);
    free(f);
}

/* ---- seal ---- */

void forge_sign(struct buf *out, const struct key *k, const char *type, const void *p, size_t n)
{
    OWN_BUF struct buf pae = {0};
    OK(buf_fmt(&pae, "DSSEv1 %zu %s %zu ", strlen(type), type, n));
    OK(buf_add(&pae, p, n));
    OK(key_sign(out, k, pae.at, pae.len));
}

void forge_insert(struct forge *f, size_t at, const char *name, const char *body)
{
    assert_true(f->n < FORGE_ENTRIES && at <= f->n);
    memmove(&f->entries[at + 1], &f->entries[at], (f->n - at) * sizeof f->entries[0]);
    memset(&f->entries[at], 0, sizeof f->entries[0]);
    f->n++;
    (void)snprintf(f->entries[at].name, sizeof f->entries[at].name, "%s", name);
    OK(buf_str(&f->entries[at].body, body));
}

static struct buf *append(struct forge *f, const char *name)
{
    forge_insert(f, f->n, name, "");
    return &f->entries[f->n - 1].body;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct forge_entry *)a)->name, ((const struct forge_entry *)b)->name);
}

/* Signatures of the last entry, by `first` and `more`, sorted by key id. */
static void append_sigs(struct forge *f, const char *folder, const struct key *first, const struct forge_more *more,
                        const char *type)
{
    const struct buf body = f->entries[f->n - 1].body;
    size_t start = f->n;
    for (size_t i = 0; i <= ARRAY_LEN(more->at); i++) {
        const struct key *k = i ? more->at[i - 1] : first;
        char id[DIGEST_HEX], name[128];
        if (!k)
            continue;
        OK(key_id(id, k));
        (void)snprintf(name, sizeof name, "%s/%s.sig", folder, id);
        forge_sign(append(f, name), k, type, body.at, body.len);
    }
    qsort(&f->entries[start], f->n - start, sizeof f->entries[0], by_name);
}

static void append_later(struct forge *f)
{
    for (size_t i = 0; i < f->n_later; i++) {
        char folder[64], name[128];
        (void)snprintf(folder, sizeof folder, "caisson/root/%04zu", i + 2);
        (void)snprintf(name, sizeof name, "%s/root.json", folder);
        OK(doc_json_write(append(f, name), f->later[i].doc));
        append_sigs(f, folder, NULL, &f->later[i].signers, root_type);
    }
}

static void list_members(struct forge *f, const struct buf *index)
{
    struct doc *members = doc_set(f->predicate, "members", doc_new_list());
    uint64_t bytes = 0;
    for (size_t i = 0; i <= f->n_blobs; i++) {
        char hex[DIGEST_HEX];
        const struct buf *body = i ? &f->blobs[i - 1].body : index;
        struct doc *m = doc_add(members, doc_new_map());
        OK(digest_hex(hex, body->at, body->len));
        doc_set_text(m, "path", i ? f->blobs[i - 1].name : "index.json");
        doc_set_int(m, "size", (int64_t)body->len);
        doc_set_fmt(m, "digest", "sha256:%s", hex);
        bytes += body->len;
    }
    struct doc *totals = doc_set(f->predicate, "totals", doc_new_map());
    doc_set_int(totals, "members", (int64_t)f->n_blobs + 1);
    doc_set_int(totals, "bytes", (int64_t)bytes);
    doc_set_int(totals, "rawBytes", (int64_t)bytes);
    doc_set_int(totals, "seedBytesPerNode", (int64_t)bytes);
}

static void write_release(struct buf *out, struct forge *f, const struct buf *index)
{
    OWN_DOC struct doc *s = doc_new_map();
    char hex[DIGEST_HEX];
    if (!f->keep_members)
        list_members(f, index);
    OK(digest_hex(hex, index->at, index->len));
    doc_set_text(s, "_type", "https://in-toto.io/Statement/v1");
    doc_set_text(s, "predicateType", "https://caisson.dev/release/v1");
    struct doc *subject = doc_add(doc_set(s, "subject", doc_new_list()), doc_new_map());
    doc_set_text(subject, "name", "index.json");
    doc_set_text(doc_set(subject, "digest", doc_new_map()), "sha256", hex);
    doc_set(s, "predicate", doc_clone(f->predicate));
    OK(doc_json_write(out, s));
}

void forge_seal(struct forge *f)
{
    OWN_BUF struct buf index = {0};
    OK(doc_json_write(&index, f->index));
    OK(buf_str(append(f, "oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}"));
    OK(buf_str(append(f, "caisson/format"), "caisson-bundle 1 full\n"));
    OK(doc_json_write(append(f, "caisson/root/0001/root.json"), f->root));
    append_sigs(f, "caisson/root/0001", f->root_signer ? f->root_signer : f->key, &f->more_root_signers, root_type);
    append_later(f);
    struct buf *release = append(f, "caisson/release.json");
    if (f->release_text)
        OK(buf_str(release, f->release_text));
    else
        write_release(release, f, &index);
    append_sigs(f, "caisson/sig", f->sign_key ? f->sign_key : f->key, &f->more_signers,
                f->payload_type ? f->payload_type : release_type);
    OK(buf_add(append(f, "index.json"), index.at, index.len));
    for (size_t i = 0; i < f->n_blobs; i++)
        OK(buf_add(append(f, f->blobs[i].name), f->blobs[i].body.at, f->blobs[i].body.len));
}

struct forge_entry *forge_find(struct forge *f, const char *name)
{
    size_t n = strcspn(name, "*");
    for (size_t i = 0; i < f->n; i++)
        if (strncmp(f->entries[i].name, name, n) == 0 && (name[n] == '*' || f->entries[i].name[n] == '\0'))
            return &f->entries[i];
    fail_msg("no member %s", name);
    return NULL;
}

void forge_remove(struct forge *f, const char *name)
{
    struct forge_entry *e = forge_find(f, name);
    buf_done(&e->body);
    memmove(e, e + 1, (size_t)(&f->entries[--f->n] - e) * sizeof *e);
    memset(&f->entries[f->n], 0, sizeof *e);
}

void forge_move(struct forge *f, const char *name, size_t to)
{
    struct forge_entry *e = forge_find(f, name), copy = *e;
    memmove(e, e + 1, (size_t)(&f->entries[f->n - 1] - e) * sizeof *e);
    memmove(&f->entries[to + 1], &f->entries[to], (f->n - 1 - to) * sizeof *e);
    f->entries[to] = copy;
}

/* ---- write ---- */

static void put_header(struct forge *f, const struct forge_entry *e)
{
    struct ustar_entry h = {.size = e->say_size ? e->say_size : e->body.len};
    unsigned char block[USTAR_BLOCK];
    char sum[8];
    unsigned total = 0;
    (void)snprintf(h.name, sizeof h.name, "%.100s", e->name);
    OK(ustar_encode(block, &h));
    if (e->mangle)
        e->mangle(block);
    if (e->mangle && !e->raw_checksum) {
        memset(block + 148, ' ', 8);
        for (size_t i = 0; i < sizeof block; i++)
            total += block[i];
        (void)snprintf(sum, sizeof sum, "%06o", total & 0777777);
        memcpy(block + 148, sum, 7);
    }
    OK(buf_add(&f->file, block, sizeof block));
}

void forge_write(struct forge *f)
{
    static const char zeros[2 * USTAR_BLOCK], ones[USTAR_BLOCK] = {1};
    f->file.len = 0;
    for (size_t i = 0; i < f->n; i++) {
        const struct forge_entry *e = &f->entries[i];
        put_header(f, e);
        OK(buf_add(&f->file, e->body.at, e->body.len));
        OK(buf_add(&f->file, e->bad_padding ? ones : zeros, ustar_padding(e->body.len)));
    }
    if (f->tail)
        OK(buf_add(&f->file, f->tail, f->tail_len));
    else if (!f->no_end)
        OK(buf_add(&f->file, zeros, sizeof zeros));
    check_write(f->folder, "test.csn.tar", f->file.at, f->file.len);
}

/* ---- check ---- */

struct err *forge_check(const struct forge *f)
{
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = f->pub_path;
    TRY(bundle_open(&b, f->path, &trust, 1));
    return bundle_verify(b, NULL, NULL);
}

/* Only the bundle and the public key are in the folder. */
static void check_nothing_left(const struct forge *f)
{
    size_t n = 0;
    DIR *dir = opendir(f->folder);
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir));)
        n += d->d_name[0] != '.';
    (void)closedir(dir);
    assert_int_equal(n, 2);
}

void forge_file_refused(const struct forge *f, const char *code, const char *place)
{
    struct err *e = forge_check(f);
    if (e && !strstr(err_text(e), place))
        fail_msg("\"%s\" does not name \"%s\"", err_text(e), place);
    FAILS(ERR_UNTRUSTED, code, e);
    check_nothing_left(f);
}

void forge_refused(struct forge *f, const char *code, const char *place)
{
    if (!f->n)
        forge_seal(f);
    forge_write(f);
    forge_file_refused(f, code, place);
}
