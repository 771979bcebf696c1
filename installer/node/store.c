/* store: what is named by its digest: blobs, trees, and secrets by their id. Written once, never changed. */
#include "base/file.h"
#include "base/own.h"
#include "crypt/digest.h"
#include "node/node.h"
#include "pack/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#define SECRET_MAX 65536
#define CHUNK 65536

static const char *const folders[] = {"store/sha256", "tree", "secrets", "generations"};

/* A name that begins with a dot is an upload that did not end. */
void store_sweep(const struct node *n)
{
    OWN_FD int dir = -1;
    err_ignore(node_open(&dir, n, false));
    OWN_FD int lock = node_lock_free(dir);
    if (lock < 0)
        return; /* somebody is at work: another time */
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        OWN_STRS struct strs names = {0};
        err_ignore(dir_names(&names, dir, folders[i]));
        for (size_t k = 0; k < names.n; k++) {
            OWN_FREE char *path = str_fmt("%s/%s", folders[i], names.at[k]);
            if (path && names.at[k][0] == '.')
                err_ignore(file_remove_tree(dir, path)); /* only takes space; the next start tries again */
        }
    }
}

/* A name beside the others that no second upload has. */
static char *temporary_name(const char *folder)
{
    static atomic_uint counter;
    return str_fmt("%s/.%ld.%u", folder, (long)getpid(), atomic_fetch_add(&counter, 1));
}

/* Puts a finished upload into its place. When somebody else was faster, theirs is as good. */
static struct err *place(int dir, const char *from, const char *folder, const char *name)
{
    OWN_FREE char *to = str_fmt("%s/%s", folder, name);
    if (!to)
        return err_os(ENOMEM, "store");
    if (renameat(dir, from, dir, to) < 0) {
        if (errno != EEXIST && errno != ENOTEMPTY)
            return err_os(errno, "rename to %s", to);
        TRY(file_remove_tree(dir, from));
    }
    return file_sync_parent(dir, to);
}

/* ---- store.have ---- */

static void missing_of(const struct call *c, struct doc *missing, const char *key, const char *folder)
{
    struct doc *list = doc_set(missing, key, doc_new_list());
    DOC_EACH (v, doc_get(c->request, key)) {
        OWN_FREE char *path = v->text ? str_fmt("%s/%s", folder, v->text) : NULL;
        if (!path || !name_is_plain(v->text) || !file_exists(c->dir, path))
            doc_add_text(list, v->text ? v->text : "");
    }
}

struct err *op_store_have(struct call *c)
{
    struct doc *missing = doc_set(c->reply, "missing", doc_new_map());
    missing_of(c, missing, "trees", "tree");
    missing_of(c, missing, "blobs", "store/sha256");
    missing_of(c, missing, "secrets", "secrets");
    return NULL;
}

/* ---- receiving bodies ---- */

struct body {
    char digest[65];
    uint64_t size;
};

/* Copies the body of the request to `fd`, at most `max` bytes. */
static struct err *body_receive(struct body *ret, const struct call *c, int fd, uint64_t max)
{
    OWN_SHA256 struct sha256 *h = NULL;
    OWN_FREE char *chunk = malloc(CHUNK);
    if (!chunk)
        return err_os(ENOMEM, "receive");
    TRY(sha256_new(&h));
    ret->size = 0;
    for (;;) {
        size_t n = 0;
        TRY(stream_read(c->s, chunk, CHUNK, &n, NULL));
        if (!n)
            break;
        ret->size += n;
        if (ret->size > max)
            return err_new(ERR_UNTRUSTED, "more than the %llu bytes that were announced", (unsigned long long)max);
        TRY(sha256_add(h, chunk, n));
        TRY(fd_write_all(fd, chunk, n));
    }
    explicit_bzero(chunk, CHUNK);
    return sha256_hex(h, ret->digest);
}

static struct err *body_check(const struct body *b, const char *digest, uint64_t size)
{
    if (b->size != size)
        return err_new(ERR_UNTRUSTED, "ended after %llu of %llu bytes", (unsigned long long)b->size,
                       (unsigned long long)size);
    if (!str_eq(b->digest, digest))
        return err_new(ERR_UNTRUSTED, "digest is %s, not %s", b->digest, digest);
    return NULL;
}

static struct err *size_of(uint64_t *ret, const struct call *c, const char *key)
{
    int64_t n = doc_int(c->request, key, -1);
    if (n < 0)
        return err_new(ERR_USAGE, "request without %s", key);
    *ret = (uint64_t)n;
    return NULL;
}

static struct err *folder_make(int dir, const char *folder, mode_t mode)
{
    TRY(file_mkdirs(dir, folder, mode));
    return file_sync_parent(dir, folder);
}

/* ---- blobs and secrets ---- */

static struct err *file_receive(struct body *ret, const struct call *c, const char *tmp, uint64_t max, mode_t mode)
{
    OWN_FD int fd = openat(c->dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return err_os(errno, "create %s", tmp);
    TRY(body_receive(ret, c, fd, max));
    return fsync(fd) < 0 ? err_os(errno, "sync %s", tmp) : NULL;
}

struct err *op_blob_put(struct call *c)
{
    const char *digest = NULL;
    uint64_t size = 0;
    struct body b;
    TRY(call_digest(&digest, c, "digest"));
    TRY(size_of(&size, c, "size"));
    TRY(space_check(c->dir, size));
    TRY(folder_make(c->dir, "store/sha256", 0755));
    OWN_FREE char *tmp = temporary_name("store/sha256");
    if (!tmp)
        return err_os(ENOMEM, "store");
    struct err *e = file_receive(&b, c, tmp, size, 0644);
    if (!e)
        e = body_check(&b, digest, size);
    if (!e)
        e = place(c->dir, tmp, "store/sha256", digest);
    if (e)
        err_ignore(file_remove_tree(c->dir, tmp)); /* else the sweep of the next start does it */
    return err_wrap(e, "blob %s", digest);
}

struct err *op_secret_put(struct call *c)
{
    const char *id = NULL;
    struct body b;
    TRY(call_text(&id, c, "id"));
    if (!name_is_plain(id))
        return err_new(ERR_USAGE, "secret id is no plain name");
    TRY(folder_make(c->dir, "secrets", 0700));
    OWN_FREE char *tmp = temporary_name("secrets");
    if (!tmp)
        return err_os(ENOMEM, "store");
    struct err *e = file_receive(&b, c, tmp, SECRET_MAX, 0600);
    if (!e)
        e = place(c->dir, tmp, "secrets", id);
    if (e)
        err_ignore(file_remove_tree(c->dir, tmp));
    return err_wrap(e, "secret %s", id);
}

/* ---- trees ---- */

struct unpack {
    int in_fd, dirfd;
    uint64_t raw_max;
    struct err *failed;
};

static void *unpack_main(void *arg)
{
    struct unpack *u = arg;
    u->failed = tree_unpack(u->in_fd, u->dirfd, u->raw_max);
    own_close(&u->in_fd); /* a sender that is still writing gets EPIPE */
    return NULL;
}

/* Body through digest and decoder at the same time. The folder counts for nothing until both have agreed. */
static struct err *tree_receive(struct body *ret, const struct call *c, int dirfd, uint64_t size, uint64_t raw_max)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) < 0)
        return err_os(errno, "pipe");
    (void)fcntl(fd[1], F_SETPIPE_SZ, 1 << 20); /* only faster */
    struct unpack u = {.in_fd = fd[0], .dirfd = dirfd, .raw_max = raw_max};
    pthread_t thread;
    int sys = pthread_create(&thread, NULL, unpack_main, &u);
    if (sys) {
        own_close(&fd[0]);
        own_close(&fd[1]);
        return err_os(sys, "start thread");
    }
    struct err *e = body_receive(ret, c, fd[1], size);
    own_close(&fd[1]);
    pthread_join(thread, NULL);
    if (u.failed && (!e || err_errno(e) == EPIPE)) { /* the decoder gave up first and knows why */
        err_free(e);
        return u.failed;
    }
    err_free(u.failed);
    return e;
}

static struct err *tree_make(struct call *c, const char *tmp, const char *digest, uint64_t size, uint64_t raw_max)
{
    struct body b;
    if (mkdirat(c->dir, tmp, 0755) < 0)
        return err_os(errno, "create %s", tmp);
    OWN_FD int dirfd = openat(c->dir, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dirfd < 0)
        return err_os(errno, "open %s", tmp);
    TRY(tree_receive(&b, c, dirfd, size, raw_max));
    TRY(body_check(&b, digest, size));
    if (fchmod(dirfd, 0755) < 0 || fsync(dirfd) < 0)
        return err_os(errno, "sync %s", tmp);
    return place(c->dir, tmp, "tree", digest);
}

struct err *op_tree_put(struct call *c)
{
    const char *digest = NULL;
    uint64_t size = 0, raw_max = 0;
    TRY(call_digest(&digest, c, "digest"));
    TRY(size_of(&size, c, "size"));
    TRY(size_of(&raw_max, c, "rawMax"));
    TRY(space_check(c->dir, raw_max));
    TRY(folder_make(c->dir, "tree", 0755));
    OWN_FREE char *tmp = temporary_name("tree");
    if (!tmp)
        return err_os(ENOMEM, "store");
    struct err *e = tree_make(c, tmp, digest, size, raw_max);
    if (e)
        err_ignore(file_remove_tree(c->dir, tmp));
    return err_wrap(e, "package %s", digest);
}
