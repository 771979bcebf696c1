#include "supply/build.h"

#include "base/file.h"
#include "base/str.h"
#include "bundle/bundle.h"
#include "bundle/format.h"
#include "pack/ustar.h"
#include "pack/ustar_write.h"
#include "supply/assemble.h"
#include "supply/keys.h"
#include "supply/output.h"
#include "supply/statement.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* All that goes into the file. */
struct job {
    struct recipe recipe;
    struct assembly assembly;
    struct key *key, *root_key;
    struct doc *required; /* element of `requires`, or NULL */
    struct buf index, release, root;
    struct buf release_sig, root_sig;
};

static void job_done(struct job *j)
{
    recipe_done(&j->recipe);
    assemble_done(&j->assembly);
    key_free(j->key);
    key_free(j->root_key);
    doc_free(j->required);
    buf_done(&j->index);
    buf_done(&j->release);
    buf_done(&j->root);
    buf_done(&j->release_sig);
    buf_done(&j->root_sig);
}

/* ---- the bundle that an add-on needs ---- */

/* The key's public half as a file that bundle_open() can read: /proc/self/fd/N of a memory file. */
static struct err *public_file(int *ret_fd, char ret_path[64], const struct key *key)
{
    OWN_BUF struct buf pem = {0};
    TRY(key_public_pem(&pem, key));
    OWN_FD int fd = memfd_create("public key", MFD_CLOEXEC);
    if (fd < 0)
        return err_os(errno, "memory file");
    TRY(fd_write_all(fd, pem.at, pem.len));
    (void)snprintf(ret_path, 64, "/proc/self/fd/%d", fd);
    *ret_fd = TAKE_FD(fd);
    return NULL;
}

static struct err *open_required(struct bundle **ret, const struct job *j)
{
    const struct build_opts *o = j->recipe.opts;
    char path[64];
    OWN_FD int fd = -1;
    const char *own = path;
    if (o->trust)
        return bundle_open(ret, o->requires, o->trust, o->n_trust);
    TRY(public_file(&fd, path, j->key));
    return bundle_open(ret, o->requires, &own, 1);
}

static struct err *check_required(const struct job *j, const struct bundle *b, const char *profile)
{
    const struct doc *release = bundle_release(b);
    const char *has = doc_text(release, "predicate.profile"), *product = doc_text(release, "predicate.product");
    if (!str_eq(has, profile))
        return err_new(ERR_USAGE, "E_REQUIRES: %s is profile %s; profile %s requires %s", bundle_path(b), has,
                       j->recipe.name, profile);
    if (!str_eq(product, build_product(j->recipe.opts)))
        return err_new(ERR_USAGE, "E_PRODUCT: %s is of product %s", bundle_path(b), product);
    return NULL;
}

static struct err *read_required(struct job *j)
{
    OWN_BUNDLE struct bundle *b = NULL;
    const struct doc *want = doc_path(j->recipe.profile, "spec.requires");
    if (!want && j->recipe.opts->requires)
        return doc_err(ERR_USAGE, j->recipe.profile, "profile %s requires no other bundle", j->recipe.name);
    if (!want)
        return NULL;
    if (want->kind != DOC_STRING)
        return doc_err(ERR_USAGE, want, "requires must be the name of a profile");
    if (!j->recipe.opts->requires)
        return err_hint(doc_err(ERR_USAGE, want, "E_REQUIRES: this profile is an add-on to profile %s", want->text),
                        "name that bundle: --requires FILE");
    TRY_CTX(open_required(&b, j), "--requires");
    TRY(check_required(j, b, want->text));
    j->required = doc_new_map();
    doc_set_text(j->required, "profile", want->text);
    doc_set_fmt(j->required, "releaseDigest", "sha256:%s", bundle_digest(b));
    return NULL;
}

/* ---- writing ---- */

static struct err *write_sig(int fd, const char *folder, const struct key *key, const struct buf *sig, int64_t mtime)
{
    char id[DIGEST_HEX], name[USTAR_NAME_MAX + 1];
    TRY(key_id(id, key));
    (void)snprintf(name, sizeof name, "%s/%s.sig", folder, id);
    return ustar_write_member(fd, name, mtime, sig->at, sig->len);
}

static struct err *write_head(int fd, const struct job *j)
{
    int64_t t = j->recipe.opts->source_date_epoch;
    TRY(ustar_write_member(fd, "oci-layout", t, FORMAT_LAYOUT, strlen(FORMAT_LAYOUT)));
    TRY(ustar_write_member(fd, "caisson/format", t, FORMAT_FULL, strlen(FORMAT_FULL)));
    TRY(ustar_write_member(fd, "caisson/root/0001/root.json", t, j->root.at, j->root.len));
    TRY(write_sig(fd, "caisson/root/0001", j->root_key ? j->root_key : j->key, &j->root_sig, t));
    TRY(ustar_write_member(fd, "caisson/release.json", t, j->release.at, j->release.len));
    TRY(write_sig(fd, "caisson/sig", j->key, &j->release_sig, t));
    return ustar_write_member(fd, "index.json", t, j->index.at, j->index.len);
}

static struct err *write_blobs(int fd, const struct job *j)
{
    const struct content *c = &j->assembly.content;
    uint64_t done = 0, total = 0;
    for (size_t i = 0; i < c->n; i++)
        total += c->at[i].size;
    for (size_t i = 0; i < c->n; i++) {
        const struct blob *b = &c->at[i];
        char name[USTAR_NAME_MAX + 1];
        (void)snprintf(name, sizeof name, "blobs/sha256/%s", b->hex);
        TRY(ustar_write_header(fd, name, b->size, j->recipe.opts->source_date_epoch));
        TRY(content_copy(b, fd));
        TRY(ustar_write_padding(fd, b->size));
        done += b->size;
        TRY(recipe_tell(&j->recipe, "write", done, total));
    }
    return ustar_write_end(fd);
}

/* What the file will have at least: all of it but a few headers. */
static uint64_t space_needed(const struct job *j)
{
    uint64_t bytes = j->release.len + j->index.len;
    for (size_t i = 0; i < j->assembly.content.n; i++)
        bytes += ustar_span(j->assembly.content.at[i].size);
    return bytes;
}

static struct err *write_bundle(const struct job *j, uint64_t *ret_bytes)
{
    OWN_OUTPUT struct output out = {.fd = -1};
    struct stat st;
    TRY(output_open(&out, j->recipe.opts->out, space_needed(j)));
    TRY(write_head(out.fd, j));
    TRY(write_blobs(out.fd, j));
    if (fstat(out.fd, &st) < 0)
        return err_os(errno, "%s", out.path);
    *ret_bytes = (uint64_t)st.st_size;
    return output_commit(&out);
}

/* ---- all of it ---- */

static struct err *sign(struct buf *out, const struct key *key, const char *type, const struct buf *body)
{
    OWN_BUF struct buf pae = {0};
    TRY(format_pae(&pae, type, body->at, body->len));
    return key_sign(out, key, pae.at, pae.len);
}

static struct err *check_opts(const struct build_opts *o)
{
    if (o->sequence > (uint64_t)FORMAT_INT_MAX || o->source_date_epoch < 0 || o->source_date_epoch > UINT32_MAX)
        return err_new(ERR_USAGE, "sequence or SOURCE_DATE_EPOCH is out of range");
    TRY_CTX(err_as(format_name(build_product(o)), ERR_USAGE), "product");
    return o->channel ? err_wrap(err_as(format_name(o->channel), ERR_USAGE), "channel") : NULL;
}

static struct err *load_keys(struct job *j, const struct build_opts *o)
{
    TRY(keys_load(&j->key, o->key, o->ask));
    return o->root_key ? keys_load(&j->root_key, o->root_key, o->ask) : NULL;
}

static struct err *prepare(struct job *j, const struct build_opts *o)
{
    TRY(check_opts(o));
    TRY(load_keys(j, o));
    TRY(recipe_load(&j->recipe, o));
    TRY(read_required(j));
    TRY(assemble(&j->assembly, &j->recipe));
    TRY(doc_json_write(&j->index, j->assembly.index));
    TRY(statement_release(&j->release, &j->recipe, &j->assembly, &j->index, j->required));
    TRY(statement_root(&j->root, o, j->root_key ? j->root_key : j->key, j->key));
    TRY(sign(&j->release_sig, j->key, FORMAT_RELEASE_PAYLOAD, &j->release));
    return sign(&j->root_sig, j->root_key ? j->root_key : j->key, FORMAT_ROOT_PAYLOAD, &j->root);
}

const char *build_product(const struct build_opts *o)
{
    return o->product ? o->product : "caisson";
}

struct err *bundle_build(struct build_result *ret, const struct build_opts *o, build_progress progress, void *self)
{
    OWN(job_done) struct job j = {.recipe = {.progress = progress, .progress_self = self}};
    TRY(prepare(&j, o));
    TRY(write_bundle(&j, &ret->bytes));
    ret->members = j.assembly.content.n + 1;
    return digest_hex(ret->digest, j.release.at, j.release.len);
}
