/* Input of a hostile or broken peer: nothing may crash, hang or grow without bound. */
#include "peer_input.inc"

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "wire/frame.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void put(struct buf *b, enum frame_type type, bool more, uint32_t stream, const void *p, uint32_t n)
{
    unsigned char head[FRAME_HEAD];
    frame_encode(head, &(struct frame){.type = type, .more = more, .stream = stream, .length = n});
    struct err *e = buf_add(b, head, sizeof head);
    assert_null(e);
    e = buf_add(b, p, n);
    assert_null(e);
}

static void corpus(void **state)
{
    (void)state;
    DIR *d = opendir(SOURCE_DIR "/tests/wire/corpus");
    assert_non_null(d);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(d)); n++) {
        if (entry->d_name[0] == '.')
            continue;
        OWN_BUF struct buf bytes = {0};
        struct err *e = file_read(&bytes, dirfd(d), entry->d_name);
        assert_null(e);
        peer_input_run(bytes.at, bytes.len);
    }
    closedir(d);
    assert_true(n > 5);
}

static void noise(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u; /* xorshift: the same noise in every run */
    for (int round = 0; round < 300; round++) {
        unsigned char bytes[2000];
        for (size_t i = 0; i < sizeof bytes; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            bytes[i] = (unsigned char)x;
        }
        for (size_t at = 0; round % 3 && at + FRAME_HEAD < sizeof bytes; at += 9 + bytes[at + 8] % 40) {
            bytes[at] = (unsigned char)(1 + bytes[at] % 9); /* two rounds of three look nearly right */
            memcpy(bytes + at + 1, "\0\0\0\1\0\0\0", 7);
            bytes[at + 8] %= 40;
        }
        peer_input_run(bytes, sizeof bytes);
    }
}

static void stream_flood(void **state)
{
    (void)state;
    OWN_BUF struct buf b = {0};
    for (uint32_t i = 1; i <= 5000; i++)
        put(&b, FRAME_REQUEST, false, i, "{}", 2);
    for (uint32_t i = 5001; i <= 6000; i++) /* and requests that never come whole */
        put(&b, FRAME_REQUEST, true, i, "{", 1);
    peer_input_run(b.at, b.len);
}

static void credit_is_enforced(void **state)
{
    (void)state;
    OWN_BUF struct buf b = {0};
    char chunk[FRAME_PAYLOAD_MAX] = {0};
    /* The request is never whole, so nobody reads: more than the window must end the connection. */
    for (int i = 0; i < 200; i++)
        put(&b, FRAME_REQUEST, true, 1, chunk, sizeof chunk);
    peer_input_run(b.at, b.len);
    buf_done(&b);
    put(&b, FRAME_REQUEST, false, 1, "{}", 2);
    for (int i = 0; i < 10; i++)
        put(&b, FRAME_WINDOW, false, 1, "\x7f\xff\xff\xff", 4);
    peer_input_run(b.at, b.len);
}

static void event_flood_of_the_node(void **state)
{
    (void)state;
    OWN_BUF struct buf b = {0};
    char chunk[FRAME_PAYLOAD_MAX];
    memset(chunk, '[', sizeof chunk);
    for (int i = 0; i < 500; i++)
        put(&b, FRAME_EVENT, i % 3 == 0, 1, chunk, sizeof chunk);
    peer_input_run(b.at, b.len);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus),
        cmocka_unit_test(noise),
        cmocka_unit_test(stream_flood),
        cmocka_unit_test(credit_is_enforced),
        cmocka_unit_test(event_flood_of_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
