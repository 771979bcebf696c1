#include "node/node.h"

#include "base/file.h"
#include "base/own.h"
#include "crypt/digest.h"
#include "node/units.h"
#include "wire/stream.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

struct err *node_init(struct node *ret, const char *root)
{
    *ret = (struct node){.root = root ? root : "", .simulated = root != NULL, .rootfd = -1};
    ret->units = root ? &units_record : &units_systemd;
    ret->rootfd = open(root ? root : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ret->rootfd < 0)
        return err_os(errno, "open %s", root ? root : "/");
    OWN_FD int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0)
        return err_os(errno, "open own program");
    return digest_fd(ret->digest, self, NULL);
}

void node_done(struct node *n)
{
    own_close(&n->rootfd);
    n->rootfd = -1;
}

struct err *node_open(int *ret, const struct node *n, bool create)
{
    if (create)
        TRY(file_mkdirs(n->rootfd, NODE_BASE, 0755));
    *ret = openat(n->rootfd, NODE_BASE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret < 0 && (create || errno != ENOENT))
        return err_os(errno, "open /%s", NODE_BASE);
    return NULL;
}

const char *node_below(const char *absolute)
{
    return absolute + (*absolute == '/');
}

/* ---- lock and fence ---- */

struct err *node_lock(int *ret_fd, const struct call *c, bool exclusive)
{
    OWN_FD int fd = openat(c->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_os(errno, "open /%s/lock", NODE_BASE);
    /* Not one blocking flock(): a request whose sender is gone must not act when the lock comes free much later. */
    while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_os(errno, "lock /%s/lock", NODE_BASE);
        if (stream_look(c->s).failed)
            return err_new(ERR_UNREACHABLE, "the caller went away before the lock was free");
        TRY(cancel_sleep(NULL, 50));
    }
    *ret_fd = TAKE_FD(fd);
    return NULL;
}

int node_lock_free(int dir)
{
    int fd = dir < 0 ? -1 : openat(dir, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        own_close(&fd);
        return -1;
    }
    return fd;
}

struct err *node_epoch(struct doc **ret, int dir)
{
    return json_load(ret, dir, "epoch");
}

struct err *node_fence(const struct call *c)
{
    const struct doc *given = doc_get(c->request, "epoch");
    if (!given)
        return NULL;
    OWN_DOC struct doc *seen = NULL;
    TRY(node_epoch(&seen, c->dir));
    int64_t number = given->kind == DOC_MAP ? doc_int(given, "number", -1) : given->num;
    const char *run = given->kind == DOC_MAP ? doc_text(given, "run") : "";
    if (number < 0 || !run)
        return err_new(ERR_USAGE, "epoch must be {number, run}");
    int64_t highest = doc_int(seen, "number", -1);
    if (number < highest || (number == highest && !str_eq(run, doc_text(seen, "run"))))
        return err_hint(err_new(ERR_REFUSED, "fenced: epoch %lld of run %s was seen, this request has %lld of run %s",
                                (long long)highest, doc_text(seen, "run"), (long long)number, run),
                        "another run has taken over; look at `caisson status`");
    if (number == highest)
        return NULL;
    OWN_DOC struct doc *next = doc_new_map();
    doc_set_int(next, "number", number);
    doc_set_text(next, "run", run);
    return json_store(c->dir, "epoch", next);
}

/* ---- arguments ---- */

struct err *call_text(const char **ret, const struct call *c, const char *key)
{
    const struct doc *d = doc_get(c->request, key);
    *ret = d && d->kind == DOC_STRING ? d->text : NULL;
    return *ret ? NULL : err_new(ERR_USAGE, "request without %s", key);
}

struct err *call_digest(const char **ret, const struct call *c, const char *key)
{
    TRY(call_text(ret, c, key));
    return str_is_sha256(*ret) ? NULL : err_new(ERR_USAGE, "%s is no sha256 digest", key);
}

static bool part_is_plain(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("._@:-\\", s[i]))
            return false;
    return n > 0 && n < 200 && !(s[0] == '.' && (n == 1 || (n == 2 && s[1] == '.')));
}

bool name_is_plain(const char *s)
{
    return s && *s != '.' && part_is_plain(s, strlen(s));
}

bool name_is_path(const char *s)
{
    while (s) {
        size_t n = strcspn(s, "/");
        if (!part_is_plain(s, n))
            return false;
        if (!s[n])
            return true;
        s += n + 1;
    }
    return false;
}

bool name_is_absolute(const char *s)
{
    return s && s[0] == '/' && name_is_path(s + 1);
}

/* ---- files ---- */

struct err *json_load(struct doc **ret, int dirfd, const char *name)
{
    OWN_BUF struct buf b = {.max = (size_t)16 << 20};
    struct err *e = file_read(&b, dirfd, name);
    if (e && (err_errno(e) == ENOENT || err_errno(e) == EBADF)) { /* EBADF: not even the folder is there */
        err_free(e);
        return NULL;
    }
    TRY(e);
    return doc_json(ret, name, b.at, b.len);
}

struct err *json_store(int dirfd, const char *name, const struct doc *d)
{
    OWN_BUF struct buf b = {0};
    TRY(doc_json_write(&b, d));
    return file_replace(dirfd, name, b.at, b.len, 0644);
}

struct err *link_replace(int dirfd, const char *name, const char *target)
{
    OWN_FREE char *tmp = str_fmt("%s.new", name);
    if (!tmp)
        return err_os(ENOMEM, "link %s", name);
    if (unlinkat(dirfd, tmp, 0) < 0 && errno != ENOENT)
        return err_os(errno, "delete %s", tmp);
    if (symlinkat(target, dirfd, tmp) < 0 || renameat(dirfd, tmp, dirfd, name) < 0)
        return err_os(errno, "link %s", name);
    return file_sync_parent(dirfd, name);
}

static struct err *add_name(void *self, const char *name)
{
    return strs_add(self, name);
}

struct err *dir_names(struct strs *ret, int dirfd, const char *name)
{
    OWN_FD int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == EBADF ? NULL : err_os(errno, "open %s", name);
    TRY_CTX(folder_each(fd, add_name, ret), "%s", name);
    strs_sort(ret);
    return NULL;
}

struct err *file_give(const struct node *n, int fd, int64_t uid, int64_t gid)
{
    if (n->simulated && geteuid() != 0)
        return NULL;
    if (fchown(fd, (uid_t)uid, (gid_t)gid) < 0)
        return err_os(errno, "give file to %lld:%lld", (long long)uid, (long long)gid);
    return NULL;
}

struct err *space_check(int dir, uint64_t bytes)
{
    struct statvfs st;
    if (fstatvfs(dir, &st) < 0)
        return err_os(errno, "free space");
    uint64_t left = (uint64_t)st.f_bavail * st.f_frsize;
    if (left < bytes + NODE_SPACE_KEPT) {
        char want[24], have[24];
        str_size(want, bytes);
        str_size(have, left);
        return err_new(ERR_REFUSED, "%s are needed, %s are free and 64 MiB of them are kept", want, have);
    }
    return NULL;
}
