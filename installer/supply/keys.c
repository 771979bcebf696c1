#include "supply/keys.h"

#include "base/file.h"
#include "base/str.h"
#include "bundle/format.h"

#include <errno.h>
#include <fcntl.h>
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

static struct err *write_pair(const struct key *key, const char *key_path, const char *pub_path, const char *passphrase)
{
    OWN_SECRET_BUF struct buf secret = {0};
    OWN_BUF struct buf pub = {0};
    TRY(passphrase ? key_private_pem_protected(&secret, key, passphrase) : key_private_pem(&secret, key));
    TRY(key_public_pem(&pub, key));
    if (file_exists(AT_FDCWD, pub_path))
        return err_hint(err_new(ERR_REFUSED, "%s exists; keys are never overwritten", pub_path), "choose another name");
    TRY(write_new(key_path, &secret, 0600));
    struct err *e = write_new(pub_path, &pub, 0644);
    if (e)
        (void)unlink(key_path); /* half a pair is of no use, and it was made here */
    return e;
}

struct err *keys_generate(char ret_id[65], const char *name, enum keys_scheme scheme, const char *passphrase)
{
    OWN_KEY struct key *key = NULL;
    OWN_FREE char *key_path = str_fmt("%s.key", name);
    OWN_FREE char *pub_path = str_fmt("%s.pub", name);
    if (!key_path || !pub_path)
        return err_os(ENOMEM, "key");
    TRY(scheme == KEYS_ED25519 ? key_new_ed25519(&key) : key_new_ec(&key));
    TRY(key_id(ret_id, key));
    return write_pair(key, key_path, pub_path, passphrase);
}

struct err *keys_read_secret(struct buf *out, const char *what, const char *path, size_t max)
{
    struct stat st;
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_as(err_os(errno, "%s %s", what, path), ERR_USAGE);
    if (st.st_mode & 077)
        return err_hint(err_new(ERR_REFUSED, "%s %s may be read by others than its owner", what, path), "chmod 600 %s",
                        path);
    out->max = max;
    return err_wrap(fd_read_all(fd, out), "%s %s", what, path);
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

struct err *keys_load(struct key **ret, const char *path, const struct keys_ask *ask)
{
    OWN_SECRET_BUF struct buf pem = {0};
    TRY(keys_read_secret(&pem, "key", path, KEY_FILE_MAX));
    return err_wrap(unlock(ret, &pem, path, ask), "key %s", path);
}

struct err *keys_load_public(struct key **ret, const char *path)
{
    OWN_BUF struct buf pem = {.max = KEY_FILE_MAX}, again = {0};
    OWN_KEY struct key *key = NULL;
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_as(err_os(errno, "public key %s", path), ERR_USAGE);
    TRY_CTX(fd_read_all(fd, &pem), "public key %s", path);
    struct err *e = key_public_from_pem(&key, buf_text(&pem), pem.len);
    if (!e)
        e = key_public_pem(&again, key);
    if (!e && !format_scheme(buf_text(&again)))
        e = err_new(ERR_USAGE, "P-256 and Ed25519 keys can sign releases, this one cannot");
    if (e)
        return err_hint(err_as(err_wrap(e, "public key %s", path), ERR_USAGE),
                        "it must be a public key in PEM, as `caisson key generate` writes it: NAME.pub");
    *ret = TAKE(key);
    return NULL;
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
