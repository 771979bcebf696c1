/* Files out of archives, as tar makes them and as it should not. */
#include "check.h"

#include "base/child.h"
#include "pack/member.h"

#include <sys/mman.h>

/* What `script` writes to its standard output, in a folder of its own, as a file to read from. */
static int made(const char *script)
{
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *all = str_fmt("set -eu; cd '%s'; %s", folder, script);
    OWN_BUF struct buf out = {0};
    OK(child_run((const char *const[]){"sh", "-c", all, NULL}, &(struct child_opts){.output = &out}, NULL));
    int fd = memfd_create("archive", MFD_CLOEXEC);
    OK(fd_write_all(fd, buf_text(&out), out.len));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static struct err *extract(struct buf *out, const char *script, const char *name, uint64_t max)
{
    OWN_FD int in = made(script), to = memfd_create("member", MFD_CLOEXEC);
    assert_true(to >= 0);
    TRY(member_extract(in, name, max, to));
    assert_int_equal(lseek(to, 0, SEEK_SET), 0);
    return fd_read_all(to, out);
}

#define TREE "mkdir -p t-1/bin; printf tool >t-1/bin/tool; printf other >t-1/other; ln -s tool t-1/bin/link;"

static void good(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        TREE "tar -c t-1",
        TREE "tar -cz t-1",
        TREE "tar -cJ t-1",
        TREE "tar -c --zstd t-1",
        TREE "tar -c ./t-1",
        TREE "tar -c --format=posix t-1",
        TREE "tar -c --format=v7 t-1",
        TREE "ln t-1/bin/tool t-1/zz; tar -c t-1/bin/tool t-1/zz",
    };
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        OWN_BUF struct buf out = {0};
        OK(extract(&out, scripts[i], "t-1/bin/tool", 4));
        assert_string_equal(buf_text(&out), "tool");
    }
}

/* Holes are bytes too. */
static void sparse(void **state)
{
    (void)state;
    OWN_BUF struct buf out = {0};
    OK(extract(&out, "truncate -s 1M x; printf end >>x; tar -cS x", "x", 2 << 20));
    assert_int_equal(out.len, (1 << 20) + 3);
    assert_int_equal(out.at[0], 0);
    assert_string_equal(out.at + (1 << 20), "end");
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *script, *name, *says;
        uint64_t max;
    } cases[] = {
        {TREE "tar -c t-1", "t-1/bin/tools", "no member \"t-1/bin/tools\"", 9},
        {TREE "tar -c t-1", "tool", "no member \"tool\"", 9},
        {TREE "tar -c t-1", "t-1/bin", "no member", 9}, /* a folder is t-1/bin/ */
        {TREE "tar -c t-1", "t-1/bin/link", "no regular file", 9},
        {TREE "ln t-1/other t-1/zz; tar -c t-1/other t-1/zz", "t-1/zz", "no regular file", 9},
        {"mkfifo x; tar -c x", "x", "no regular file", 9},
        {TREE "tar -c t-1", "t-1/bin/tool", "has 4 bytes; 1 to 3", 3},
        {": >x; tar -c x", "x", "has 0 bytes", 9},
        {TREE "tar -c t-1/other t-1/other", "t-1/other", "is there twice", 9},
        {TREE "tar -c t-1 | head -c 2100", "t-1/bin/tool", "E_ARCHIVE: ", 9},
        {"head -c 3000000 /dev/urandom >x; tar -cz x | head -c 1000000", "x", "E_ARCHIVE: ", 9000000},
        {"head -c 3000000 /dev/urandom >x; printf y >y; tar -cz y x | head -c 1000000", "y", "E_ARCHIVE: ", 9},
        {"echo no archive", "x", "E_ARCHIVE: ", 9},
        {"printf ''", "x", "E_ARCHIVE: ", 9},
        {"printf x >x; truncate -s 70G y; tar -cSf a y x; cat a", "x", "E_LIMIT", 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_BUF struct buf out = {0};
        print_message("%s\n", cases[i].script);
        FAILS(ERR_UNTRUSTED, cases[i].says, extract(&out, cases[i].script, cases[i].name, cases[i].max));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(sparse), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
