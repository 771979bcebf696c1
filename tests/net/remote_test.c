/* Bundles on a web server, over the server of tests/http/files.py. */
#include "net/remote.h"

#include "bundle/forge.h"
#include "http/files.h"

#include "crypt/digest.h"

static struct files files;
static struct forge *forge;
static char *ca;
static const char *trust;
static int tries = 2;
static char big[1000000];

static int setup(void **state)
{
    (void)state;
    (void)unsetenv("https_proxy");
    (void)unsetenv("http_proxy");
    (void)unsetenv("all_proxy");
    files_start(&files);
    if (files.missing)
        return 0;
    forge = forge_new();
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 31 + i / 251);
    forge_seal(forge);
    forge_write(forge);
    files_put(&files, "b", forge->file.at, forge->file.len);
    files_put(&files, "cut", forge->file.at, forge->file.len - 1000);
    ca = str_fmt("127.0.0.1=%s/ca.pem", files.server.dir);
    trust = forge->pub_path;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    files_stop(&files);
    forge_free(forge);
    free(ca);
    return 0;
}

static struct err *open_url(struct source **ret, const char *url)
{
    const char *const cas[] = {ca};
    return remote_open(ret, url,
                       &(struct net_opts){.cas = cas, .n_cas = 1, .tries = tries, .wait_ms = 1, .stall_s = 1});
}

static struct err *open_mode(struct source **ret, const char *mode, const char *name)
{
    OWN_FREE char *url = files_url(&files, mode, name);
    return open_url(ret, url);
}

static struct err *verify(const char *mode, const char *name)
{
    OWN_BUNDLE struct bundle *b = NULL;
    struct source *s = NULL;
    TRY(open_mode(&s, mode, name));
    TRY(bundle_open_source(&b, s, BUNDLE_FULL, &trust, 1));
    return bundle_verify(b, NULL, NULL);
}

static void test_verify(void **state)
{
    (void)state;
    NEED_FILES(files);
    OK(verify("ok", "b"));
    OK(verify("noetag", "b"));
    OWN_BUNDLE struct bundle *b = NULL;
    struct source *s = NULL;
    OWN_FREE char *url = str_fmt("http://127.0.0.1:%d/ok/b", files.plain);
    OK(open_url(&s, url));
    assert_true(s->streams > 1 && !s->one_pass);
    assert_int_equal(source_size(s), forge->file.len);
    OK(bundle_open_source(&b, s, BUNDLE_FULL, &trust, 1));
    OK(bundle_verify(b, NULL, NULL));
    assert_string_equal(bundle_path(b), url);
}

/* Only the head is read to look at it. */
static void test_head_alone(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_BUNDLE struct bundle *b = NULL;
    struct source *s = NULL;
    free(files_log(&files));
    OK(open_mode(&s, "ok", "b"));
    OK(bundle_open_source(&b, s, BUNDLE_FULL, &trust, 1));
    OWN_FREE char *log = files_log(&files);
    assert_int_equal(files_count(log, "GET"), 1);
    assert_non_null(strstr(log, "range=bytes=0-262143 "));
}

/* ---- any bytes, read in any way ---- */

static struct err *to_buf(void *self, const void *p, size_t n)
{
    return buf_add(self, p, n);
}

/* From header to header: little is asked for, until somebody reads on. */
static void test_jumps(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_SOURCE struct source *s = NULL;
    char block[512], more[9000];
    files_put(&files, "big", big, sizeof big);
    OK(open_mode(&s, "ok", "big"));
    free(files_log(&files));
    OK(source_read(s, block, sizeof block, 600000));
    OK(source_read(s, block, sizeof block, 602000));
    OK(source_read(s, block, sizeof block, 604096));
    OK(source_read(s, more, sizeof more, 300000));
    assert_memory_equal(more, big + 300000, sizeof more);
    OWN_FREE char *log = files_log(&files);
    assert_int_equal(files_count(log, "GET"), 3);
    assert_non_null(strstr(log, "range=bytes=600000-604095 "));
    assert_non_null(strstr(log, "range=bytes=604096-866239 "));
    assert_non_null(strstr(log, "range=bytes=300000-308999 "));
}

static void test_bytes(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_SOURCE struct source *s = NULL;
    files_put(&files, "big", big, sizeof big);
    OK(open_mode(&s, "ok", "big"));
    free(files_log(&files));
    static const struct {
        uint64_t from, n;
    } ranges[] = {{0, 10}, {100, 900000}, {262140, 8}, {999999, 1}, {0, sizeof big}, {500000, 100000}, {7, 0}};
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        OWN_BUF struct buf b = {0};
        OK(source_stream(s, ranges[i].from, ranges[i].n, to_buf, &b));
        assert_int_equal(b.len, ranges[i].n);
        assert_true(!b.len || memcmp(b.at, big + ranges[i].from, b.len) == 0);
        OWN_FREE char *copy = malloc(ranges[i].n + 1);
        OK(source_read(s, copy, ranges[i].n, ranges[i].from));
        assert_memory_equal(copy, big + ranges[i].from, ranges[i].n);
    }
    bool ends = false;
    OK(source_ends(&ends, s, sizeof big));
    assert_true(ends);
    OK(source_ends(&ends, s, sizeof big - 1));
    assert_false(ends);
    OWN_BUF struct buf b = {0};
    FAILS(ERR_UNTRUSTED, "E_TRUNCATED", source_stream(s, sizeof big - 1, 2, to_buf, &b));
    FAILS(ERR_UNTRUSTED, "E_TRUNCATED", source_read(s, big, 2, sizeof big - 1));
}

static void *read_all(void *arg)
{
    struct buf *b = calloc(1, sizeof *b);
    struct err *e = source_stream(arg, 0, sizeof big, to_buf, b);
    if (e)
        print_error("%s\n", err_text(e));
    err_free(e);
    return b;
}

static void test_threads(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_SOURCE struct source *s = NULL;
    pthread_t threads[6];
    files_put(&files, "big", big, sizeof big);
    OK(open_mode(&s, "ok", "big"));
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, s), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *got = NULL;
        assert_int_equal(pthread_join(threads[i], &got), 0);
        struct buf *b = got;
        assert_int_equal(b->len, sizeof big);
        assert_memory_equal(b->at, big, sizeof big);
        buf_done(b);
        free(b);
    }
}

/* ---- servers that will not do ---- */

static void test_refused(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const struct {
        const char *mode, *name, *word;
        enum err_kind kind;
    } bad[] = {{"norange", "b", "E_SRC_RANGE", ERR_UNREACHABLE},   {"chunked", "b", "E_SRC_RANGE", ERR_UNREACHABLE},
               {"skewed", "b", "E_SRC_RANGE", ERR_UNREACHABLE},    {"gzip", "b", "E_SRC_SIZE", ERR_UNREACHABLE},
               {"tofile", "b", "E_SRC_REDIRECT", ERR_UNREACHABLE}, {"nonsense", "b", "E_SRC_HTTP", ERR_UNREACHABLE},
               {"ok", "nowhere", "E_SRC_HTTP", ERR_UNREACHABLE},   {"wrong", "b", "E_FORMAT", ERR_UNTRUSTED},
               {"ok", "cut", "E_TRUNCATED", ERR_UNTRUSTED}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        FAILS(bad[i].kind, bad[i].word, verify(bad[i].mode, bad[i].name));
    struct err *e = verify("norange", "b");
    assert_non_null(strstr(err_hint_text(e), "| caisson bundle ingest -"));
    err_free(e);
    OWN_SOURCE struct source *s = NULL;
    FAILS(ERR_USAGE, "user's name", open_url(&s, "https://me:secret@127.0.0.1/b"));
    FAILS(ERR_USAGE, "bundle /nowhere/b", open_url(&s, "/nowhere/b"));
    FAILS(ERR_USAGE, "an address, where a file is wanted", source_open(&s, "https://127.0.0.1/b"));
}

/* A cut connection is no cut bundle: it is the way's fault, and is gone on after while anything comes. */
static void test_cuts(void **state)
{
    (void)state;
    NEED_FILES(files);
    for (size_t at = 0; at <= forge->file.len; at += forge->file.len / 8) {
        OWN_FREE char *mode = str_fmt("cut%zu", at);
        tries = 2;
        if (2 * at < forge->file.len)
            FAILS(ERR_UNREACHABLE, "E_TRUNCATED", verify(mode, "b"));
        tries = 10;
        if (at)
            OK(verify(mode, "b"));
    }
    tries = 1;
    FAILS(ERR_UNREACHABLE, "E_SRC_STALL", verify("stall", "b"));
    tries = 2;
}

/* The server gets another release while this one is read. */
static void test_changes(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_SOURCE struct source *s = NULL;
    OWN_BUF struct buf b = {0};
    files_put(&files, "big", big, sizeof big);
    OK(open_mode(&s, "replaced", "big"));
    FAILS(ERR_UNREACHABLE, "E_SRC_RANGE: the file on the server changed", source_stream(s, 500000, 400000, to_buf, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify), cmocka_unit_test(test_head_alone), cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_bytes),  cmocka_unit_test(test_threads),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cuts),   cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
