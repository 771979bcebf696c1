#include "supply/cache.h"

#include "base/file.h"
#include "crypt/digest.h"
#include "pack/member.h"
#include "supply/download.h"
#include "supply/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

char *cache_path(const char *cache, const char *hex)
{
    return str_fmt("%s/blobs/sha256/%s", cache, hex);
}

bool cache_has(const char *cache, const char *hex, uint64_t size)
{
    char have[DIGEST_HEX];
    uint64_t bytes = 0;
    OWN_FREE char *path = cache_path(cache, hex);
    OWN_FD int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    struct err *e = fd < 0 ? NULL : digest_fd(have, fd, &bytes);
    bool same = fd >= 0 && !e && bytes == size && strcmp(have, hex) == 0;
    err_ignore(e);
    return same;
}

/* A folder of the cache, made when it is missing. */
static struct err *folder(const char *cache, const char *name)
{
    OWN_FREE char *path = str_fmt("%s/%s", cache, name);
    return path ? file_mkdirs(AT_FDCWD, path, 0755) : err_os(ENOMEM, "cache");
}

struct err *cache_put(const char *cache, const char *hex, const void *p, size_t n)
{
    OWN_FREE char *path = cache_path(cache, hex);
    if (!path)
        return err_os(ENOMEM, "cache");
    TRY(folder(cache, "blobs/sha256"));
    return file_replace(AT_FDCWD, path, p, n, 0644);
}

/* Gives the file, which is on the disk, the name of its digest. */
static struct err *adopt(const char *cache, const char *tmp, const char *hex)
{
    OWN_FREE char *path = cache_path(cache, hex);
    if (!path)
        return err_os(ENOMEM, "cache");
    TRY(folder(cache, "blobs/sha256"));
    if (rename(tmp, path) < 0)
        return err_os(errno, "%s", path);
    return file_sync_parent(AT_FDCWD, path);
}

/* ---- out of the net ---- */

/* Its name until its digest is known: that of the address, so that a later run goes on with it. */
static struct err *tmp_of(char **ret, const char *cache, const char *url)
{
    char hex[DIGEST_HEX];
    TRY(digest_hex(hex, url, strlen(url)));
    TRY(folder(cache, "tmp"));
    *ret = str_fmt("%s/tmp/%s", cache, hex);
    return *ret ? NULL : err_os(ENOMEM, "cache");
}

/* Nobody knows the digest yet: what is on the way must not be changed there. */
static struct err *check_sources(const struct strs *urls)
{
    for (size_t i = 0; i < urls->n; i++)
        if (!str_starts(urls->at[i], "https://"))
            return err_hint(
                err_new(ERR_USAGE, "--mirror: %s: it must be https for what is not locked yet", urls->at[i]),
                "a mirror over http can serve what the lock has");
    return NULL;
}

struct err *cache_download(struct payload *ret, const char *cache, const char *url, uint64_t max, struct net *net,
                           void (*progress)(void *self, int64_t bytes), void *self)
{
    OWN_FREE char *tmp = NULL;
    OWN_STRS struct strs urls = {0};
    OWN_DOC struct doc *list = doc_new_list();
    struct download_result result = {0};
    doc_add_text(list, url);
    TRY(tmp_of(&tmp, cache, url));
    TRY(net_sources(&urls, net, list));
    TRY(check_sources(&urls));
    const struct download d = {.path = tmp, .urls = &urls, .max = max, .progress = progress, .self = self};
    TRY(download(&result, &d, net));
    if (!result.size) {
        (void)unlink(tmp);
        return err_new(ERR_UNTRUSTED, "E_LOCK: %s is empty", url);
    }
    memcpy(ret->sha256, result.sha256, sizeof ret->sha256);
    ret->size = result.size;
    return adopt(cache, tmp, ret->sha256);
}

/* ---- out of an archive ---- */

static struct err *extract_to(struct payload *ret, int fd, const char *archive, const char *member)
{
    OWN_FD int in = open(archive, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0)
        return err_os(errno, "open %s", archive);
    TRY(member_extract(in, member, (uint64_t)LOCK_SIZE_MAX, fd));
    if (lseek(fd, 0, SEEK_SET) < 0 || fchmod(fd, 0644) < 0 || fsync(fd) < 0)
        return err_os(errno, "write %s", member);
    return digest_fd(ret->sha256, fd, &ret->size);
}

struct err *cache_extract(struct payload *ret, const char *cache, const char *archive, const char *member)
{
    OWN_FREE char *from = cache_path(cache, archive), *tmp = str_fmt("%s/tmp/member.XXXXXX", cache);
    if (!from || !tmp)
        return err_os(ENOMEM, "cache");
    TRY(folder(cache, "tmp"));
    OWN_FD int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return err_os(errno, "create %s", tmp);
    struct err *e = extract_to(ret, fd, from, member);
    if (!e)
        e = adopt(cache, tmp, ret->sha256);
    if (e)
        (void)unlink(tmp);
    return e;
}
