#include "check.h"
#include "pack/ustar.h"
#include "pack/ustar_write.h"

#include "base/child.h"

#include <unistd.h>

static void round_trip(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {
        0, 1, 511, 512, 513, (UINT64_C(1) << 33) - 1, UINT64_C(1) << 33, UINT64_MAX >> 12, INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct ustar_entry e = {.name = "blobs/sha256/x", .size = sizes[i], .mtime = 1700000000}, got;
        unsigned char block[USTAR_BLOCK];
        OK(ustar_encode(block, &e));
        OK(ustar_decode(&got, block));
        assert_string_equal(got.name, e.name);
        assert_true(got.size == e.size && got.mtime == e.mtime);
    }
    assert_int_equal(ustar_padding(0), 0);
    assert_int_equal(ustar_padding(1), 511);
    assert_int_equal(ustar_padding(512), 0);
    assert_int_equal(ustar_span(513), 512 + 1024);
}

static void long_names(void **state)
{
    (void)state;
    struct ustar_entry e = {.size = 1}, got;
    unsigned char block[USTAR_BLOCK];
    memset(e.name, 'a', 100);
    OK(ustar_encode(block, &e));
    OK(ustar_decode(&got, block));
    assert_int_equal(strlen(got.name), 100);
    FAILS(ERR_FAILED, "longer than 100",
          ustar_write_header(1,
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                             1, 0));
    static const char *const bad[] = {"", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a b", "a\\b", "\xc3\xa4"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ustar_entry x = {.size = 1};
        (void)snprintf(x.name, sizeof x.name, "%s", bad[i]);
        FAILS(ERR_FAILED, "cannot be the name", ustar_encode(block, &x));
    }
    struct ustar_entry late = {.name = "a", .mtime = INT64_C(1) << 33};
    FAILS(ERR_FAILED, "cannot be written", ustar_encode(block, &late));
}

/* Whatever is accepted is what the encoder writes: every single changed bit must be refused or mean something else. */
static void every_bit_counts(void **state)
{
    (void)state;
    struct ustar_entry e = {.name = "caisson/release.json", .size = 4711, .mtime = 1}, got;
    unsigned char block[USTAR_BLOCK], again[USTAR_BLOCK];
    OK(ustar_encode(block, &e));
    for (size_t bit = 0; bit < 8 * (size_t)USTAR_BLOCK; bit++) {
        block[bit / 8] ^= (unsigned char)(1u << bit % 8);
        struct err *bad = ustar_decode(&got, block);
        if (!bad) {
            OK(ustar_encode(again, &got));
            assert_memory_equal(again, block, USTAR_BLOCK);
        }
        err_free(bad);
        block[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

/* Two other readers see the same names and sizes. */
static void others_read_it(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *path = check_path(folder, "t.tar");
    OWN_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    OK(ustar_write_member(fd, "one", 1, "1", 1));
    OK(ustar_write_member(fd, "two/three", 1, "22", 2));
    OK(ustar_write_member(fd, "empty", 1, "", 0));
    OK(ustar_write_end(fd));
    OWN_BUF struct buf gnu = {0}, python = {0};
    static const char script[] = "import sys,tarfile\n"
                                 "for m in tarfile.open(sys.argv[1]): print(m.name, m.size)\n";
    OK(child_run((const char *const[]){"tar", "-tf", path, NULL}, &(struct child_opts){.output = &gnu}, NULL));
    OK(child_run((const char *const[]){"python3", "-c", script, path, NULL}, &(struct child_opts){.output = &python},
                 NULL));
    assert_string_equal(gnu.at, "one\ntwo/three\nempty\n");
    assert_string_equal(python.at, "one 1\ntwo/three 2\nempty 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(long_names),
                                       cmocka_unit_test(every_bit_counts), cmocka_unit_test(others_read_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
