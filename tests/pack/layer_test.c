/* Layers of images, as tar makes them and as it should not. */
#include "check.h"

#include "base/child.h"
#include "pack/layer.h"

#include <sys/mman.h>
#include <sys/stat.h>

/* What was visited, a line each: "path mode size bytes" or "path -> link". */
struct seen {
    struct buf text;
    int stop_at;
};

static struct err *note(void *self, const struct layer_entry *e, int fd)
{
    struct seen *seen = self;
    OWN_BUF struct buf bytes = {0};
    if (--seen->stop_at == 0)
        return err_new(ERR_CANCELLED, "cancelled");
    if (e->link)
        return buf_fmt(&seen->text, "%s -> %s\n", e->path, e->link);
    TRY(fd_read_all(fd, &bytes));
    return buf_fmt(&seen->text, "%s %04o %llu %s\n", e->path, (unsigned)e->mode, (unsigned long long)e->size,
                   bytes.len > 40 ? "..." : buf_text(&bytes));
}

static struct err *read_fd(struct seen *seen, int fd)
{
    OWN_FD int scratch = memfd_create("scratch", MFD_CLOEXEC);
    assert_true(scratch >= 0);
    return layer_read(fd, scratch, note, seen);
}

/* Runs `script`, which writes an archive to its standard output, in a folder of its own. */
static struct err *read_made(struct seen *seen, const char *script)
{
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *all = str_fmt("set -eu; cd '%s'; %s", folder, script);
    OWN_BUF struct buf out = {0};
    OK(child_run((const char *const[]){"sh", "-c", all, NULL}, &(struct child_opts){.output = &out}, NULL));
    OWN_FD int fd = memfd_create("layer", MFD_CLOEXEC);
    OK(fd_write_all(fd, buf_text(&out), out.len));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return read_fd(seen, fd);
}

static void seen_done(struct seen *s)
{
    buf_done(&s->text);
}
#define OWN_SEEN OWN(seen_done)

#define TREE                                                                                                           \
    "umask 022; mkdir -p bin etc/x; printf tool >bin/tool; chmod 4755 bin/tool; ln -s /bin/tool bin/alias;"            \
    "ln bin/tool bin/hard; printf n >etc/name; : >etc/x/.wh.gone; : >etc/empty;"
#define SORTED "--sort=name --owner=0 --group=0"
static const char tree[] = "bin/alias -> /bin/tool\nbin/hard 4755 4 tool\nbin/tool -> bin/hard\netc/empty 0644 0 \n"
                           "etc/name 0644 1 n\n";

static void every_kind_of_archive(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        TREE "tar -cf - " SORTED " --format=ustar bin etc",  TREE "tar -cf - " SORTED " --format=gnu bin etc",
        TREE "tar -cf - " SORTED " --format=posix bin etc",  TREE "tar -czf - " SORTED " bin etc",
        TREE "tar -cf - " SORTED " bin etc | zstd -q",       TREE "tar -cf - " SORTED " ./bin ./etc",
        TREE "tar -cf - " SORTED " bin etc | gzip -c | cat",
    };
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        OWN_SEEN struct seen seen = {0};
        OK(read_made(&seen, scripts[i]));
        if (strstr(scripts[i], "./bin")) /* the target of a hard link is as it stands there */
            assert_non_null(strstr(seen.text.at, "bin/tool -> ./bin/hard\n"));
        else
            assert_string_equal(seen.text.at, tree);
    }
}

static void names_and_holes(void **state)
{
    (void)state;
    OWN_SEEN struct seen seen = {0}, empty = {0};
    OK(read_made(
        &seen,
        "n=$(printf '%0200d' 7); printf long >$n; printf u >gr\303\274n; truncate -s 5000000 hole; printf end >>hole;"
        "printf '..' >..a; tar -cSf - --sort=name --format=gnu 00* gr* hole ..a"));
    assert_non_null(strstr(seen.text.at, "0007 0"));
    assert_non_null(strstr(seen.text.at, "gr\303\274n "));
    assert_non_null(strstr(seen.text.at, "hole 0"));
    assert_non_null(strstr(seen.text.at, " 5000003 ...\n"));
    assert_non_null(strstr(seen.text.at, "..a "));
    OK(read_made(&empty, "head -c 1024 /dev/zero"));
    assert_string_equal(buf_text(&empty.text), "");
}

static void refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"printf x", "E_LAYER"},
        {"head -c 4096 /dev/urandom", "E_LAYER"},
        {"mkdir a; printf x >b; cd a; tar -cPf - ../b", "leads out"},
        {"printf x >b; tar -cf - --transform 's,b,a/../../b,' b", "leads out"},
        {"printf x >b; tar -cPf - $PWD/b", "not relative"},
        {"n=$(printf 'a\\033'); printf x >$n; tar -cf - $n", "not plain UTF-8"},
        {"n=$(printf 'a\\377'); printf x >$n; tar -cf - --format=posix $n", "not plain UTF-8"},
        {"ln -s $(printf 'a\\033[2J') a; tar -cf - a", "not plain UTF-8"},
        {"head -c 100000 /dev/urandom >a; tar -cf - a | head -c 50000", "E_LAYER"},
        {"head -c 100000 /dev/urandom >a; tar -czf - a | head -c 50000", "E_LAYER"},
        {"head -c 100000 /dev/urandom >a; tar -cf - a | zstd -q | head -c 50000", "E_LAYER"},
        {"truncate -s 70G a; tar -cSf - a", "E_LIMIT"},
        {"printf x >a; tar -cf - a | xz", "E_LAYER"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_SEEN struct seen seen = {0};
        print_message("%s\n", cases[i][0]);
        FAILS(ERR_UNTRUSTED, cases[i][1], read_made(&seen, cases[i][0]));
    }
}

/* Row 39: a file behind a link that leads out, and marks that hide it: said, and nothing of it is ever written. */
static void never_unpacked(void **state)
{
    (void)state;
    OWN_FOLDER char *outside = check_folder();
    OWN_FREE char *script = str_fmt("mkdir a; printf x >a/evil; ln -s '%s' out; : >.wh.out; : >a/.wh..wh..opq;"
                                    "tar -cf - --transform 's,^a/,out/,' out a/evil .wh.out a/.wh..wh..opq",
                                    outside);
    OWN_FREE char *wanted = str_fmt("out -> %s\nout/evil 0644 1 x\n", outside), *evil = check_path(outside, "evil");
    OWN_SEEN struct seen seen = {0};
    mode_t mask = umask(022);
    OK(read_made(&seen, script));
    (void)umask(mask);
    assert_string_equal(seen.text.at, wanted);
    assert_false(file_exists(AT_FDCWD, evil));
}

static void the_visitor_may_stop(void **state)
{
    (void)state;
    OWN_SEEN struct seen seen = {.stop_at = 2};
    FAILS(ERR_CANCELLED, "cancelled", read_made(&seen, TREE "tar -cf - " SORTED " bin etc"));
    assert_string_equal(seen.text.at, "bin/alias -> /bin/tool\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_of_archive), cmocka_unit_test(names_and_holes),
                                       cmocka_unit_test(refused), cmocka_unit_test(never_unpacked),
                                       cmocka_unit_test(the_visitor_may_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
