/* One file out of the net: sources in order, going on, segments, digests; over the server of tests/http/files.py. */
#include "net/download.h"

#include "http/files.h"
#include "net/partial.h"
#include "supply/kill.h"

#include "crypt/digest.h"

#include <dirent.h>

enum { SIZE = 300000, SEGMENT = 40000 };

static struct files files;
static char data[SIZE], sha256[65];

static int setup(void **state)
{
    (void)state;
    (void)unsetenv("https_proxy");
    (void)unsetenv("http_proxy");
    (void)unsetenv("all_proxy");
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i * 31 + i / 251);
    OK(digest_hex(sha256, data, SIZE));
    files_start(&files);
    if (!files.missing)
        files_put(&files, "f", data, SIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    files_stop(&files);
    return 0;
}

/* A folder to download into, and the net. */
struct desk {
    char *folder, *path;
    struct net net;
    struct strs urls;
    struct download_result got;
    int64_t progress;
};

static struct desk desk_new(void)
{
    struct desk d = {.folder = check_folder()};
    OWN_FREE char *ca = str_fmt("127.0.0.1=%s/ca.pem", files.server.dir);
    const char *const cas[] = {ca};
    OK(net_open(&d.net, &(struct net_opts){.cas = cas, .n_cas = 1}));
    d.net.way.tries = 7;
    d.net.way.wait_ms = 1;
    d.net.way.stall_s = 1;
    d.path = check_path(d.folder, "f");
    free(files_log(&files));
    return d;
}

static void desk_done(struct desk *d)
{
    net_done(&d->net);
    strs_done(&d->urls);
    free(d->path);
    check_folder_done(&d->folder);
}

#define OWN_DESK OWN(desk_done)

static void source(struct desk *d, const char *mode)
{
    OWN_FREE char *url = files_url(&files, mode, "f");
    OK(strs_add(&d->urls, url));
}

static void tell(void *self, int64_t bytes)
{
    (void)__atomic_add_fetch(&((struct desk *)self)->progress, bytes, __ATOMIC_RELAXED);
}

static struct err *get(struct desk *d, uint64_t size, const char *digest)
{
    const struct download want = {
        .path = d->path, .urls = &d->urls, .size = size, .sha256 = digest, .progress = tell, .self = d};
    d->progress = 0;
    return download(&d->got, &want, &d->net);
}

static int names(const char *folder)
{
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

/* The file is there, whole, and nothing else is. */
static void check_there(const struct desk *d)
{
    OWN_BUF struct buf b = {0};
    OK(file_read(&b, AT_FDCWD, d->path));
    assert_int_equal(b.len, SIZE);
    assert_memory_equal(b.at, data, SIZE);
    assert_int_equal(names(d->folder), 1);
}

static void test_whole(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const char *const good[] = {"ok", "norange", "chunked", "weak", "noetag", "busy", "cut50000", "noetagcut"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        OWN_DESK struct desk d = desk_new();
        source(&d, good[i]);
        OK(get(&d, SIZE, sha256));
        check_there(&d);
        assert_int_equal(d.progress, SIZE);
        assert_string_equal(d.got.sha256, sha256);
        assert_string_equal(d.got.url, d.urls.at[0]);
    }
}

/* Neither size nor digest are known: a lock is being made. */
static void test_unknown(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    source(&d, "cut50000");
    OK(get(&d, 0, NULL));
    check_there(&d);
    assert_string_equal(d.got.sha256, sha256);
    assert_int_equal(d.got.size, SIZE);
}

static void leave_part(const struct desk *d, size_t n, const char *notes)
{
    check_write(d->folder, "f.part", data, n);
    if (notes)
        check_write(d->folder, "f.part.json", notes, strlen(notes));
}

/* Without a digest nothing tells that two halves are of one file: neither an earlier run's nor another source's counts.
 */
static void test_unknown_halves(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    leave_part(&d, 0, "{\"etag\":\"\\\"one\\\"\",\"schema\":1,\"total\":300000}");
    check_write(d.folder, "f.part", data + 1, 1000);
    d.net.way.tries = 1;
    source(&d, "cut50000");
    FAILS(ERR_UNREACHABLE, "E_TRUNCATED", get(&d, 0, NULL));
    assert_int_equal(names(d.folder), 0);
    assert_int_equal(d.got.kept, 0);
    strs_done(&d.urls);
    files_put(&files, "old", data + 1, SIZE - 1);
    OWN_FREE char *old = files_url(&files, "cut50000", "old");
    OK(strs_add(&d.urls, old));
    source(&d, "ok");
    OK(get(&d, 0, NULL));
    check_there(&d);
    assert_string_equal(d.got.sha256, sha256);
    assert_int_equal(d.progress, SIZE);
}

/* The first source that has the right bytes wins, whatever those before it do; a bad host is asked once after that. */
static void test_sources(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const char *const bad[] = {"nonsense", "wrong", "norangecut", "longer", "gzip", "tofile", "skewed"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        OWN_DESK struct desk d = desk_new();
        d.net.way.tries = 2;
        source(&d, bad[i]);
        source(&d, "ok");
        OK(get(&d, SIZE, sha256));
        check_there(&d);
        assert_string_equal(d.got.url, d.urls.at[1]);
        assert_int_equal(d.progress, SIZE);
    }
}

static void test_no_source(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const struct {
        const char *mode, *word;
        enum err_kind kind;
    } bad[] = {{"nonsense", "E_SRC_HTTP", ERR_UNREACHABLE},       {"wrong", "E_DIGEST", ERR_UNTRUSTED},
               {"longer", "E_SRC_SIZE", ERR_UNREACHABLE},         {"endless", "E_SRC_SIZE", ERR_UNREACHABLE},
               {"chunkedshorter", "E_SRC_SIZE", ERR_UNREACHABLE}, {"gzip", "E_SRC_SIZE", ERR_UNREACHABLE},
               {"norangecut", "E_TRUNCATED", ERR_UNREACHABLE},    {"tofile", "E_SRC_REDIRECT", ERR_UNREACHABLE}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        OWN_DESK struct desk d = desk_new();
        source(&d, bad[i].mode);
        FAILS(bad[i].kind, bad[i].word, get(&d, SIZE, sha256));
        assert_int_equal(names(d.folder), 0); /* nothing that could be gone on with */
    }
}

/* Of several failures the worst is told, whichever comes first. */
static void test_worst(void **state)
{
    (void)state;
    NEED_FILES(files);
    for (int i = 0; i < 2; i++) {
        OWN_DESK struct desk d = desk_new();
        source(&d, i ? "wrong" : "nonsense");
        source(&d, i ? "nonsense" : "wrong");
        FAILS(ERR_UNTRUSTED, "E_DIGEST", get(&d, SIZE, sha256));
    }
    FAILS(ERR_UNREACHABLE, "c", net_worse(err_new(ERR_FAILED, "E_REG_AUTH"), err_new(ERR_UNREACHABLE, "c")));
    FAILS(ERR_UNREACHABLE, "a", net_worse(err_new(ERR_UNREACHABLE, "a"), err_new(ERR_UNREACHABLE, "b")));
}

/* ---- going on ---- */

static void test_resume(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const char notes[] = "{\"etag\":\"\\\"one\\\"\",\"schema\":1,\"total\":300000}";
    for (size_t had = 0; had <= SIZE; had += 100000) {
        OWN_DESK struct desk d = desk_new();
        leave_part(&d, had, notes);
        source(&d, "ok");
        OK(get(&d, SIZE, sha256));
        check_there(&d);
        assert_int_equal(d.got.kept, had);
        OWN_FREE char *log = files_log(&files), *range = str_fmt("range=bytes=%zu- if-range=\"one\"", had);
        assert_true(had == SIZE ? !*log : strstr(log, range) != NULL);
    }
}

/* Also from a server without ETags: the digest tells. */
static void test_resume_without_etag(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    d.net.way.tries = 1;
    source(&d, "noetagcut");
    FAILS(ERR_UNREACHABLE, "E_TRUNCATED", get(&d, SIZE, sha256));
    d.net.way.tries = 7;
    OK(get(&d, SIZE, sha256));
    check_there(&d);
    assert_int_equal(d.got.kept, 50000);
    OWN_FREE char *log = files_log(&files);
    assert_non_null(strstr(log, "range=bytes=50000- if-range=- "));
}

/* The digest will tell: what came from one source is gone on with at another, whatever ETag that has. */
static void test_resume_elsewhere(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const char notes[] =
        "{\"etag\":\"\\\"one\\\"\",\"have\":\"11011110\",\"schema\":1,\"segment\":40000,\"total\":300000}";
    static const char *const want[] = {"/mirror/f range=bytes=50000- if-range=- ",
                                       "/mirror/f range=bytes=280000-299999 if-range=- "};
    for (size_t i = 0; i < 2; i++) {
        OWN_DESK struct desk d = desk_new();
        d.net.way.tries = 1;
        d.net.segment = i ? SEGMENT : 0;
        if (i)
            leave_part(&d, SIZE, notes);
        source(&d, i ? "nonsense" : "cut50000");
        source(&d, "mirror");
        OK(get(&d, SIZE, sha256));
        check_there(&d);
        assert_int_equal(d.progress, SIZE);
        OWN_FREE char *log = files_log(&files);
        assert_non_null(strstr(log, want[i]));
    }
}

/* What is beside a file that is there may be another run's. */
static void test_clean(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *path = check_path(folder, "f");
    {
        OWN(partial_done) struct partial p;
        OK(partial_open(&p, path, SIZE, SEGMENT, true));
        partial_clean(path);
        assert_int_equal(names(folder), 1);
    }
    check_write(folder, "f.part", "x", 1);
    partial_clean(path);
    assert_int_equal(names(folder), 0);
}

/* What an earlier run left is of another version, is damaged, or has notes that cannot be. */
static void test_resume_in_vain(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const char *const notes[] = {
        NULL,
        "",
        "{\"etag\":\"\\\"two\\\"\",\"schema\":1,\"total\":300000}",
        "{\"schema\":1,\"total\":300000}",
        "{\"etag\":\"\\\"one\\\"\",\"schema\":1,\"total\":1000}",
        "{\"etag\":\"\\\"one\\\"\",\"schema\":2,\"total\":300000}",
        "{\"etag\":\"\\\"one\\\"\",\"have\":\"11\",\"schema\":1,\"segment\":40000,\"total\":300000}",
    };
    for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
        OWN_DESK struct desk d = desk_new();
        leave_part(&d, 1000, notes[i]);
        source(&d, "ok");
        OK(get(&d, SIZE, sha256));
        check_there(&d);
        assert_int_equal(d.progress, SIZE);
    }
    OWN_DESK struct desk d = desk_new(); /* right notes, wrong bytes: the digest tells */
    leave_part(&d, 0, "{\"etag\":\"\\\"one\\\"\",\"schema\":1,\"total\":300000}");
    check_write(d.folder, "f.part", data + 1, 1000);
    source(&d, "ok");
    OK(get(&d, SIZE, sha256));
    check_there(&d);
}

/* The file changes under the download: it begins again. */
static void test_changes(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const char *const modes[] = {"changes", "mixes"};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        OWN_DESK struct desk d = desk_new();
        source(&d, modes[i]);
        OK(get(&d, SIZE, sha256));
        check_there(&d);
        assert_int_equal(d.progress, SIZE);
    }
}

/* ---- segments ---- */

static void test_segments(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const char *const modes[] = {"ok", "noetag", "cut10000", "norange", "chunked"};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        OWN_DESK struct desk d = desk_new();
        d.net.segment = SEGMENT;
        source(&d, modes[i]);
        OK(get(&d, SIZE, sha256));
        check_there(&d);
        assert_int_equal(d.progress, SIZE);
        OWN_FREE char *log = files_log(&files);
        if (i == 0) {
            assert_int_equal(files_count(log, "GET"), 8);
            assert_non_null(strstr(log, "range=bytes=280000-299999 if-range=\"one\""));
        }
    }
}

/* Only what is missing is asked for. */
static void test_segments_resume(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    static char holes[SIZE];
    memcpy(holes, data, SIZE);
    memset(holes + 2 * SEGMENT, 0, SEGMENT);
    memset(holes + 7 * SEGMENT, 0, SIZE - 7 * SEGMENT);
    d.net.segment = SEGMENT;
    check_write(d.folder, "f.part", holes, SIZE);
    static const char notes[] =
        "{\"etag\":\"\\\"one\\\"\",\"have\":\"11011110\",\"schema\":1,\"segment\":40000,\"total\":300000}";
    check_write(d.folder, "f.part.json", notes, strlen(notes));
    source(&d, "ok");
    OK(get(&d, SIZE, sha256));
    check_there(&d);
    assert_int_equal(d.got.kept, SIZE - SEGMENT - 20000);
    OWN_FREE char *log = files_log(&files);
    assert_int_equal(files_count(log, "GET"), 2);
    assert_non_null(strstr(log, "range=bytes=80000-119999 "));
    assert_non_null(strstr(log, "range=bytes=280000-299999 "));
}

static void test_segments_fail(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    d.net.segment = SEGMENT;
    d.net.way.tries = 2;
    source(&d, "wrong");
    FAILS(ERR_UNTRUSTED, "E_DIGEST", get(&d, SIZE, sha256));
    assert_int_equal(names(d.folder), 0);
    strs_done(&d.urls);
    source(&d, "cut10000"); /* 10000 of each 40000 come, then 10000 more: too few tries */
    FAILS(ERR_UNREACHABLE, "E_TRUNCATED", get(&d, SIZE, sha256));
    assert_int_equal(names(d.folder), 2); /* the next run goes on */
    strs_done(&d.urls);
    source(&d, "ok");
    OK(get(&d, SIZE, sha256));
    check_there(&d);
}

/* ---- killed ---- */

struct killed {
    const char *folder, *path, *url, *ca;
    uint64_t segment;
};

static void run_killed(void *arg)
{
    const struct killed *k = arg;
    struct net net;
    OWN_STRS struct strs urls = {0};
    struct download_result got;
    const char *const cas[] = {k->ca};
    err_ignore(net_open(&net, &(struct net_opts){.cas = cas, .n_cas = 1}));
    net.segment = k->segment;
    err_ignore(strs_add(&urls, k->url));
    const struct download want = {.path = k->path, .urls = &urls, .size = SIZE, .sha256 = sha256};
    struct err *e = download(&got, &want, &net);
    if (e)
        print_error("%s\n", err_text(e));
    err_free(e);
}

/* What has its name is whole; and then the next round begins with nothing. */
static void check_killed(void *arg)
{
    const struct killed *k = arg;
    OWN_BUF struct buf b = {0};
    if (!file_exists(AT_FDCWD, k->path))
        return;
    OK(file_read(&b, AT_FDCWD, k->path));
    assert_int_equal(b.len, SIZE);
    assert_memory_equal(b.at, data, SIZE);
    assert_int_equal(unlink(k->path), 0);
}

static void test_killed(void **state)
{
    (void)state;
    NEED_FILES(files);
    for (uint64_t segment = 0; segment <= SEGMENT; segment += SEGMENT) {
        OWN_DESK struct desk d = desk_new();
        OWN_FREE char *ca = str_fmt("127.0.0.1=%s/ca.pem", files.server.dir), *url = files_url(&files, "ok", "f");
        struct killed k = {d.folder, d.path, url, ca, segment};
        kill_everywhere(run_killed, check_killed, &k, 20);
        (void)kill_run(run_killed, &k, -1);
        check_there(&d);
    }
}

/* ---- options, benched hosts ---- */

static struct err *open_net(const char *mirror, const char *ca, const char *proxy)
{
    struct net n;
    struct err *e = net_open(
        &n, &(struct net_opts){
                .mirrors = &mirror, .n_mirrors = mirror != NULL, .cas = &ca, .n_cas = ca != NULL, .proxy = proxy});
    net_done(&n);
    return e;
}

static void test_options(void **state)
{
    (void)state;
    OK(open_net("https://a.example/=http://b.example:8080/x/", NULL, "http://proxy.example:3128"));
    FAILS(ERR_USAGE, "--mirror", open_net("https://a.example/", NULL, NULL));
    FAILS(ERR_USAGE, "--mirror", open_net("=https://b.example/", NULL, NULL));
    FAILS(ERR_USAGE, "--mirror", open_net("https://a.example/=https://me:secret@b.example/", NULL, NULL));
    FAILS(ERR_USAGE, "--ca", open_net(NULL, "a.example", NULL));
    FAILS(ERR_USAGE, "--ca", open_net(NULL, "=/dev/null", NULL));
    FAILS(ERR_USAGE, "--ca", open_net(NULL, "a.example=/nowhere/ca.pem", NULL));
    FAILS(ERR_USAGE, "no certificate", open_net(NULL, "a.example=" SOURCE_DIR "/CMakeLists.txt", NULL));
    FAILS(ERR_USAGE, "--proxy", open_net(NULL, NULL, "proxy.example"));
    struct err *e = open_net(NULL, NULL, "http://me:secret@proxy.example:3128");
    assert_non_null(e);
    assert_null(strstr(err_text(e), "secret"));
    assert_non_null(strstr(err_hint_text(e), "https_proxy"));
    err_free(e);
}

static void test_order(void **state)
{
    (void)state;
    struct net n;
    OWN_STRS struct strs first = {0}, second = {0};
    OWN_DOC struct doc *urls = doc_new_list();
    const char *const mirrors[] = {"https://a.example/=http://m1.example/", "https://a.example/x=https://m2.example/y"};
    doc_add_text(urls, "https://a.example/x/1");
    doc_add_text(urls, "https://b.example/1");
    OK(net_open(&n, &(struct net_opts){.mirrors = mirrors, .n_mirrors = 2}));
    OK(net_sources(&first, &n, urls));
    static const char *const want[] = {"http://m1.example/x/1", "https://m2.example/y/1", "https://a.example/x/1",
                                       "https://b.example/1"};
    assert_int_equal(first.n, ARRAY_LEN(want));
    for (size_t i = 0; i < first.n; i++)
        assert_string_equal(first.at[i], want[i]);
    net_bench(&n, &first, 0);
    OK(net_sources(&second, &n, urls));
    assert_string_equal(second.at[0], want[1]);
    assert_string_equal(second.at[3], want[0]);
    net_bench(&n, &second, 2); /* behind it is none but a benched one */
    assert_false(net_is_benched(&n, want[3]));
    net_done(&n);
}

static void test_benched(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_DESK struct desk d = desk_new();
    OK(strs_add(&d.urls, "http://127.0.0.1:1/f"));
    FAILS(ERR_UNREACHABLE, "E_SRC_CONNECT", get(&d, SIZE, sha256));
    assert_false(net_is_benched(&d.net, "http://127.0.0.1:1/g")); /* there is no other */
    source(&d, "nonsense");
    FAILS(ERR_UNREACHABLE, "E_SRC_CONNECT", get(&d, SIZE, sha256));
    assert_true(net_is_benched(&d.net, "http://127.0.0.1:1/g"));
    strs_done(&d.urls);
    source(&d, "nonsense"); /* the file is missing there; the host is as good as before */
    FAILS(ERR_UNREACHABLE, "E_SRC_HTTP", get(&d, SIZE, sha256));
    assert_false(net_is_benched(&d.net, d.urls.at[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_unknown_halves),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_no_source),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_without_etag),
        cmocka_unit_test(test_resume_elsewhere),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_worst),
        cmocka_unit_test(test_resume_in_vain),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_segments_resume),
        cmocka_unit_test(test_segments_fail),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_benched),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
