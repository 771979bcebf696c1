#include "supply/sign.h"

#include "base/file.h"
#include "base/output.h"
#include "bundle/parts.h"
#include "bundle/root.h"
#include "bundle/sigstore.h"
#include "pack/ustar.h"
#include "pack/ustar_write.h"
#include "supply/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* ---- where it goes ---- */

static struct err *read_header(struct ustar_entry *ret, int fd, uint64_t at)
{
    unsigned char block[USTAR_BLOCK];
    size_t n = 0;
    TRY(fd_read_at(&n, fd, block, sizeof block, at));
    if (n != sizeof block)
        return err_new(ERR_UNTRUSTED, "E_TRUNCATED: at byte %llu", (unsigned long long)at);
    return ustar_decode(ret, block);
}

/* Offsets of what a signature is put in front of. */
struct place {
    uint64_t sig;      /* the first signature that sorts behind it, or what follows them */
    uint64_t sigstore; /* index.json, which follows the sigstore bundles */
    size_t n_sigstores;
    int64_t mtime;
};

/* Where the signature `name` and its sigstore bundle belong, in a file whose head has been checked. */
static struct err *find_place(struct place *ret, int fd, const char *name)
{
    bool in_sigs = false;
    for (uint64_t at = 0;;) {
        struct ustar_entry e = {0};
        TRY(read_header(&e, fd, at));
        bool is_sig = str_starts(e.name, "caisson/sig/");
        if (!ret->sig && (is_sig ? strcmp(e.name, name) > 0 : in_sigs))
            ret->sig = at;
        if (strcmp(e.name, "index.json") == 0) {
            ret->sigstore = at;
            ret->mtime = e.mtime;
            return NULL;
        }
        ret->n_sigstores += str_starts(e.name, "caisson/release.") && strcmp(e.name, "caisson/release.json") != 0;
        in_sigs = is_sig;
        at += ustar_span(e.size);
    }
}

/* ---- the new file ---- */

/* The kernel copies; where it can, it only notes that two files share the bytes. */
static struct err *copy(int from, uint64_t at, uint64_t n, int to)
{
    loff_t where = (loff_t)at;
    while (n) {
        ssize_t r = copy_file_range(from, &where, to, NULL, n < (1U << 30) ? n : (1U << 30), 0);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? err_os(errno, "copy") : err_new(ERR_UNTRUSTED, "E_TRUNCATED: the file became shorter");
        n -= (uint64_t)r;
    }
    return NULL;
}

/* A file of `size` bytes with one signature more, in both of its forms. */
static struct err *write_with(int to, int from, uint64_t size, const struct sig *sig, const struct buf *sigstore)
{
    char name[USTAR_NAME_MAX + 1];
    struct place p = {0};
    (void)snprintf(name, sizeof name, "caisson/sig/%s.sig", sig->keyid);
    TRY(find_place(&p, from, name));
    TRY(copy(from, 0, p.sig, to));
    TRY(ustar_write_member(to, name, p.mtime, sig->bytes, sig->len));
    TRY(copy(from, p.sig, p.sigstore - p.sig, to));
    TRY(sigstore_write(to, p.n_sigstores, p.mtime, sigstore));
    return copy(from, p.sigstore, size - p.sigstore, to);
}

/* What stands there is read back by the reader before it takes the old file's place. */
static struct err *check_new(const struct sign_opts *o, const char *tmp, const struct bundle *old)
{
    OWN_BUNDLE struct bundle *b = NULL;
    TRY(bundle_open_to_sign(&b, tmp, o->trust, o->n_trust));
    return strcmp(bundle_digest(b), bundle_digest(old)) == 0
               ? NULL
               : err_new(ERR_UNTRUSTED, "E_DIGEST: %s was changed meanwhile", o->path);
}

static struct err *replace(const struct sign_opts *o, const struct sig *sig, const struct buf *sigstore,
                           const struct bundle *old)
{
    struct stat st;
    OWN_OUTPUT struct output out = {.fd = -1};
    OWN_FD int from = open(o->path, O_RDONLY | O_CLOEXEC);
    if (from < 0 || fstat(from, &st) < 0)
        return err_os(errno, "%s", o->path);
    uint64_t size = (uint64_t)st.st_size;
    TRY(output_open(&out, o->path, size + ustar_span(sig->len) + ustar_span(sigstore->len)));
    TRY_CTX(write_with(out.fd, from, size, sig, sigstore), "%s", o->path);
    TRY(check_new(o, out.tmp, old));
    TRY(output_commit(&out));
    (void)fchmod(out.fd, st.st_mode & 0777); /* as it was; FAT has no modes and may refuse */
    return NULL;
}

static struct err *add(const struct sign_opts *o, const struct bundle *b)
{
    OWN_BUF struct buf release = {0}, sigstore = {0};
    struct sigs sigs = {0};
    TRY(doc_json_write(&release, bundle_release(b))); /* canonical: the bytes it was read from */
    TRY(keys_sign(&sigs, o->key, FORMAT_RELEASE_PAYLOAD, &release));
    TRY(sigstore_make(&sigstore, &release, &sigs.at[0]));
    return replace(o, &sigs.at[0], &sigstore, b);
}

/* ---- all of it ---- */

static struct err *check_role(const struct bundle *b, const char *id)
{
    if (root_has(bundle_root(b), "release", id))
        return NULL;
    return err_hint(err_new(ERR_REFUSED, "%s: E_KEY_ROLE: key %.16s is not in roles.release.keyids of root document %s",
                            bundle_path(b), id, doc_text(bundle_root(b), "version")),
                    "sign with the key of a release officer");
}

static struct doc *result(const struct bundle *b, const char *id, bool added)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "path", bundle_path(b));
    doc_set_fmt(d, "digest", "sha256:%s", bundle_digest(b));
    struct doc *signers = doc_set_texts(d, "signers", bundle_signers(b));
    if (added)
        doc_add_text(signers, id);
    doc_set_int(d, "threshold", (int64_t)root_threshold(bundle_root(b), "release"));
    doc_set_bool(d, "added", added);
    return d;
}

static struct err *sign_trusted(struct doc **ret, const struct sign_opts *o)
{
    OWN_BUNDLE struct bundle *b = NULL;
    char id[DIGEST_HEX];
    TRY(key_id(id, o->key));
    TRY(bundle_open_to_sign(&b, o->path, o->trust, o->n_trust));
    TRY(check_role(b, id));
    TRY(bundle_verify(b, o->progress, o->self));
    bool added = !strs_has(bundle_signers(b), id);
    if (added)
        TRY(add(o, b));
    *ret = result(b, id, added);
    return NULL;
}

struct err *sign_bundle(struct doc **ret, const struct sign_opts *o)
{
    OWN_BUF struct buf pem = {0};
    OWN_FD int fd = -1;
    char path[64];
    const char *own = path;
    struct sign_opts with = *o;
    if (parts_is_list(o->path))
        return err_hint(err_new(ERR_USAGE, "%s: a bundle in parts", o->path), "sign the one file, then split it");
    if (o->n_trust)
        return sign_trusted(ret, o);
    TRY(key_public_pem(&pem, o->key));
    TRY(keys_memory_file(&fd, path, pem.at, pem.len));
    with.trust = &own;
    with.n_trust = 1;
    return sign_trusted(ret, &with);
}
