#include "net/cache.h"

#include "base/file.h"
#include "base/output.h"
#include "crypt/digest.h"
#include "net/download.h"
#include "pack/member.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

char *cache_path(const char *cache, const char *hex)
{
    return str_fmt("%s/blobs/sha256/%s", cache, hex);
}

/* A folder of the cache, made when it is missing. */
static struct err *folder(const char *cache, const char *name)
{
    OWN_FREE char *path = str_fmt("%s/%s", cache, name);
    return path ? file_mkdirs(AT_FDCWD, path, 0755) : err_os(ENOMEM, "cache");
}

struct err *cache_make(const char *cache)
{
    return folder(cache, "blobs/sha256");
}

struct err *cache_space(const char *cache, uint64_t bytes)
{
    OWN_FD int fd = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_os(errno, "%s", cache);
    return err_hint(output_space(fd, cache, bytes), "make room, or choose another folder: --cache");
}

struct err *cache_has(bool *ret, const char *cache, const char *hex, uint64_t size)
{
    char have[DIGEST_HEX];
    struct stat st;
    OWN_FREE char *path = cache_path(cache, hex);
    *ret = false;
    if (!path)
        return err_os(ENOMEM, "cache");
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return NULL;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_os(errno, "%s", path);
    if ((uint64_t)st.st_size != size)
        return NULL;
    TRY_CTX(digest_fd(have, fd, NULL), "%s", path);
    *ret = strcmp(have, hex) == 0;
    return NULL;
}

struct err *cache_put(const char *cache, const char *hex, const void *p, size_t n)
{
    OWN_FREE char *path = cache_path(cache, hex);
    if (!path)
        return err_os(ENOMEM, "cache");
    TRY(cache_make(cache));
    return file_replace(AT_FDCWD, path, p, n, 0644);
}

/* Gives the file, which is on the disk, the name of its digest. */
static struct err *adopt(const char *cache, const char *tmp, const char *hex)
{
    OWN_FREE char *path = cache_path(cache, hex);
    if (!path)
        return err_os(ENOMEM, "cache");
    TRY(cache_make(cache));
    if (rename(tmp, path) < 0)
        return err_os(errno, "%s", path);
    return file_sync_parent(AT_FDCWD, path);
}

/* ---- out of the net ---- */

/* Its name until its digest is known: that of the address, so that a later run takes the place of a killed one. */
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

static struct err *extract_to(struct payload *ret, int fd, const char *archive, const char *member, uint64_t max)
{
    OWN_FD int in = open(archive, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0)
        return err_os(errno, "open %s", archive);
    TRY(member_extract(in, member, max, fd));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_os(errno, "read %s", member);
    return digest_fd(ret->sha256, fd, &ret->size);
}

/* Until its digest is known it has the name of this process, where it needs one. */
struct err *cache_extract(struct payload *ret, const char *cache, const char *archive, const char *member,
                          const struct payload *want)
{
    OWN_OUTPUT struct output out = {.fd = -1};
    OWN_FREE char *from = cache_path(cache, archive), *tmp = str_fmt("%s/tmp/member.%d", cache, (int)getpid());
    if (!from || !tmp)
        return err_os(ENOMEM, "cache");
    TRY(folder(cache, "tmp"));
    TRY(output_open(&out, tmp, want ? want->size : 0));
    TRY(extract_to(ret, out.fd, from, member, want ? want->size : (uint64_t)CACHE_BLOB_MAX));
    if (want && strcmp(ret->sha256, want->sha256) != 0)
        return err_hint(err_new(ERR_UNTRUSTED, "E_DIGEST: sha256 is %s, wanted %s", ret->sha256, want->sha256),
                        "the lock does not fit its own archive: make it again");
    free(out.path);
    out.path = cache_path(cache, ret->sha256);
    return out.path ? output_commit(&out) : err_os(ENOMEM, "cache");
}
