/* The small files of base/: errors, buffers, text, time, waits. */
#include "base/buf.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "check.h"

#include <errno.h>
#include <poll.h>

static void errors_grow_upwards(void **state)
{
    (void)state;
    struct err *e = err_os(ENOENT, "open %s", "x");
    assert_int_equal(err_errno(e), ENOENT);
    e = err_wrap(e, "host %d", 1);
    e = err_hint(err_as(e, ERR_REFUSED), "do %s", "this");
    e = err_hint(e, "or that");
    assert_string_equal(err_text(e), "host 1: open x: No such file or directory");
    assert_string_equal(err_hint_text(e), "or that");
    assert_int_equal(err_kind(e), ERR_REFUSED);
    assert_int_equal(err_exit_code(e), 6);
    err_free(e);
    assert_null(err_wrap(NULL, "x"));
    assert_null(err_hint(NULL, "x"));
    assert_null(err_as(NULL, ERR_USAGE));
    assert_int_equal(err_exit_code(NULL), 0);
}

/* The exit codes are an interface. */
static void exit_codes(void **state)
{
    (void)state;
    static const struct {
        enum err_kind kind;
        int code;
        const char *name;
    } want[] = {
        {ERR_FAILED, 1, "failed"},         {ERR_UNREACHABLE, 3, "unreachable"}, {ERR_UNTRUSTED, 4, "untrusted"},
        {ERR_PARTIAL, 5, "partial"},       {ERR_REFUSED, 6, "refused"},         {ERR_USAGE, 64, "usage"},
        {ERR_CANCELLED, 130, "cancelled"},
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct err *e = err_new(want[i].kind, "x");
        assert_int_equal(err_exit_code(e), want[i].code);
        assert_string_equal(err_kind_name(want[i].kind), want[i].name);
        err_free(e);
    }
}

static void codes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code;
    } want[] = {
        {"E_DIGEST: not the bytes", "E_DIGEST"},
        {"a.tar: member x at byte 5: E_SIG_BAD: signature: E_OTHER: y", "E_SIG_BAD"},
        {"2 of 3 hosts failed:\ncp-1: E_ROLLBACK: lower", "E_ROLLBACK"},
        {"/tmp/E_FILE: no such file", ""},
        {"a file is called E_x: and E_: and THE_END: and E_NO", ""},
        {"E_ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ: too long", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        char code[32];
        struct err *e = err_new(ERR_UNTRUSTED, "%s", want[i].text);
        err_code(code, e);
        assert_string_equal(code, want[i].code);
        err_free(e);
    }
}

static void buffers(void **state)
{
    (void)state;
    OWN_BUF struct buf b = {.max = 10};
    assert_string_equal(buf_text(&b), "");
    OK(buf_str(&b, "abc"));
    OK(buf_fmt(&b, "%d", 42));
    OK(buf_add(&b, "\0x", 2));
    assert_int_equal(b.len, 7);
    assert_memory_equal(b.at, "abc42\0x", 8);
    OK(buf_add(&b, "123", 3));
    FAILS(ERR_FAILED, "more than 10 bytes", buf_str(&b, "4"));
    assert_int_equal(b.len, 10);
    OWN_FREE char *taken = buf_take(&b);
    assert_memory_equal(taken, "abc42\0x123", 11);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.max, 10);
    OWN_FREE char *nothing = buf_take(&b);
    assert_string_equal(nothing, "");
    OWN_SECRET_BUF struct buf secret = {0};
    for (int i = 0; i < 1000; i++)
        OK(buf_str(&secret, "secret "));
    assert_int_equal(secret.len, 7000);
}

/* The vectors of RFC 4648, section 10; and all 64 digits. */
static void base64(void **state)
{
    (void)state;
    static const char *const want[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t n = 0; n < ARRAY_LEN(want); n++) {
        OWN_BUF struct buf b = {0};
        OK(buf_base64(&b, "foobar", n));
        assert_string_equal(buf_text(&b), want[n]);
    }
    static const unsigned char bytes[] = {0x00, 0x10, 0x83, 0x10, 0x51, 0x87, 0x20, 0x92, 0x8b, 0x30, 0xd3, 0x8f,
                                          0x41, 0x14, 0x93, 0x51, 0x55, 0x97, 0x61, 0x96, 0x9b, 0x71, 0xd7, 0x9f,
                                          0x82, 0x18, 0xa3, 0x92, 0x59, 0xa7, 0xa2, 0x9a, 0xab, 0xb2, 0xdb, 0xaf,
                                          0xc3, 0x1c, 0xb3, 0xd3, 0x5d, 0xb7, 0xe3, 0x9e, 0xbb, 0xf3, 0xdf, 0xbf};
    OWN_BUF struct buf all = {0};
    OK(buf_base64(&all, bytes, sizeof bytes));
    assert_string_equal(buf_text(&all), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
}

static void integers(void **state)
{
    (void)state;
    int64_t v = 5;
    assert_true(str_int("0", 0, 10, &v) && v == 0);
    assert_true(str_int("-12", -20, 10, &v) && v == -12);
    assert_true(str_int("9223372036854775807", INT64_MIN, INT64_MAX, &v) && v == INT64_MAX);
    assert_true(str_int("-9223372036854775808", INT64_MIN, INT64_MAX, &v) && v == INT64_MIN);
    v = 5;
    static const char *const bad[] = {"",   "-", "+1", " 1", "1 ", "1x", "0x1", "1.0", "--1", "9223372036854775808",
                                      "11", "-1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(str_int(bad[i], 0, 10, &v));
    assert_int_equal(v, 5);
}

static void text(void **state)
{
    (void)state;
    assert_true(str_eq("a", "a") && str_eq(NULL, NULL));
    assert_false(str_eq("a", "b") || str_eq("a", NULL) || str_eq(NULL, "a"));
    assert_true(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("a", "ab"));
    assert_true(str_ends("abc", "bc") && str_ends("abc", "") && !str_ends("c", "bc"));
    char hex[9], size[24], mixed[] = "A[Z]-\xc3\x84z9";
    str_lower(mixed);
    assert_string_equal(mixed, "a[z]-\xc3\x84z9");
    str_hex(hex, "\x00\xff\x1a\x9c", 4);
    assert_string_equal(hex, "00ff1a9c");
    const char *digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_true(str_is_sha256(digest));
    assert_false(str_is_sha256(digest + 1) || str_is_sha256("") ||
                 str_is_sha256("E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    str_size(size, 999);
    assert_string_equal(size, "999 B");
    str_size(size, 12345678);
    assert_string_equal(size, "12.3 MB");
    str_size(size, UINT64_MAX);
    assert_non_null(strstr(size, "TB"));
}

static void lists(void **state)
{
    (void)state;
    OWN_STRS struct strs l = {0};
    strs_sort(&l);
    OK(strs_add(&l, "b"));
    OK(strs_add(&l, "a"));
    strs_sort(&l);
    assert_string_equal(l.at[0], "a");
    assert_true(strs_has(&l, "b") && !strs_has(&l, "c"));
}

static void times(void **state)
{
    (void)state;
    char at[32];
    clock_rfc3339(at, 1795269785);
    assert_string_equal(at, "2026-11-21T14:03:05Z");
    int64_t from = clock_ms();
    clock_sleep_ms(-5); /* nothing to wait for; must come back */
    clock_sleep_ms(30);
    assert_true(clock_ms() - from >= 30);
}

static void waits(void **state)
{
    (void)state;
    int p[2];
    OWN(cancel_done) struct cancel c = {.fd = -1};
    OK(cancel_init(&c));
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    FAILS(ERR_UNREACHABLE, "timed out", wait_fd(p[0], POLLIN, clock_ms() + 30, &c));
    FAILS(ERR_UNREACHABLE, "timed out", wait_fd(p[0], POLLIN, 0, NULL)); /* long past */
    OK(fd_write_all(p[1], "x", 1));
    OK(wait_fd(p[0], POLLIN, -1, &c));
    OK(cancel_check(&c));
    OK(cancel_check(NULL));
    OK(cancel_sleep(&c, 20));
    OK(cancel_sleep(NULL, 1));
    cancel_set(&c);
    cancel_set(&c);
    assert_true(cancel_is_set(&c));
    FAILS(ERR_CANCELLED, "cancelled", cancel_check(&c));
    FAILS(ERR_CANCELLED, "cancelled", wait_fd(p[0], POLLIN, -1, &c)); /* wins over a ready descriptor */
    FAILS(ERR_CANCELLED, "cancelled", cancel_sleep(&c, 60000));
    (void)close(p[0]);
    (void)close(p[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_grow_upwards),
        cmocka_unit_test(exit_codes),
        cmocka_unit_test(codes),
        cmocka_unit_test(buffers),
        cmocka_unit_test(base64),
        cmocka_unit_test(integers),
        cmocka_unit_test(text),
        cmocka_unit_test(lists),
        cmocka_unit_test(times),
        cmocka_unit_test(waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
