#include "supply/build.h"

#include "base/file.h"
#include "base/output.h"
#include "base/str.h"
#include "bundle/bundle.h"
#include "bundle/format.h"
#include "bundle/release.h"
#include "bundle/sigstore.h"
#include "pack/ustar.h"
#include "pack/ustar_write.h"
#include "supply/assemble.h"
#include "supply/chain.h"
#include "supply/keys.h"
#include "supply/refs.h"
#include "supply/statement.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* All that goes into the file. */
struct job {
    struct recipe recipe;
    struct assembly assembly;
    struct key *key;
    struct bundle *required; /* of an add-on: the bundle that it needs; or NULL */
    struct chain chain;
    struct buf index, release;
    struct sigs sigs; /* of the release */
};

static void job_done(struct job *j)
{
    recipe_done(&j->recipe);
    assemble_done(&j->assembly);
    key_free(j->key);
    bundle_free(j->required);
    chain_done(&j->chain);
    buf_done(&j->index);
    buf_done(&j->release);
}

/* ---- the bundle that an add-on needs ---- */

/* Trust for it, unless it was named: the first of our root documents, or the root key of the one made here. */
static struct err *own_trust(int *ret_fd, char ret_path[64], const struct job *j)
{
    const struct buf *first = &j->chain.raw[0].bytes;
    if (j->recipe.opts->root)
        return keys_memory_file(ret_fd, ret_path, first->at, first->len);
    const struct doc *root = chain_last(&j->chain);
    const char *id = doc_path(root, "roles.root.keyids")->child->text;
    const char *pem = doc_text(doc_get(doc_get(root, "keys"), id), "spki");
    return keys_memory_file(ret_fd, ret_path, pem, strlen(pem));
}

static struct err *open_required(struct bundle **ret, const struct job *j)
{
    const struct build_opts *o = j->recipe.opts;
    char path[64];
    OWN_FD int fd = -1;
    const char *own = path;
    if (o->trust)
        return bundle_open(ret, o->requires, o->trust, o->n_trust);
    TRY(own_trust(&fd, path, j));
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
    TRY_CTX(open_required(&j->required, j), "--requires");
    return check_required(j, j->required, want->text);
}

/* ---- writing ---- */

static struct err *write_sigs(int fd, const char *folder, const struct sigs *sigs, int64_t mtime)
{
    for (size_t i = 0; i < sigs->n; i++) {
        const struct sig *sig = &sigs->at[i];
        char name[USTAR_NAME_MAX + 1];
        (void)snprintf(name, sizeof name, "%s/%s.sig", folder, sig->keyid);
        TRY(ustar_write_member(fd, name, mtime, sig->bytes, sig->len));
    }
    return NULL;
}

static struct err *write_roots(int fd, const struct chain *c, int64_t mtime)
{
    for (size_t i = 0; i < c->n; i++) {
        char folder[64], name[USTAR_NAME_MAX + 1];
        (void)snprintf(folder, sizeof folder, "caisson/root/%04zu", i + 1);
        (void)snprintf(name, sizeof name, "%s/root.json", folder);
        TRY(ustar_write_member(fd, name, mtime, c->raw[i].bytes.at, c->raw[i].bytes.len));
        TRY(write_sigs(fd, folder, &c->raw[i].sigs, mtime));
    }
    return NULL;
}

static struct err *write_sigstores(int fd, const struct job *j, int64_t mtime)
{
    for (size_t i = 0; i < j->sigs.n; i++) {
        OWN_BUF struct buf text = {0};
        TRY(sigstore_make(&text, &j->release, &j->sigs.at[i]));
        TRY(sigstore_write(fd, i, mtime, &text));
    }
    return NULL;
}

static struct err *write_head(int fd, const struct job *j)
{
    int64_t t = j->recipe.opts->source_date_epoch;
    TRY(ustar_write_member(fd, "oci-layout", t, FORMAT_LAYOUT, strlen(FORMAT_LAYOUT)));
    TRY(ustar_write_member(fd, "caisson/format", t, FORMAT_FULL, strlen(FORMAT_FULL)));
    TRY(write_roots(fd, &j->chain, t));
    TRY(ustar_write_member(fd, "caisson/release.json", t, j->release.at, j->release.len));
    TRY(write_sigs(fd, "caisson/sig", &j->sigs, t));
    TRY(write_sigstores(fd, j, t));
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

static struct err *check_opts(const struct build_opts *o)
{
    if (o->sequence > (uint64_t)FORMAT_INT_MAX || o->source_date_epoch < 0 || o->source_date_epoch > UINT32_MAX)
        return err_new(ERR_USAGE, "sequence or SOURCE_DATE_EPOCH is out of range");
    TRY_CTX(err_as(format_name(build_product(o)), ERR_USAGE), "--product");
    return o->channel ? err_wrap(err_as(format_name(o->channel), ERR_USAGE), "--channel") : NULL;
}

/* ---- root documents: the publisher's, or one made here ---- */

static struct err *load_chain(struct job *j, const char *dir, const struct build_opts *o)
{
    char id[DIGEST_HEX];
    TRY(chain_load(&j->chain, dir));
    TRY_CTX(chain_complete(&j->chain), "%s", dir);
    TRY(key_id(id, j->key));
    const char *product = doc_text(chain_last(&j->chain), "product");
    if (o->product && !str_eq(o->product, product))
        return err_new(ERR_USAGE, "E_PRODUCT: %s is of product %s", dir, product);
    if (root_has(chain_last(&j->chain), "release", id))
        return NULL;
    return err_hint(err_new(ERR_REFUSED, "E_KEY_ROLE: key %s is not in roles.release.keyids of %s", o->key, dir),
                    "caisson root show lists them");
}

/* One key for each role. The same keys and product give the same bytes. */
static struct err *make_chain(struct job *j, const struct build_opts *o)
{
    OWN_KEY struct key *other = NULL;
    OWN_DOC struct doc *root = statement_root(build_product(o), 1, o->epoch);
    if (o->root_key)
        TRY(keys_load(&other, o->root_key, o->ask));
    struct key *root_key = other ? other : j->key;
    TRY(statement_role(root, "root", 1, &root_key, 1));
    TRY(statement_role(root, "release", 1, &j->key, 1));
    return chain_of(&j->chain, root, root_key);
}

/* The options as the root documents complete them. */
static struct err *begin(struct job *j, struct build_opts *o)
{
    TRY(check_opts(o));
    TRY(keys_load(&j->key, o->key, o->ask));
    if (!o->root)
        return make_chain(j, o);
    TRY(load_chain(j, o->root, o));
    o->product = doc_text(chain_last(&j->chain), "product");
    o->epoch = (uint32_t)doc_int(chain_last(&j->chain), "epoch", 0);
    return NULL;
}

/* The same inputs give the same release, which may have been withdrawn. */
static struct err *check_deny(const struct job *j, const char *dir)
{
    bool denied = false;
    TRY(root_denies(&denied, chain_last(&j->chain), &j->release));
    if (!denied)
        return NULL;
    return err_hint(err_new(ERR_REFUSED, "E_DENIED: root document %zu of %s forbids this release", j->chain.n, dir),
                    "give the release that replaces it another --version and --sequence");
}

/* What no reader takes is not signed. */
static struct err *check_release(const struct job *j)
{
    OWN_DOC struct doc *again = NULL;
    return err_hint(err_as(release_parse(&again, &j->release), ERR_USAGE),
                    "an option, the profile or a definition says what no release may");
}

static struct err *prepare(struct job *j, const struct build_opts *o)
{
    TRY(recipe_load(&j->recipe, o));
    TRY(read_required(j));
    TRY(refs_check(&j->recipe, j->required));
    TRY(assemble(&j->assembly, &j->recipe));
    TRY(doc_json_write(&j->index, j->assembly.index));
    TRY(statement_release(&j->release, &j->recipe, &j->assembly, &j->index, j->required));
    TRY(check_release(j));
    TRY(check_deny(j, o->root));
    return keys_sign(&j->sigs, j->key, FORMAT_RELEASE_PAYLOAD, &j->release);
}

struct err *bundle_build(struct build_result *ret, const struct build_opts *o, build_progress progress, void *self)
{
    OWN(job_done) struct job j = {.recipe = {.progress = progress, .progress_self = self}};
    struct build_opts all = *o;
    TRY(begin(&j, &all));
    TRY(prepare(&j, &all));
    TRY(write_bundle(&j, &ret->bytes));
    ret->members = j.assembly.content.n + 1;
    ret->signatures = j.sigs.n;
    ret->threshold = root_threshold(chain_last(&j.chain), "release");
    return digest_hex(ret->digest, j.release.at, j.release.len);
}
