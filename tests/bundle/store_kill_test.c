/* Row 49: an ingest that is killed anywhere. What is listed then is whole, and the next run ends like a clean one. */
#include "forge.h"

#include "bundle/store.h"
#include "supply/kill.h"

#include <dirent.h>

/* The process ends instead of the call of that number that writes; 0: none does. */
static int kill_at;
static _Atomic int calls;

static void maybe_die(void)
{
    if (kill_at && ++calls == kill_at)
        (void)raise(SIGKILL);
}

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __real_renameat2(int a, const char *x, int b, const char *y, unsigned flags);
int __wrap_renameat2(int a, const char *x, int b, const char *y, unsigned flags);
int __real_renameat(int a, const char *x, int b, const char *y);
int __wrap_renameat(int a, const char *x, int b, const char *y);
int __real_mkdirat(int fd, const char *name, mode_t mode);
int __wrap_mkdirat(int fd, const char *name, mode_t mode);
int __real_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...);
int __wrap_syncfs(int fd);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    maybe_die();
    return __real_write(fd, p, n);
}

int __wrap_renameat(int a, const char *x, int b, const char *y)
{
    maybe_die();
    return __real_renameat(a, x, b, y);
}

int __wrap_renameat2(int a, const char *x, int b, const char *y, unsigned flags)
{
    maybe_die();
    return __real_renameat2(a, x, b, y, flags);
}

int __wrap_mkdirat(int fd, const char *name, mode_t mode)
{
    maybe_die();
    return __real_mkdirat(fd, name, mode);
}

int __wrap_openat(int fd, const char *name, int flags, ...)
{
    if (flags & O_CREAT)
        maybe_die();
    return __real_openat(fd, name, flags, 0644);
}

/* A busy disk would make the test minutes long; a killed process leaves all that it wrote. */
int __wrap_syncfs(int fd)
{
    (void)fd;
    maybe_die();
    return 0;
}

int __wrap_fsync(int fd)
{
    (void)fd;
    maybe_die();
    return 0;
}

int __wrap_fdatasync(int fd)
{
    (void)fd;
    maybe_die();
    return 0;
}

struct shop {
    struct forge *f;
    char *store;
    int listed, begun; /* rounds that ended so */
};

static struct err *ingest(const struct shop *s)
{
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_DOC struct doc *d = NULL;
    const char *trust = s->f->pub_path;
    const struct store_opts o = {.store = s->store, .trust = &trust, .n_trust = 1};
    TRY(bundle_open_delta(&b, s->f->path, &trust, 1));
    return store_ingest(&d, b, &o);
}

static void run(void *arg)
{
    err_free(ingest(arg));
}

static size_t count_in(const struct shop *s, const char *name)
{
    OWN_FREE char *path = check_path(s->store, name);
    size_t n = 0;
    DIR *d = opendir(path);
    for (struct dirent *at; d && (at = readdir(d));)
        n += at->d_name[0] != '.';
    if (d)
        (void)closedir(d);
    return n;
}

/* The one release is the published file, byte for byte. */
static void is_whole(const struct shop *s)
{
    OWN_SOURCE struct source *source = NULL;
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_FREE char *all = malloc(s->f->file.len);
    OWN_DOC struct doc *list = NULL;
    const char *trust = s->f->pub_path;
    OK(store_list(&list, s->store));
    assert_int_equal(doc_len(doc_get(list, "releases")), 1);
    const char *path = doc_text(doc_get(list, "releases")->child, "path");
    OK(bundle_open(&b, path, &trust, 1));
    OK(bundle_verify(b, NULL, NULL));
    OK(source_open(&source, path));
    assert_int_equal(source_size(source), s->f->file.len);
    OK(source_read(source, all, s->f->file.len, 0));
    assert_memory_equal(all, s->f->file.at, s->f->file.len);
}

static void check(void *arg)
{
    struct shop *s = arg;
    size_t listed = count_in(s, "releases");
    s->listed += listed > 0;
    s->begun += !listed && file_exists(AT_FDCWD, s->store);
    if (listed)
        is_whole(s);
    OK(ingest(s));
    is_whole(s);
    assert_int_equal(count_in(s, "tmp"), 0);
    assert_int_equal(count_in(s, "."), 4);
    assert_int_equal(count_in(s, "blobs/sha256"), s->f->n_blobs);
    OK(file_remove_tree(AT_FDCWD, s->store));
}

/* At 200 points in time. */
static void killed_anywhere(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    OWN_FREE char *store = check_path(f->folder, "store");
    struct shop s = {.f = f, .store = store};
    forge_seal(f);
    forge_write(f);
    kill_everywhere(run, check, &s, 200);
}

/* Before each of its calls that write. */
static void killed_at_each_call(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    OWN_FREE char *store = check_path(f->folder, "store");
    struct shop s = {.f = f, .store = store};
    forge_seal(f);
    forge_write(f);
    for (int k = 1; s.listed < 2; k++) { /* the last call comes behind the listing, and then none is left */
        kill_at = k;
        (void)kill_run(run, &s, -1);
        kill_at = 0;
        check(&s);
    }
    assert_true(s.begun > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_anywhere), cmocka_unit_test(killed_at_each_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
