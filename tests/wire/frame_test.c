#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *bytes, bool good)
{
    struct frame f = {0};
    struct err *e = frame_decode(&f, (const unsigned char *)bytes);
    assert_int_equal(e == NULL, good);
    err_free(e);
}

static void good_frames(void **state)
{
    (void)state;
    expect("\x01\0\0\0\1\0\0\0\2", true);
    expect("\x81\0\0\0\1\0\1\0\0", true); /* a record that goes on, with the largest payload */
    expect("\x03\0\0\0\1\0\0\0\0", true);
    expect("\x04\xff\xff\xff\xff\0\0\0\4", true);
    expect("\x08\0\0\0\0\0\0\0\0", true);
}

static void bad_frames(void **state)
{
    (void)state;
    expect("\x00\0\0\0\1\0\0\0\0", false); /* no such type */
    expect("\x0a\0\0\0\1\0\0\0\0", false);
    expect("\x02\0\0\0\1\0\1\0\1", false); /* one byte too many */
    expect("\x02\0\0\0\1\xff\xff\xff\xff", false);
    expect("\x02\0\0\0\0\0\0\0\1", false); /* data on stream 0 */
    expect("\x08\0\0\0\1\0\0\0\0", false); /* ping on a stream */
    expect("\x82\0\0\0\1\0\0\0\1", false); /* data cannot go on */
    expect("\x04\0\0\0\1\0\0\0\3", false); /* short window */
    expect("\x03\0\0\0\1\0\0\0\1", false); /* an end with bytes */
    expect("\x02\0\0\0\1\0\0\0\0", false); /* data without bytes */
    expect("\x01\0\0\0\1\0\0\0\0", false); /* request without bytes */
}

static void there_and_back(void **state)
{
    (void)state;
    struct frame f = {.type = FRAME_REPLY, .more = true, .stream = 0x01020304, .length = 0xfffe}, g;
    unsigned char head[FRAME_HEAD];
    frame_encode(head, &f);
    assert_memory_equal(head, "\x85\1\2\3\4\0\0\xff\xfe", FRAME_HEAD);
    struct err *e = frame_decode(&g, head);
    assert_null(e);
    assert_int_equal(g.type, f.type);
    assert_int_equal(g.stream, f.stream);
    assert_int_equal(g.length, f.length);
    assert_true(g.more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_frames),
        cmocka_unit_test(bad_frames),
        cmocka_unit_test(there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
