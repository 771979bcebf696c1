#include "supply/keys.h"

#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
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

static struct err *write_pair(const struct key *key, const char *key_path, const char *pub_path)
{
    OWN_SECRET_BUF struct buf secret = {0};
    OWN_BUF struct buf pub = {0};
    TRY(key_private_pem(&secret, key));
    TRY(key_public_pem(&pub, key));
    if (file_exists(AT_FDCWD, pub_path))
        return err_hint(err_new(ERR_REFUSED, "%s exists; keys are never overwritten", pub_path), "choose another name");
    TRY(write_new(key_path, &secret, 0600));
    struct err *e = write_new(pub_path, &pub, 0644);
    if (e)
        (void)unlink(key_path); /* half a pair is of no use, and it was made here */
    return e;
}

struct err *keys_generate(char ret_id[65], const char *name)
{
    OWN_KEY struct key *key = NULL;
    OWN_FREE char *key_path = str_fmt("%s.key", name);
    OWN_FREE char *pub_path = str_fmt("%s.pub", name);
    if (!key_path || !pub_path)
        return err_os(ENOMEM, "key");
    TRY(key_new_ec(&key));
    TRY(key_id(ret_id, key));
    return write_pair(key, key_path, pub_path);
}

struct err *keys_load(struct key **ret, const char *path)
{
    OWN_SECRET_BUF struct buf pem = {.max = KEY_FILE_MAX};
    struct stat st;
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_as(err_os(errno, "key %s", path), ERR_USAGE);
    if (st.st_mode & 077)
        return err_hint(err_new(ERR_REFUSED, "key %s may be read by others than its owner", path), "chmod 600 %s",
                        path);
    TRY_CTX(fd_read_all(fd, &pem), "key %s", path);
    return err_wrap(key_from_pem(ret, buf_text(&pem), pem.len, NULL), "key %s", path);
}
