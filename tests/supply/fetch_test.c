/* A cache filled out of the net, over the server of tests/http/files.py. */
#include "supply/fetch.h"

#include "http/files.h"
#include "supply/fetch_list.h"
#include "supply/kill.h"
#include "supply/lock.h"

#include "base/child.h"
#include "crypt/digest.h"

#include <dirent.h>

enum { FILES = 4, SIZE = 200000 };

static struct files files;
static char hex[FILES][65];
static char archive_hex[65], member_hex[65];
static size_t archive_size;
static const char member[] = "#!/bin/sh\necho out of an archive\n";

static void fill(char *p, size_t n, size_t seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * 31 + i / 251 + seed);
}

/* What a publisher packs: one program in a folder. */
static void make_archive(void)
{
    OWN_FREE char *in = check_path(files.server.dir, "in"), *tar = check_path(files.server.dir, "files/a.tar.gz");
    OWN_FREE char *program = check_path(in, "x/tool");
    OWN_FREE char *folder = check_path(in, "x");
    OWN_BUF struct buf bytes = {0};
    OK(file_mkdirs(AT_FDCWD, folder, 0755));
    OK(file_replace(AT_FDCWD, program, member, strlen(member), 0755));
    OK(child_run((const char *const[]){"tar", "-C", in, "-czf", tar, "x", NULL}, &(struct child_opts){0}, NULL));
    OK(file_read(&bytes, AT_FDCWD, tar));
    OK(digest_hex(archive_hex, bytes.at, bytes.len));
    OK(digest_hex(member_hex, member, strlen(member)));
    archive_size = bytes.len;
}

static int setup(void **state)
{
    (void)state;
    static char data[SIZE];
    (void)unsetenv("https_proxy");
    (void)unsetenv("http_proxy");
    (void)unsetenv("all_proxy");
    files_start(&files);
    if (files.missing)
        return 0;
    for (size_t i = 0; i < FILES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "f%zu", i);
        fill(data, SIZE, i);
        files_put(&files, name, data, SIZE);
        OK(digest_hex(hex[i], data, SIZE));
    }
    make_archive();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    files_stop(&files);
    return 0;
}

/* ---- a lock, a cache and the net ---- */

struct desk {
    char *folder, *cache, *lock;
    struct net net;
    struct doc *result;
};

static void entry(struct buf *b, const char *id, const char *sha256, size_t size, const char *more)
{
    static const char rest[] = "\"component\":\"c\",\"version\":\"1\",\"license\":\"MIT\",\"platform\":\"linux/amd64\","
                               "\"purl\":\"pkg:generic/c@1\",\"upstream\":{\"type\":\"none\",\"ref\":\"x\"}";
    bool first = b->at[b->len - 1] == '[';
    OK(buf_fmt(b, "%s{\"id\":\"c/1/%s\",\"sha256\":\"%s\",\"size\":%zu,%s,%s}", first ? "" : ",", id, sha256, size,
               more, rest));
}

static void begin_lock(struct buf *b)
{
    OK(buf_str(b, "{\"schema\":1,\"profile\":\"p\",\"platform\":\"linux/amd64\",\"entries\":["));
}

static void end_lock(const struct desk *d, struct buf *b)
{
    OK(buf_str(b, "]}"));
    OK(file_replace(AT_FDCWD, d->lock, b->at, b->len, 0644));
}

/* An entry for the i-th file, as the server gives it in `mode`. */
static void file_entry(struct buf *b, size_t i, const char *mode)
{
    OWN_FREE char *id = str_fmt("f%zu", i);
    OWN_FREE char *url = files_url(&files, mode, id);
    OWN_FREE char *more = str_fmt("\"kind\":\"file\",\"file\":\"f%zu\",\"urls\":[\"%s\"]", i, url);
    entry(b, id, hex[i], SIZE, more);
}

/* All files in this mode, and an archive with a file out of it. */
static void whole_lock(const struct desk *d, const char *mode)
{
    OWN_BUF struct buf b = {0};
    OWN_FREE char *url = files_url(&files, mode, "a.tar.gz");
    OWN_FREE char *archive = str_fmt("\"kind\":\"archive\",\"file\":\"a\",\"urls\":[\"%s\"]", url);
    begin_lock(&b);
    entry(&b, "a", archive_hex, archive_size, archive);
    for (size_t i = 0; i < FILES; i++)
        file_entry(&b, i, mode);
    entry(&b, "tool", member_hex, strlen(member),
          "\"kind\":\"file\",\"file\":\"tool\",\"urls\":[],\"from\":{\"archive\":\"c/1/a\",\"member\":\"x/tool\"}");
    end_lock(d, &b);
}

static struct desk desk_new(void)
{
    struct desk d = {.folder = check_folder()};
    OWN_FREE char *ca = str_fmt("127.0.0.1=%s/ca.pem", files.server.dir);
    const char *const cas[] = {ca};
    OK(net_open(&d.net, &(struct net_opts){.cas = cas, .n_cas = 1}));
    d.net.way.tries = 2;
    d.net.way.wait_ms = 1;
    d.cache = check_path(d.folder, "cache");
    d.lock = check_path(d.folder, "p.lock.json");
    free(files_log(&files));
    return d;
}

static void desk_done(struct desk *d)
{
    net_done(&d->net);
    doc_free(d->result);
    free(d->cache);
    free(d->lock);
    check_folder_done(&d->folder);
}

#define OWN_DESK OWN(desk_done)

static void no_says(void *self, enum fetch_state state, const char *id, const char *text, uint64_t done, uint64_t total)
{
    (void)self;
    (void)state;
    (void)id;
    (void)text;
    assert_true(done <= total);
}

static struct err *run(struct desk *d)
{
    doc_free(TAKE(d->result));
    return bundle_fetch(&d->result, &(struct fetch_opts){d->lock, d->cache, &d->net}, no_says, NULL);
}

static int names(const struct desk *d)
{
    OWN_FREE char *folder = check_path(d->cache, "blobs/sha256");
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

static void check_blob(const struct desk *d, const char *sha256)
{
    OWN_FREE char *path = str_fmt("%s/blobs/sha256/%s", d->cache, sha256);
    OWN_BUF struct buf b = {0};
    char got[65];
    OK(file_read(&b, AT_FDCWD, path));
    OK(digest_hex(got, b.at, b.len));
    assert_string_equal(got, sha256);
}

/* Everything of the whole lock is in the cache, and nothing else is. */
static void check_whole(const struct desk *d)
{
    for (size_t i = 0; i < FILES; i++)
        check_blob(d, hex[i]);
    check_blob(d, archive_hex);
    check_blob(d, member_hex);
    assert_int_equal(names(d), FILES + 2);
}

static void put_blob(const struct desk *d, const char *sha256, const char *text)
{
    OWN_FREE char *folder = check_path(d->cache, "blobs/sha256");
    OK(file_mkdirs(AT_FDCWD, folder, 0755));
    check_write(folder, sha256, text, strlen(text));
}

/* ---- the tests ---- */

static void test_fetch(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    whole_lock(&d, "ok");
    OK(run(&d));
    check_whole(&d);
    assert_int_equal(doc_int(d.result, "fetched", 0), FILES + 2);
    assert_int_equal(doc_int(d.result, "bytes", 0), FILES * SIZE + archive_size);
    free(files_log(&files));
    OK(run(&d)); /* everything is there: nobody is asked */
    assert_int_equal(doc_int(d.result, "present", 0), FILES + 2);
    assert_int_equal(doc_len(doc_get(d.result, "files")), 0);
    OWN_FREE char *log = files_log(&files);
    assert_string_equal(log, "");
}

/* Two entries with the same bytes: fetched once, and neither is there before that. */
static void test_twins(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const char *const modes[] = {"nonsense", "ok"};
    for (size_t i = 0; i < 2; i++) {
        OWN_DESK struct desk d = desk_new();
        OWN_BUF struct buf b = {0};
        OWN_FREE char *url = files_url(&files, "ok", "f0");
        OWN_FREE char *more = str_fmt("\"kind\":\"file\",\"file\":\"twin\",\"urls\":[\"%s\"]", url);
        begin_lock(&b);
        file_entry(&b, 0, modes[i]);
        entry(&b, "twin", hex[0], SIZE, more);
        end_lock(&d, &b);
        struct err *e = run(&d);
        assert_true(!e == (i == 1));
        err_free(e);
        assert_int_equal(doc_int(d.result, "present", -1), 0);
        assert_int_equal(doc_int(d.result, "fetched", -1), i);
    }
}

/* What an earlier run left is on the disk: only the rest needs room. */
static void test_room(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    OWN_BUF struct buf text = {0};
    OWN_DOC struct doc *lock = NULL;
    struct fetch_list list = {0};
    static char half[65536];
    OWN_FREE char *folder = check_path(d.cache, "blobs/sha256"), *name = str_fmt("%s.part", hex[2]);
    whole_lock(&d, "ok");
    OK(file_mkdirs(AT_FDCWD, folder, 0755));
    memset(half, 1, sizeof half);
    check_write(folder, name, half, sizeof half);
    OK(lock_load(&lock, &text, d.lock));
    OK(fetch_list_make(&list, lock, &(struct fetch_opts){d.lock, d.cache, &d.net}, no_says, NULL));
    assert_int_equal(list.bytes, FILES * SIZE + archive_size + strlen(member));
    assert_int_equal(list.room, list.bytes - sizeof half);
    fetch_list_done(&list);
}

/* A blob with other bytes under its name is fetched again. */
static void test_damaged(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    whole_lock(&d, "ok");
    put_blob(&d, hex[1], "not that");
    put_blob(&d, member_hex, "nor that");
    OK(run(&d));
    check_whole(&d);
}

/* What the lock has in mode "nonsense" is had without TLS from a mirror. */
static void plain_mirror(struct desk *d)
{
    OWN_FREE char *from = files_url(&files, "nonsense", "");
    OWN_FREE char *mirror = str_fmt("%s=http://127.0.0.1:%d/ok/", from, files.plain);
    const char *const mirrors[] = {mirror};
    net_done(&d->net);
    OK(net_open(&d->net, &(struct net_opts){.mirrors = mirrors, .n_mirrors = 1}));
}

static void test_mirror(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    plain_mirror(&d);
    whole_lock(&d, "nonsense");
    OK(run(&d));
    check_whole(&d);
}

/* What fails does not keep the rest from coming; the worst fault is the one to tell. */
static void test_some_fail(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    OWN_BUF struct buf b = {0};
    begin_lock(&b);
    file_entry(&b, 0, "nonsense");
    file_entry(&b, 1, "ok");
    file_entry(&b, 2, "wrong");
    file_entry(&b, 3, "ok");
    end_lock(&d, &b);
    FAILS(ERR_UNTRUSTED, "2 files failed; the worst: c/1/f2: E_LOCK: https://", run(&d));
    check_blob(&d, hex[1]);
    check_blob(&d, hex[3]);
    assert_int_equal(names(&d), 2);
    assert_int_equal(doc_int(d.result, "fetched", 0), 2);
    assert_int_equal(doc_int(d.result, "bytes", 0), 3 * SIZE); /* the wrong ones came, too */
}

static void test_fails(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const struct {
        const char *mode, *word;
        enum err_kind kind;
    } bad[] = {{"nonsense", "c/1/f0: https://", ERR_UNREACHABLE},
               {"nonsense", "E_SRC_HTTP", ERR_UNREACHABLE},
               {"wrong", "E_LOCK", ERR_UNTRUSTED},
               {"longer", "E_SRC_SIZE", ERR_UNREACHABLE},
               {"endless", "E_SRC_SIZE", ERR_UNREACHABLE},
               {"gzip", "E_SRC_SIZE", ERR_UNREACHABLE},
               {"skewed", "E_SRC_RANGE", ERR_UNREACHABLE},
               {"tofile", "E_SRC_REDIRECT", ERR_UNREACHABLE},
               {"norangecut", "E_TRUNCATED", ERR_UNREACHABLE}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        OWN_DESK struct desk d = desk_new();
        OWN_BUF struct buf b = {0};
        begin_lock(&b);
        file_entry(&b, 0, bad[i].mode);
        end_lock(&d, &b);
        FAILS(bad[i].kind, bad[i].word, run(&d));
        assert_int_equal(names(&d), 0);
    }
}

/* Entries without an address must be made by somebody; the others come all the same. */
static void test_nowhere(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    OWN_BUF struct buf b = {0};
    begin_lock(&b);
    file_entry(&b, 0, "ok");
    entry(&b, "g", member_hex, strlen(member), "\"kind\":\"file\",\"file\":\"g\",\"urls\":[]");
    end_lock(&d, &b);
    struct err *e = run(&d);
    assert_non_null(strstr(err_hint_text(e), "scripts/payloads"));
    FAILS(ERR_FAILED, "E_MISSING: 1 of 2 entries", e);
    check_blob(&d, hex[0]);
    assert_string_equal(doc_text(doc_get(d.result, "missing")->child, "id"), "c/1/g");
    put_blob(&d, member_hex, member);
    OK(run(&d));
}

/* The member that the lock names is not in the archive, or is another one. */
static void test_archive(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const struct {
        const char *sha256, *member, *word;
    } bad[] = {{member_hex, "x/other", "E_ARCHIVE"}, {archive_hex, "x/tool", "E_DIGEST"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        OWN_DESK struct desk d = desk_new();
        OWN_BUF struct buf b = {0};
        OWN_FREE char *url = files_url(&files, "ok", "a.tar.gz"), *more = NULL, *archive = NULL;
        archive = str_fmt("\"kind\":\"archive\",\"file\":\"a\",\"urls\":[\"%s\"]", url);
        more =
            str_fmt("\"kind\":\"file\",\"file\":\"t\",\"urls\":[],\"from\":{\"archive\":\"c/1/a\",\"member\":\"%s\"}",
                    bad[i].member);
        begin_lock(&b);
        entry(&b, "a", archive_hex, archive_size, archive);
        entry(&b, "t", i ? hex[0] : bad[i].sha256, strlen(member), more);
        end_lock(&d, &b);
        FAILS(ERR_UNTRUSTED, bad[i].word, run(&d));
        assert_int_equal(names(&d), 1);
    }
}

static void test_cancel(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    OWN(cancel_done) struct cancel c = {-1};
    OK(cancel_init(&c));
    cancel_set(&c);
    d.net.way.cancel = &c;
    whole_lock(&d, "ok");
    FAILS(ERR_CANCELLED, "cancelled", run(&d));
}

/* ---- killed ---- */

static void run_killed(void *arg)
{
    struct desk *d = arg;
    struct err *e = run(d);
    if (e)
        print_error("%s\n", err_text(e));
    err_free(e);
}

/* What has its name is whole. Now and then the next run begins with an empty cache. */
static void check_killed(void *arg)
{
    struct desk *d = arg;
    static int rounds;
    int whole = 0;
    for (size_t i = 0; i < FILES; i++) {
        OWN_FREE char *path = str_fmt("%s/blobs/sha256/%s", d->cache, hex[i]);
        if (file_exists(AT_FDCWD, path)) {
            check_blob(d, hex[i]);
            whole++;
        }
    }
    if (whole < FILES && ++rounds % 4)
        return;
    OK(run(d));
    check_whole(d);
    OK(file_remove_tree(AT_FDCWD, d->cache));
}

static void test_killed(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    plain_mirror(&d);
    d.net.segment = 40000; /* in segments, four at a time */
    whole_lock(&d, "nonsense");
    kill_everywhere(run_killed, check_killed, &d, 100);
    OK(run(&d));
    check_whole(&d);
    OK(file_remove_tree(AT_FDCWD, d.cache));
    d.net.segment = 0; /* from front to back */
    kill_everywhere(run_killed, check_killed, &d, 100);
    OK(run(&d));
    check_whole(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetch),   cmocka_unit_test(test_twins),   cmocka_unit_test(test_room),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_mirror),  cmocka_unit_test(test_some_fail),
        cmocka_unit_test(test_fails),   cmocka_unit_test(test_nowhere), cmocka_unit_test(test_archive),
        cmocka_unit_test(test_cancel),  cmocka_unit_test(test_killed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
