/* The http room against the server of server.py. */
#include "http/http.h"

#include "check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "http/serve.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

static struct serve server;
static const char *no_server;
static char plain[64], secure[64]; /* base URLs */
static char *ca, *other_ca, *cert, *key;

static char *slurp(const char *name)
{
    struct buf b = {0};
    OWN_FREE char *path = str_fmt("%s/%s", server.dir, name);
    assert_null(file_read(&b, AT_FDCWD, path));
    return buf_take(&b);
}

static int setup(void **state)
{
    (void)state;
    int a = 0, b = 0;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0); /* must not be used */
    assert_int_equal(setenv("https_proxy", "http://127.0.0.1:1", 1), 0);
    no_server = serve_start(&server, SOURCE_DIR "/tests/http/server.py");
    if (no_server)
        return 0;
    assert_int_equal(sscanf(server.line, "%d %d", &a, &b), 2);
    (void)snprintf(plain, sizeof plain, "http://127.0.0.1:%d", a);
    (void)snprintf(secure, sizeof secure, "https://127.0.0.1:%d", b);
    ca = slurp("ca.pem");
    other_ca = slurp("other.pem");
    cert = slurp("client.pem");
    key = slurp("client.key");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (!no_server)
        serve_stop(&server);
    free(ca);
    free(other_ca);
    free(cert);
    free(key);
    return 0;
}

#define NEED_SERVER()                                                                                                  \
    do {                                                                                                               \
        if (no_server) {                                                                                               \
            print_message("%s\n", no_server);                                                                          \
            skip();                                                                                                    \
        }                                                                                                              \
    } while (0)

/* http_do() of base + path with a connection of its own. */
static struct err *fetch(struct http_call call, const char *base, const char *path, struct buf *out, long *status)
{
    OWN(http_freep) struct http *h = NULL;
    OWN_FREE char *url = str_fmt("%s%s", base, path);
    OK(http_new(&h));
    call.url = url;
    return http_do(out, status, &call, h);
}

static void test_request_and_answer(void **state)
{
    (void)state;
    NEED_SERVER();
    const char *const more[] = {"X-Extra: yes", NULL};
    struct http_call call = {
        .method = "PATCH", .body = "some text", .body_len = 9, .content_type = "text/plain", .headers = more};
    OWN_BUF struct buf out = {0};
    long status = 0;
    OK(fetch(call, plain, "/echo", &out, &status));
    assert_int_equal(status, 200);
    assert_non_null(strstr(out.at, "\"method\": \"PATCH\""));
    assert_non_null(strstr(out.at, "\"body\": \"some text\""));
    assert_non_null(strstr(out.at, "\"type\": \"text/plain\""));
    assert_non_null(strstr(out.at, "\"extra\": \"yes\""));
}

static void test_other_status_is_an_answer(void **state)
{
    (void)state;
    NEED_SERVER();
    OWN_BUF struct buf out = {0};
    long status = 0;
    OK(fetch((struct http_call){0}, plain, "/teapot", &out, &status));
    assert_int_equal(status, 418);
    assert_string_equal(buf_text(&out), "short and stout");
}

static void test_connection_is_kept(void **state)
{
    (void)state;
    NEED_SERVER();
    OWN(http_freep) struct http *h = NULL;
    OWN_BUF struct buf first = {0}, second = {0};
    OWN_FREE char *url = str_fmt("%s/echo", secure);
    struct http_call call = {.url = url, .ca_pem = ca, .cert_pem = cert, .key_pem = key};
    long status = 0;
    OK(http_new(&h));
    OK(http_do(&first, &status, &call, h));
    OK(http_do(&second, &status, &call, h));
    assert_string_equal(buf_text(&first), buf_text(&second)); /* the same peer port */
}

static void test_unix_socket(void **state)
{
    (void)state;
    NEED_SERVER();
    OWN_FREE char *path = str_fmt("%s/socket", server.dir);
    OWN_BUF struct buf out = {0};
    long status = 0;
    OK(fetch((struct http_call){.unix_socket = path}, "http://10.255.255.1:6443", "/echo", &out, &status));
    assert_int_equal(status, 200);
}

static void test_trust(void **state)
{
    (void)state;
    NEED_SERVER();
    OWN_BUF struct buf out = {0};
    long status = 0;
    struct http_call call = {.ca_pem = other_ca, .cert_pem = cert, .key_pem = key};
    FAILS(ERR_UNTRUSTED, secure, fetch(call, secure, "/echo", &out, &status));
    call.ca_pem = NULL;
    FAILS(ERR_UNTRUSTED, secure, fetch(call, secure, "/echo", &out, &status));
    call = (struct http_call){.ca_pem = ca}; /* no client certificate */
    struct err *e = fetch(call, secure, "/echo", &out, &status);
    assert_non_null(e);
    err_free(e);
}

/* The right server reached through the unix socket of another name: its certificate does not fit the URL. */
static void test_wrong_name(void **state)
{
    (void)state;
    NEED_SERVER();
    OWN_BUF struct buf out = {0};
    OWN_FREE char *path = str_fmt("%s/secure", server.dir);
    struct http_call call = {.unix_socket = path, .ca_pem = ca, .cert_pem = cert, .key_pem = key};
    long status = 0;
    OK(fetch(call, "https://localhost", "/echo", &out, &status));
    FAILS(ERR_UNTRUSTED, "cp-1", fetch(call, "https://cp-1", "/echo", &out, &status));
}

static void test_limits(void **state)
{
    (void)state;
    NEED_SERVER();
    OWN_BUF struct buf out = {0};
    long status = 0;
    FAILS(ERR_FAILED, "larger than 1000", fetch((struct http_call){.max_body = 1000}, plain, "/big", &out, &status));
    int64_t from = clock_ms();
    FAILS(ERR_UNREACHABLE, "timed out", fetch((struct http_call){.timeout_ms = 300}, plain, "/sleep", &out, &status));
    assert_in_range(clock_ms() - from, 250, 2000);
    FAILS(ERR_UNREACHABLE, "/cut", fetch((struct http_call){0}, plain, "/cut", &out, &status));
    FAILS(ERR_UNREACHABLE, "127.0.0.1:1", fetch((struct http_call){0}, "http://127.0.0.1:1", "/", &out, &status));
}

static void test_no_redirects_and_other_protocols(void **state)
{
    (void)state;
    NEED_SERVER();
    OWN_BUF struct buf out = {0};
    long status = 0;
    OK(fetch((struct http_call){0}, plain, "/redirect", &out, &status));
    assert_int_equal(status, 302);
    OK(fetch((struct http_call){0}, plain, "/file-redirect", &out, &status));
    assert_int_equal(status, 302);
    FAILS(ERR_USAGE, "file:///etc", fetch((struct http_call){0}, "file:///etc", "/hostname", &out, &status));
}

static void *cancel_soon(void *p)
{
    clock_sleep_ms(150);
    cancel_set(p);
    return NULL;
}

static void test_cancel(void **state)
{
    (void)state;
    NEED_SERVER();
    OWN(cancel_done) struct cancel c = {-1};
    OWN_BUF struct buf out = {0};
    long status = 0;
    pthread_t t;
    OK(cancel_init(&c));
    assert_int_equal(pthread_create(&t, NULL, cancel_soon, &c), 0);
    int64_t from = clock_ms();
    FAILS(ERR_CANCELLED, "cancelled", fetch((struct http_call){.cancel = &c}, plain, "/sleep", &out, &status));
    assert_in_range(clock_ms() - from, 100, 600);
    assert_int_equal(pthread_join(t, NULL), 0);
}

/* ---- lines ---- */

struct seen {
    struct strs lines;
    size_t stop_at, fail_at;
};

static struct err *see(void *arg, const char *line, size_t n, bool *ret_stop)
{
    struct seen *s = arg;
    OWN_FREE char *text = strndup(line, n);
    TRY(strs_add(&s->lines, text));
    *ret_stop = s->lines.n == s->stop_at;
    return s->lines.n == s->fail_at ? err_new(ERR_REFUSED, "enough") : NULL;
}

static struct err *watch(struct http_call call, const char *path, struct seen *s, struct buf *out, long *status)
{
    OWN(http_freep) struct http *h = NULL;
    OWN_FREE char *url = str_fmt("%s%s", plain, path);
    OK(http_new(&h));
    call.url = url;
    return http_lines(out, status, &call, h, see, s);
}

static void test_lines(void **state)
{
    (void)state;
    NEED_SERVER();
    OWN_BUF struct buf out = {0};
    struct seen s = {.stop_at = 99};
    long status = 0;
    OK(watch((struct http_call){0}, "/lines", &s, &out, &status));
    const char *const want[] = {"one", "two", "three", "four"};
    assert_int_equal(s.lines.n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(s.lines.at[i], want[i]);
    strs_done(&s.lines);
    OK(watch((struct http_call){0}, "/teapot", &s, &out, &status));
    assert_int_equal(status, 418);
    assert_int_equal(s.lines.n, 0);
    assert_string_equal(buf_text(&out), "short and stout");
}

static void test_lines_end_early(void **state)
{
    (void)state;
    NEED_SERVER();
    OWN_BUF struct buf out = {0};
    struct seen s = {.stop_at = 3};
    long status = 0;
    OK(watch((struct http_call){.timeout_ms = -1}, "/endless", &s, &out, &status));
    assert_int_equal(s.lines.n, 3);
    strs_done(&s.lines);
    s = (struct seen){.fail_at = 2};
    FAILS(ERR_REFUSED, "enough", watch((struct http_call){.timeout_ms = -1}, "/endless", &s, &out, &status));
    strs_done(&s.lines);
    s = (struct seen){0};
    FAILS(ERR_FAILED, "longer than 5000", watch((struct http_call){.max_body = 5000}, "/long-line", &s, &out, &status));
    strs_done(&s.lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_and_answer),
        cmocka_unit_test(test_other_status_is_an_answer),
        cmocka_unit_test(test_connection_is_kept),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_wrong_name),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_redirects_and_other_protocols),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lines_end_early),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
