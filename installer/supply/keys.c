#include "supply/keys.h"

#include "base/file.h"
#include "base/str.h"
#include "bundle/format.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { KEY_FILE_MAX = 64 << 10 };

/* Creates, never overwrites; durable on return. */
static struct err *write_new(const char *path, const struct buf *text, mode_t mode)
{
    OWN_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0 && errno == EEXIST)
        return err_hint(err_new(ERR_REFUSED, "%s exists; keys are never overwritten", path), "choose another name");
    if (fd < 0)
        return err_hint(err_as(err_os(errno, "create %s", path), ERR_USAGE),
                        "NAME may have a folder in front, which must be there");
    struct err *e = fd_write_all(fd, text->at, text->len);
    if (!e && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
        e = err_os(errno, "write %s", path);
    if (!e)
        e = file_sync_parent(AT_FDCWD, path);
    if (e)
        (void)unlink(path);
    return err_wrap(e, "%s", path);
}

static struct err *must_be_free(const char *path)
{
    if (!file_exists(AT_FDCWD, path))
        return NULL;
    return err_hint(err_new(ERR_REFUSED, "%s exists; keys are never overwritten", path), "choose another name");
}

struct err *keys_write_public(const char *path, const struct key *key)
{
    OWN_BUF struct buf pub = {0};
    TRY(key_public_pem(&pub, key));
    return write_new(path, &pub, 0644);
}

static struct err *write_pair(const struct key *key, const char *key_path, const char *pub_path, const char *passphrase)
{
    OWN_SECRET_BUF struct buf secret = {0};
    TRY(passphrase ? key_private_pem_protected(&secret, key, passphrase) : key_private_pem(&secret, key));
    TRY(must_be_free(pub_path));
    TRY(write_new(key_path, &secret, 0600));
    struct err *e = keys_write_public(pub_path, key);
    if (e)
        (void)unlink(key_path); /* half a pair is of no use, and it was made here */
    return e;
}

struct err *keys_generate(char ret_id[65], const char *name, enum keys_scheme scheme, const char *passphrase)
{
    OWN_KEY struct key *key = NULL;
    if (key_is_uri(name))
        return err_hint(err_new(ERR_USAGE, "%s: keys are made as files here, not in tokens", name),
                        "make it with the token's own tool, such as pkcs11-tool --keypairgen; then: caisson key show "
                        "URI --out FILE");
    OWN_FREE char *key_path = str_fmt("%s.key", name);
    OWN_FREE char *pub_path = str_fmt("%s.pub", name);
    if (!key_path || !pub_path)
        return err_os(ENOMEM, "key");
    TRY(scheme == KEYS_ED25519 ? key_new_ed25519(&key) : key_new_ec(&key));
    TRY(key_id(ret_id, key));
    return write_pair(key, key_path, pub_path, passphrase);
}

static struct err *must_be_private(const char *what, const char *path, const struct stat *st)
{
    if (!(st->st_mode & 077))
        return NULL;
    return err_hint(err_new(ERR_REFUSED, "%s %s may be read by others than its owner", what, path), "chmod 600 %s",
                    path);
}

static struct err *read_all(struct buf *out, struct stat *st, const char *what, const char *path, size_t max)
{
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC); /* of a pipe, what is written into it is awaited */
    if (fd < 0 || fstat(fd, st) < 0)
        return err_as(err_os(errno, "%s %s", what, path), ERR_USAGE);
    if (S_ISDIR(st->st_mode))
        return err_new(ERR_USAGE, "%s %s is a folder", what, path);
    out->max = max;
    return err_wrap(fd_read_all(fd, out), "%s %s", what, path);
}

struct err *keys_read_secret(struct buf *out, const char *what, const char *path, size_t max)
{
    struct stat st;
    TRY(read_all(out, &st, what, path, max));
    return must_be_private(what, path, &st);
}

static struct err *unlock(struct key **ret, const struct buf *pem, const char *path, const struct keys_ask *ask)
{
    OWN_SECRET_BUF struct buf passphrase = {0};
    if (!key_pem_is_protected(buf_text(pem), pem->len))
        return key_from_pem(ret, buf_text(pem), pem->len, NULL);
    if (ask)
        TRY(ask->passphrase(ask->self, &passphrase, path));
    return key_from_pem(ret, buf_text(pem), pem->len, ask ? buf_text(&passphrase) : NULL);
}

static struct err *must_sign(const struct key *key)
{
    return format_key_scheme(key) ? NULL
                                  : err_new(ERR_USAGE, "P-256 and Ed25519 keys can sign releases, this one cannot");
}

static struct err *parse_public(struct key **ret, const struct buf *pem, const char *path)
{
    OWN_KEY struct key *key = NULL;
    struct err *e = key_public_from_pem(&key, buf_text(pem), pem->len);
    if (!e)
        e = must_sign(key);
    if (e)
        return err_hint(err_as(err_wrap(e, "public key %s", path), ERR_USAGE),
                        "it must be a public key in PEM, as `caisson key generate` writes it: NAME.pub");
    *ret = TAKE(key);
    return NULL;
}

/* Read once, as a pipe gives its bytes but once; whoever likes may read a public half. */
static struct err *load_file(struct key **ret, const char *path, const struct keys_ask *ask, bool any)
{
    OWN_SECRET_BUF struct buf pem = {0};
    struct stat st;
    TRY(read_all(&pem, &st, "key", path, KEY_FILE_MAX));
    bool public = str_starts(buf_text(&pem), "-----BEGIN PUBLIC KEY-----");
    if (public && any)
        return parse_public(ret, &pem, path);
    if (public)
        return err_hint(err_new(ERR_USAGE, "key %s is the public half", path), "the private half signs: NAME.key");
    TRY(must_be_private("key", path, &st));
    return err_wrap(unlock(ret, &pem, path, ask), "key %s", path);
}

/* The file of a `file:` URI (RFC 8089), as OpenSSL finds it; NULL: another one. */
static const char *file_of(const char *uri)
{
    static const char *const starts[] = {"file://localhost/", "file:///", "file:"};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        if (str_starts(uri, starts[i]))
            return uri + strlen(starts[i]) - (str_ends(starts[i], "/") ? 1 : 0);
    return NULL;
}

static struct err *load_uri(struct key **ret, const char *uri, const struct keys_ask *ask)
{
    static const struct keys_ask nobody;
    struct stat st;
    const char *path = file_of(uri);
    ask = ask ? ask : &nobody;
    if (path && stat(path, &st) == 0)
        TRY(must_be_private("key", path, &st));
    struct key_pin pin = {ask->passphrase, ask->self};
    return err_wrap(key_from_uri(ret, uri, ask->providers, ask->n_providers, pin), "key %s", uri);
}

const char *keys_scheme_name(const struct key *key)
{
    return str_eq(format_key_scheme(key), FORMAT_SCHEME_ED25519) ? "ed25519" : "p256";
}

static struct err *load(struct key **ret, const char *path, const struct keys_ask *ask, bool any)
{
    OWN_KEY struct key *key = NULL;
    struct err *e = key_is_uri(path) ? load_uri(&key, path, ask) : load_file(&key, path, ask, any);
    if (e && err_kind(e) != ERR_UNTRUSTED)
        return e;
    if (!e)
        e = err_wrap(must_sign(key), "key %s", path);
    if (e) /* of another kind */
        return err_hint(e, "keys that sign releases are of P-256 or Ed25519: caisson key generate");
    *ret = TAKE(key);
    return NULL;
}

struct err *keys_load(struct key **ret, const char *path, const struct keys_ask *ask)
{
    return load(ret, path, ask, false);
}

struct err *keys_load_any(struct key **ret, const char *path, const struct keys_ask *ask)
{
    return load(ret, path, ask, true);
}

struct err *keys_load_public(struct key **ret, const char *path)
{
    OWN_BUF struct buf pem = {.max = KEY_FILE_MAX};
    TRY(file_read_named(&pem, "public key", path));
    return parse_public(ret, &pem, path);
}

struct err *keys_sign(struct sigs *to, const struct key *key, const char *type, const struct buf *body)
{
    OWN_BUF struct buf pae = {0}, sig = {0};
    char id[DIGEST_HEX];
    TRY(key_id(id, key));
    TRY(format_pae(&pae, type, body->at, body->len));
    TRY(key_sign(&sig, key, pae.at, pae.len));
    return sigs_put(to, id, sig.at, sig.len);
}

struct err *keys_memory_file(int *ret_fd, char ret_path[64], const void *p, size_t n)
{
    OWN_FD int fd = memfd_create("trust", MFD_CLOEXEC);
    if (fd < 0)
        return err_os(errno, "memory file");
    TRY(fd_write_all(fd, p, n));
    (void)snprintf(ret_path, 64, "/proc/self/fd/%d", fd);
    *ret_fd = TAKE_FD(fd);
    return NULL;
}
