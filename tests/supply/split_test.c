/* Cutting bundles: what comes out is read again as what went in; nothing half is ever there. */
#include "workshop.h"

#include "kill.h"

#include "base/child.h"
#include "bundle/bundle.h"
#include "bundle/parts.h"
#include "supply/split.h"

#include <dirent.h>

struct bench {
    struct workshop w;
    char *out, *list;
    struct split_opts o;
    uint64_t bytes; /* of the bundle */
};

static struct bench bench_new(uint64_t size)
{
    struct bench b = {.w = workshop_new()};
    struct build_result made;
    OK(bundle_build(&made, &b.w.opts, NULL, NULL));
    b.bytes = made.bytes;
    b.out = check_path(b.w.folder, "stick");
    b.list = check_path(b.out, "tiny.csn.tar.parts.json");
    assert_int_equal(mkdir(b.out, 0755), 0);
    b.o = (struct split_opts){.file = b.w.out, .out = b.out, .size = size};
    return b;
}

static void bench_done(struct bench *b)
{
    free(b->out);
    free(b->list);
    workshop_done(&b->w);
}
#define OWN_BENCH OWN(bench_done)

static struct err *split(const struct bench *b, const char *file, uint64_t size)
{
    OWN_DOC struct doc *d = NULL;
    struct split_opts o = b->o;
    o.file = file;
    o.size = size;
    return bundle_split(&d, &o, NULL, NULL);
}

static struct err *verify(const struct bench *b, const char *path)
{
    OWN_BUNDLE struct bundle *x = NULL;
    const char *trust = b->w.pub;
    TRY(bundle_open(&x, path, &trust, 1));
    return bundle_verify(x, NULL, NULL);
}

static size_t files_in(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir));)
        n += d->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

/* The parts behind one another are the bundle. */
static void same_bytes(const struct bench *b, size_t n)
{
    OWN_BUF struct buf whole = {0}, parts = {0};
    OK(file_read(&whole, AT_FDCWD, b->w.out));
    for (size_t i = 0; i < n; i++) {
        OWN_FREE char *path = parts_path(b->list, i);
        struct stat st;
        OK(file_read(&parts, AT_FDCWD, path));
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0644);
    }
    assert_int_equal(parts.len, whole.len);
    assert_memory_equal(parts.at, whole.at, whole.len);
    assert_int_equal(files_in(b->out), n + 1);
}

static void cut_and_read(void **state)
{
    (void)state;
    OWN_BENCH struct bench b = bench_new(1);
    const struct {
        uint64_t size, n;
    } cases[] = {{b.bytes / 3, 4}, {b.bytes - 1, 2}, {b.bytes, 1}, {UINT64_C(1) << 40, 1}, {b.bytes / 2, 2}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) { /* each over what the one before left */
        OK(split(&b, b.w.out, cases[i].size));
        same_bytes(&b, cases[i].n - (i == 0 && b.bytes % 3 == 0));
        OK(verify(&b, b.list));
    }
}

static void what_it_says(void **state)
{
    (void)state;
    OWN_BENCH struct bench b = bench_new(1000000);
    OWN_DOC struct doc *d = NULL;
    char hex[DIGEST_HEX];
    OWN_BUF struct buf whole = {0};
    OK(bundle_split(&d, &b.o, NULL, NULL));
    OK(file_read(&whole, AT_FDCWD, b.w.out));
    OK(digest_hex(hex, whole.at, whole.len));
    assert_string_equal(doc_text(d, "path"), b.list);
    assert_int_equal(doc_int(d, "bytes", 0), b.bytes);
    assert_int_equal(doc_len(doc_get(d, "parts")), 1);
    assert_string_equal(doc_text(doc_get(d, "parts")->child, "sha256"), hex);
}

/* The commands of bundles/README.md. */
static void other_tools_join(void **state)
{
    (void)state;
    OWN_BENCH struct bench b = bench_new(200);
    static const char script[] =
        "set -e; cd \"$1\"; jq -r '.parts | to_entries[] | .value.sha256 + \"  tiny.csn.tar.\" + (\"00\\(.key)\" | "
        ".[-3:])' tiny.csn.tar.parts.json | sha256sum -c --quiet; cat tiny.csn.tar.[0-9][0-9][0-9] > joined; "
        "cmp joined \"$2\"; ls tiny.csn.tar.[0-9][0-9][0-9] | wc -l";
    const char *const argv[] = {"sh", "-c", script, "sh", b.out, b.w.out, NULL};
    OWN_BUF struct buf out = {0};
    OK(split(&b, b.w.out, 200));
    OK(child_run(argv, &(struct child_opts){.output = &out}, NULL));
    assert_int_equal(atoi(out.at), (b.bytes + 199) / 200);
    assert_true(b.bytes > 20000); /* more than a hundred parts: numbers of three digits */
}

/* A list is cut like a bundle, elsewhere; a wrong part does not get a new list. */
static void cut_again(void **state)
{
    (void)state;
    OWN_BENCH struct bench b = bench_new(5000);
    OWN_FREE char *other = check_path(b.w.folder, "other"), *again = check_path(other, "tiny.csn.tar.parts.json");
    OWN_FREE char *last = parts_path(b.list, (b.bytes - 1) / 5000);
    OK(split(&b, b.w.out, 5000));
    FAILS(ERR_USAGE, "written over while it is read", split(&b, b.list, 4000));
    OK(verify(&b, b.list));
    assert_int_equal(mkdir(other, 0755), 0);
    b.o.out = other;
    OK(split(&b, b.list, 4000));
    OK(verify(&b, again));
    OWN_FD int fd = open(last, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    FAILS(ERR_UNTRUSTED, ": sha256 is", split(&b, b.list, 4000));
    assert_int_equal(files_in(other), 0);
}

static void refusals(void **state)
{
    (void)state;
    OWN_BENCH struct bench b = bench_new(5000);
    OWN_FREE char *none = check_path(b.w.folder, "none");
    FAILS(ERR_USAGE, "none: No such file", split(&b, none, 5000));
    FAILS(ERR_USAGE, "at most 256 can be read", split(&b, b.w.out, b.bytes / 257));
    FAILS(ERR_UNTRUSTED, "E_FORMAT", split(&b, "/bin/sh", 5000));
    FAILS(ERR_UNTRUSTED, "E_TRUNCATED", split(&b, b.w.pub, 5000));
    b.o.out = none;
    FAILS(ERR_USAGE, "none: No such file", split(&b, b.w.out, 5000));
    assert_int_equal(files_in(b.out), 0);
}

/* Too large for the disk: nothing is touched, not even what an earlier cut left. */
static void no_space(void **state)
{
    (void)state;
    OWN_BENCH struct bench b = bench_new(5000);
    OK(split(&b, b.w.out, b.bytes / 2 + 1));
    if (truncate(b.w.out, INT64_C(1) << 43) < 0) {
        print_message("no file of 8 TB here: not checked\n");
        return;
    }
    struct err *e = split(&b, b.w.out, UINT64_C(1) << 40);
    assert_true(e && err_hint_text(e));
    FAILS(ERR_FAILED, "E_SPACE: 8.8 TB are needed", e);
    OK(verify(&b, b.list));
    assert_int_equal(files_in(b.out), 3);
}

static bool stop_late(void *self, const char *what, uint64_t done, uint64_t total)
{
    assert_string_equal(what, "split");
    *(uint64_t *)self = done;
    return done < total / 2;
}

static void stopped(void **state)
{
    (void)state;
    OWN_BENCH struct bench b = bench_new(1000);
    OWN_DOC struct doc *d = NULL;
    uint64_t done = 0;
    FAILS(ERR_CANCELLED, "stopped", bundle_split(&d, &b.o, stop_late, &done));
    assert_true(done >= b.bytes / 2 && done < b.bytes);
    assert_int_equal(files_in(b.out), 0);
}

static void run_split(void *arg)
{
    const struct bench *b = arg;
    err_ignore(split(b, b->w.out, 3000)); /* looked at from outside */
}

/* Where there is a list, there is all of it. */
static void check_split(void *arg)
{
    const struct bench *b = arg;
    if (file_exists(AT_FDCWD, b->list))
        OK(verify(b, b->list));
}

static void killed(void **state)
{
    (void)state;
    OWN_BENCH struct bench b = bench_new(3000);
    kill_everywhere(run_split, check_split, &b, 60);
    OK(split(&b, b.w.out, 3000));
    same_bytes(&b, (b.bytes + 2999) / 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_and_read), cmocka_unit_test(what_it_says),     cmocka_unit_test(cut_again),
        cmocka_unit_test(refusals),     cmocka_unit_test(no_space),         cmocka_unit_test(stopped),
        cmocka_unit_test(killed),       cmocka_unit_test(other_tools_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
