/* Ranges of files from a server that does all that servers do wrong. */
#include "http/range.h"

#include "http/files.h"
#include "http/url.h"

#include "base/clock.h"

enum { SIZE = 300000 };

static struct files files;
static char data[SIZE];
static struct http_ca ca;
static struct http_way way = {.cas = &ca, .n_cas = 1, .tries = 8, .wait_ms = 1, .stall_s = 1};

static int setup(void **state)
{
    (void)state;
    (void)unsetenv("https_proxy");
    (void)unsetenv("http_proxy");
    (void)unsetenv("all_proxy");
    (void)unsetenv("no_proxy");
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i * 31 + i / 251);
    files_start(&files);
    if (files.missing)
        return 0;
    files_put(&files, "f", data, SIZE);
    ca = (struct http_ca){"127.0.0.1", files.ca};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    files_stop(&files);
    return 0;
}

struct got {
    struct buf bytes;
    int begins;
};

static struct err *on_begin(void *self, const struct http_found *found)
{
    (void)found;
    ((struct got *)self)->begins++;
    return NULL;
}

static struct err *on_bytes(void *self, const void *p, size_t n)
{
    return buf_add(&((struct got *)self)->bytes, p, n);
}

static struct err *ask_way(struct got *got, struct http_found *found, struct http_range ask, const struct http_way *how)
{
    OWN(http_freep) struct http *h = NULL;
    const struct http_sink sink = {on_begin, on_bytes, got};
    OK(http_new(&h));
    buf_done(&got->bytes);
    got->begins = 0;
    return http_range(found, &ask, how, h, &sink);
}

/* The range of /MODE/f. */
static struct err *ask_mode(struct got *got, struct http_found *found, const char *mode, struct http_range ask)
{
    OWN_FREE char *url = files_url(&files, mode, "f");
    ask.url = url;
    return ask_way(got, found, ask, &way);
}

/* What came are the bytes of the file. */
static void check_bytes(const struct got *got, uint64_t from, uint64_t to)
{
    assert_int_equal(got->bytes.len, to - from);
    assert_memory_equal(got->bytes.at, data + from, to - from);
    assert_int_equal(got->begins, 1);
}

static void done(struct got *got)
{
    buf_done(&got->bytes);
}

#define OWN_GOT OWN(done)

static void test_ranges(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_GOT struct got got = {0};
    struct http_found found;
    OK(ask_mode(&got, &found, "ok", (struct http_range){0}));
    check_bytes(&got, 0, SIZE);
    assert_int_equal(found.total, SIZE);
    assert_string_equal(found.etag, "\"one\"");
    assert_true(found.ranges);
    OK(ask_mode(&got, &found, "ok", (struct http_range){.from = 1000, .to = 1001, .etag = "\"one\""}));
    check_bytes(&got, 1000, 1001);
    OK(ask_mode(&got, &found, "ok", (struct http_range){.from = 299990, .to = 900000, .size = SIZE}));
    check_bytes(&got, 299990, SIZE);
    OWN_FREE char *log = files_log(&files);
    assert_non_null(strstr(log, "range=bytes=1000-1000 if-range=\"one\""));
}

static void test_whole_in_place_of_range(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_GOT struct got got = {0};
    struct http_found found;
    OK(ask_mode(&got, &found, "norange", (struct http_range){.to = 10}));
    check_bytes(&got, 0, SIZE);
    assert_false(found.ranges);
    FAILS(ERR_UNREACHABLE, "E_SRC_RANGE",
          ask_mode(&got, &found, "norange", (struct http_range){.to = 10, .part = true}));
    assert_false(found.changed);
    assert_int_equal(got.bytes.len, 0);
    FAILS(ERR_UNREACHABLE, "E_SRC_RANGE", ask_mode(&got, &found, "norange", (struct http_range){.from = 10}));
    assert_true(found.changed);
    assert_int_equal(got.bytes.len, 0);
    FAILS(ERR_UNREACHABLE, "E_SRC_RANGE", ask_mode(&got, &found, "skewed", (struct http_range){.from = 10}));
    assert_int_equal(got.bytes.len, 0);
}

/* A 206 says in one form which bytes it has, and those must be the ones that were asked for. */
static void test_odd_ranges(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_GOT struct got got = {0};
    struct http_found found;
    for (size_t i = 0; i < 18; i++) {
        FAILS(ERR_UNREACHABLE, "E_SRC_RANGE", ask_mode(&got, &found, "odd", (struct http_range){.to = 10}));
        assert_int_equal(got.bytes.len, 0);
    }
    FAILS(ERR_UNREACHABLE, "E_SRC_RANGE", ask_mode(&got, &found, "multipart", (struct http_range){.to = 10}));
}

/* 416 is right where the file ends, and nowhere else. */
static void test_end(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_GOT struct got got = {0};
    struct http_found found;
    OK(ask_mode(&got, &found, "ok", (struct http_range){.from = SIZE, .size = SIZE}));
    check_bytes(&got, SIZE, SIZE);
    FAILS(ERR_UNREACHABLE, "E_SRC_RANGE", ask_mode(&got, &found, "ok", (struct http_range){.from = SIZE + 1}));
    assert_true(found.changed);
}

static void test_goes_on_after_cuts(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_GOT struct got got = {0};
    struct http_found found;
    OWN_FREE char *before = files_log(&files);
    OK(ask_mode(&got, &found, "cut50000", (struct http_range){0}));
    check_bytes(&got, 0, SIZE);
    OWN_FREE char *log = files_log(&files);
    assert_int_equal(files_count(log, "GET"), 6);
    assert_int_equal(files_count(log, "if-range=\"one\""), 5);
    assert_non_null(strstr(log, "range=bytes=250000-"));
    OK(ask_mode(&got, &found, "busy", (struct http_range){0}));
    check_bytes(&got, 0, SIZE);
}

/* Without a strong ETag nobody knows whether the rest is of the same file. */
static void test_no_etag(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_GOT struct got got = {0};
    struct http_found found;
    OK(ask_mode(&got, &found, "weak", (struct http_range){0}));
    assert_string_equal(found.etag, "");
    FAILS(ERR_UNREACHABLE, "E_TRUNCATED", ask_mode(&got, &found, "noetagcut", (struct http_range){0}));
    assert_true(found.changed);
    OK(ask_mode(&got, &found, "noetagcut", (struct http_range){.loose = true}));
    check_bytes(&got, 0, SIZE);
    FAILS(ERR_UNREACHABLE, "E_TRUNCATED", ask_mode(&got, &found, "norangecut", (struct http_range){.loose = true}));
    assert_true(found.changed);
}

static void test_changed(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const char *const modes[] = {"changes", "mixes", "grows", "forgets"};
    OWN_GOT struct got got = {0};
    struct http_found found;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        FAILS(ERR_UNREACHABLE, "E_SRC_RANGE: the file on the server changed",
              ask_mode(&got, &found, modes[i], (struct http_range){0}));
        assert_true(found.changed);
        assert_int_equal(got.bytes.len, 50000);
    }
    OK(ask_mode(&got, &found, "forgets", (struct http_range){.loose = true})); /* a digest will tell */
    check_bytes(&got, 0, SIZE);
    FAILS(ERR_UNREACHABLE, "E_SRC_RANGE", ask_mode(&got, &found, "ok", (struct http_range){.from = SIZE, .etag = "x"}));
    assert_true(found.changed); /* its 416 says nothing of an ETag */
}

static void test_size(void **state)
{
    (void)state;
    NEED_FILES(files);
    static const char *const wrong[] = {"longer", "chunkedlonger", "chunkedshorter", "endless", "gzip"};
    OWN_GOT struct got got = {0};
    struct http_found found;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        FAILS(ERR_UNREACHABLE, "E_SRC_SIZE", ask_mode(&got, &found, wrong[i], (struct http_range){.size = SIZE}));
        assert_true(got.bytes.len <= SIZE);
    }
    FAILS(ERR_UNREACHABLE, "E_SRC_SIZE", ask_mode(&got, &found, "ok", (struct http_range){.size = SIZE - 1}));
    assert_int_equal(got.bytes.len, 0);
    FAILS(ERR_UNREACHABLE, "E_SRC_SIZE", ask_mode(&got, &found, "ok", (struct http_range){.max = SIZE - 1}));
    FAILS(ERR_UNREACHABLE, "E_SRC_SIZE", ask_mode(&got, &found, "endless", (struct http_range){.max = SIZE}));
    OK(ask_mode(&got, &found, "chunked", (struct http_range){.size = SIZE}));
    check_bytes(&got, 0, SIZE);
    OK(ask_mode(&got, &found, "chunked", (struct http_range){0}));
    assert_true(found.total == HTTP_UNKNOWN);
}

static void test_status(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_GOT struct got got = {0};
    struct http_found found;
    FAILS(ERR_UNREACHABLE, "E_SRC_HTTP: the server says 404",
          ask_mode(&got, &found, "nonsense", (struct http_range){.size = 10}));
    FAILS(ERR_UNREACHABLE, "E_SRC_HTTP: the server says 503", ask_mode(&got, &found, "closed", (struct http_range){0}));
    OWN_FREE char *log = files_log(&files);
    assert_int_equal(files_count(log, "/closed/f"), 1); /* it says an hour: nobody waits for that */
    assert_int_equal(files_count(log, "/nonsense/f"), 1);
}

/* ---- redirects ---- */

static struct err *redirect(struct got *got, const char *from, int port, const char *to)
{
    struct http_found found;
    OWN_FREE char *url = str_fmt("%s://127.0.0.1:%d/to/%s", from, port, to);
    return ask_way(got, &found, (struct http_range){.url = url, .authorization = "Bearer secret"}, &way);
}

static void test_redirects(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_GOT struct got got = {0};
    struct http_found found;
    OWN_FREE char *same = str_fmt("https/127.0.0.1:%d/ok/f", files.secure);
    OWN_FREE char *plain = str_fmt("http/127.0.0.1:%d/ok/f", files.plain);
    OWN_FREE char *plain_name = str_fmt("http/localhost:%d/ok/f", files.plain);
    OK(redirect(&got, "https", files.secure, same));
    check_bytes(&got, 0, SIZE);
    OK(redirect(&got, "http", files.plain, same));
    check_bytes(&got, 0, SIZE);
    OK(redirect(&got, "http", files.plain, plain));
    check_bytes(&got, 0, SIZE);
    FAILS(ERR_UNREACHABLE, "E_SRC_REDIRECT", redirect(&got, "https", files.secure, plain));
    FAILS(ERR_UNREACHABLE, "E_SRC_REDIRECT", redirect(&got, "http", files.plain, plain_name));
    FAILS(ERR_UNREACHABLE, "E_SRC_REDIRECT", redirect(&got, "https", files.secure, "ftp/127.0.0.1/f"));
    FAILS(ERR_UNREACHABLE, "E_SRC_REDIRECT", redirect(&got, "https", files.secure, "https/me:secret@127.0.0.1/f"));
    FAILS(ERR_UNREACHABLE, "E_SRC_REDIRECT", ask_mode(&got, &found, "tofile", (struct http_range){0}));
    FAILS(ERR_UNREACHABLE, "E_SRC_REDIRECT", ask_mode(&got, &found, "circle", (struct http_range){0}));
}

/* Who asks is told to the URL's own host alone. */
static void test_authorization(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_GOT struct got got = {0};
    OWN_FREE char *there = str_fmt("https/127.0.0.1:%d/ok/f", files.secure);
    OWN_FREE char *before = files_log(&files);
    OK(redirect(&got, "https", files.secure, there));
    OWN_FREE char *log = files_log(&files);
    assert_int_equal(files_count(log, "authorization=Bearer secret"), 2);
    OK(redirect(&got, "http", files.plain, there));
    OWN_FREE char *other = files_log(&files);
    assert_non_null(strstr(other, "plain GET /to/https/127.0.0.1"));
    assert_int_equal(files_count(other, "authorization=Bearer secret"), 1);
    assert_non_null(strstr(other, "authorization=-"));
}

/* ---- TLS, proxies, links ---- */

static struct err *fetch_from(struct http_way how, const char *host, int port)
{
    OWN_GOT struct got got = {0};
    struct http_found found;
    OWN_FREE char *url = str_fmt("https://%s:%d/ok/f", host, port);
    return ask_way(&got, &found, (struct http_range){.url = url}, &how);
}

static void test_tls(void **state)
{
    (void)state;
    NEED_FILES(files);
    struct http_way none = {.tries = 1, .stall_s = 1};
    struct http_ca all[] = {{"localhost", files.ca}, {"127.0.0.1", files.ca}};
    struct http_way both = {.cas = all, .n_cas = 2, .tries = 1, .stall_s = 1};
    OK(fetch_from(both, "localhost", files.secure));
    OK(fetch_from(both, "LOCALHOST", files.secure));
    FAILS(ERR_UNREACHABLE, "E_SRC_TLS", fetch_from(none, "127.0.0.1", files.secure));
    FAILS(ERR_UNREACHABLE, "E_SRC_TLS", fetch_from(way, "localhost", files.secure)); /* its CA is for another host */
    FAILS(ERR_UNREACHABLE, "E_SRC_TLS", fetch_from(both, "127.0.0.1", files.misnamed));
    FAILS(ERR_UNREACHABLE, "E_SRC_TLS", fetch_from(both, "127.0.0.1", files.plain));
}

static void test_proxy(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_FREE char *refusing = str_fmt("http://127.0.0.1:%d", files.refusing);
    OWN_FREE char *good = str_fmt("http://127.0.0.1:%d", files.proxy);
    OWN_FREE char *before = files_log(&files);
    struct http_way how = way;
    how.tries = 1;
    how.proxy = refusing;
    FAILS(ERR_UNREACHABLE, "E_SRC_PROXY", fetch_from(how, "127.0.0.1", files.secure));
    OWN_GOT struct got got = {0};
    struct http_found found;
    OWN_FREE char *url = str_fmt("http://127.0.0.1:%d/ok/f", files.plain);
    FAILS(ERR_UNREACHABLE, "E_SRC_PROXY", ask_way(&got, &found, (struct http_range){.url = url}, &how));
    how.proxy = good;
    OK(fetch_from(how, "127.0.0.1", files.secure));
    OWN_FREE char *log = files_log(&files);
    assert_non_null(strstr(log, "proxy CONNECT 127.0.0.1"));

    how.proxy = NULL;
    assert_int_equal(setenv("https_proxy", refusing, 1), 0);
    FAILS(ERR_UNREACHABLE, "E_SRC_PROXY", fetch_from(how, "127.0.0.1", files.secure));
    assert_int_equal(setenv("no_proxy", "example.org,127.0.0.0/8", 1), 0);
    OK(fetch_from(how, "127.0.0.1", files.secure));
    assert_int_equal(unsetenv("https_proxy"), 0);
    how.proxy = refusing;
    OK(fetch_from(how, "127.0.0.1", files.secure));
    assert_int_equal(unsetenv("no_proxy"), 0);
}

static void test_links(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_GOT struct got got = {0};
    struct http_found found;
    struct http_way how = way;
    how.tries = 1;
    OWN_FREE char *url = files_url(&files, "stall", "f");
    FAILS(ERR_UNREACHABLE, "E_SRC_STALL", ask_way(&got, &found, (struct http_range){.url = url}, &how));
    check_bytes(&got, 0, 1000);
    OWN_FREE char *drip = files_url(&files, "drip", "f");
    FAILS(ERR_UNREACHABLE, "E_SRC_STALL", ask_way(&got, &found, (struct http_range){.url = drip}, &how));
    OWN_FREE char *slow = files_url(&files, "slow", "f"); /* 500 bytes a second are a bad link, not a silent host */
    OK(ask_way(&got, &found, (struct http_range){.url = slow, .to = 1500}, &how));
    FAILS(ERR_UNREACHABLE, "E_SRC_CONNECT", fetch_from(how, "127.0.0.1", 1));
    FAILS(ERR_UNREACHABLE, "E_TRUNCATED", ask_mode(&got, &found, "cut0", (struct http_range){0}));
    OWN_FREE char *log = files_log(&files);
    assert_int_equal(files_count(log, "/cut0/f"), way.tries);
}

/* A connection that is used again took no time to be made, and is one all the same. */
static void test_stall_of_old_connection(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN_GOT struct got got = {0};
    struct http_found found;
    struct http_way how = way;
    OWN(http_freep) struct http *h = NULL;
    OWN_FREE char *good = files_url(&files, "ok", "f"), *mute = files_url(&files, "mute", "f");
    const struct http_sink sink = {on_begin, on_bytes, &got};
    how.tries = 1;
    OK(http_new(&h));
    OK(http_range(&found, &(struct http_range){.url = good}, &how, h, &sink));
    FAILS(ERR_UNREACHABLE, "E_SRC_STALL", http_range(&found, &(struct http_range){.url = mute}, &how, h, &sink));
}

static void test_cancel(void **state)
{
    (void)state;
    NEED_FILES(files);
    OWN(cancel_done) struct cancel c = {-1};
    OK(cancel_init(&c));
    struct http_way how = way;
    how.cancel = &c;
    OK(fetch_from(how, "127.0.0.1", files.secure));
    cancel_set(&c);
    FAILS(ERR_CANCELLED, "cancelled", fetch_from(how, "127.0.0.1", files.secure));
}

static void test_url(void **state)
{
    (void)state;
    OWN_URL struct http_url u = {0};
    OK(http_url_parse(&u, "https://Example.ORG/a?b=c"));
    assert_string_equal(u.host, "example.org");
    assert_string_equal(u.origin, "https://example.org:443");
    assert_true(u.secure);
    static const char *const bad[] = {"",
                                      "/etc/passwd",
                                      "file:///etc/passwd",
                                      "ftp://h/x",
                                      "https://",
                                      "https://me@h/x",
                                      "https://me:secret@h/x",

                                      "https://h:99999/",
                                      "https://h h/x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_url none;
        FAILS(ERR_USAGE, "", http_url_parse(&none, bad[i]));
    }
    assert_true(http_is_url("HTTP://h/x") && http_is_url("https://h") && !http_is_url("./http://h"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_whole_in_place_of_range),
        cmocka_unit_test(test_odd_ranges),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_goes_on_after_cuts),
        cmocka_unit_test(test_no_etag),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_authorization),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_stall_of_old_connection),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_url),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
