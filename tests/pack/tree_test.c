/* Node packages: made, unpacked, and refused (bad-input rows 37 and 38, and what row 6 means inside a package). */
#include "check.h"
#include "pack/tree.h"

#include "base/child.h"
#include "crypt/digest.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

/* ---- packing ---- */

struct place {
    char *folder, *package, *tree;
    int dirfd;
};

static void place_done(struct place *p)
{
    own_close(&p->dirfd);
    free(p->package);
    free(p->tree);
    check_folder_done(&p->folder);
}

static struct place place_new(void)
{
    struct place p = {.folder = check_folder()};
    p.package = check_path(p.folder, "p.tar.zst");
    p.tree = check_path(p.folder, "tree");
    assert_int_equal(mkdir(p.tree, 0755), 0);
    p.dirfd = open(p.tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(p.dirfd >= 0);
    return p;
}

static struct err *pack(struct tree_info *info, const struct place *p, const struct tree_file *files, size_t n)
{
    OWN_FD int fd = open(p->package, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return tree_pack(info, fd, files, n, 3);
}

static struct err *unpack(const struct place *p, uint64_t max)
{
    OWN_FD int fd = open(p->package, O_RDONLY | O_CLOEXEC);
    return tree_unpack(fd, p->dirfd, max);
}

static void round_trip(void **state)
{
    (void)state;
    OWN(place_done) struct place p = place_new();
    OWN_FREE char *one = check_path(p.folder, "one"), *big = check_path(p.folder, "big");
    OWN_BUF struct buf bytes = {0}, got = {0};
    for (int i = 0; i < 400000; i++)
        OK(buf_fmt(&bytes, "line %d\n", i));
    check_write(p.folder, "one", "1", 1);
    check_write(p.folder, "big", bytes.at, bytes.len);
    char hex[DIGEST_HEX], big_hex[DIGEST_HEX];
    OK(digest_hex(big_hex, bytes.at, bytes.len));
    const struct tree_file files[] = {{.path = "lib/x/big", .mode = 0644, .source = big, .sha256 = big_hex},
                                      {.path = "bin/one", .mode = 0755, .source = one},
                                      {.path = "bin/other", .link = "../lib/x/big"},
                                      {.path = "bin/two", .link = "one"}};
    struct tree_info info, again;
    OK(pack(&info, &p, files, ARRAY_LEN(files)));
    OK(unpack(&p, info.raw_size));
    struct stat st;
    assert_int_equal(fstatat(p.dirfd, "bin/one", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(fstatat(p.dirfd, "lib/x/big", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    OK(file_read(&got, p.dirfd, "lib/x/big"));
    assert_memory_equal(got.at, bytes.at, bytes.len);
    char target[64] = {0};
    assert_true(readlinkat(p.dirfd, "bin/other", target, sizeof target - 1) > 0);
    assert_string_equal(target, "../lib/x/big");
    /* the digests are those of the file and of what zstd makes of it */
    OWN_FD int fd = open(p.package, O_RDONLY | O_CLOEXEC);
    uint64_t size;
    OK(digest_fd(hex, fd, &size));
    assert_string_equal(hex, info.digest);
    assert_int_equal(size, info.size);
    OWN_BUF struct buf raw = {0};
    OK(child_run((const char *const[]){"zstd", "-dc", p.package, NULL}, &(struct child_opts){.output = &raw}, NULL));
    OK(digest_hex(hex, raw.at, raw.len));
    assert_string_equal(hex, info.raw_digest);
    assert_int_equal(raw.len, info.raw_size);
    /* another order of the files changes nothing */
    const struct tree_file turned[] = {files[3], files[1], files[0], files[2]};
    OK(pack(&again, &p, turned, ARRAY_LEN(turned)));
    assert_string_equal(again.digest, info.digest);
}

static void what_cannot_be_packed(void **state)
{
    (void)state;
    OWN(place_done) struct place p = place_new();
    OWN_FREE char *one = check_path(p.folder, "one");
    check_write(p.folder, "one", "1", 1);
    static const char *const paths[] = {"",        "/bin/x", "../x", "bin/../x", "bin//x",
                                        "bin/./x", "bin/x/", "a\\b", "a\nb"};
    struct tree_info info;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        FAILS(ERR_FAILED, "E_PATH",
              pack(&info, &p, &(struct tree_file){.path = paths[i], .mode = 0755, .source = one}, 1));
    static const mode_t modes[] = {04755, 02755, 01777, 0100644};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        FAILS(ERR_FAILED, "E_PATH",
              pack(&info, &p, &(struct tree_file){.path = "x", .mode = modes[i], .source = one}, 1));
    static const char *const links[] = {"/etc/passwd", "..", "../..", "../../x", "a/../../x", "a/../b", "", "."};
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        FAILS(ERR_FAILED, "E_PATH", pack(&info, &p, &(struct tree_file){.path = "x", .link = links[i]}, 1));
    const struct tree_file twice[] = {{.path = "x", .mode = 0755, .source = one},
                                      {.path = "x", .mode = 0644, .source = one}};
    FAILS(ERR_FAILED, "named twice", pack(&info, &p, twice, 2));
    const struct tree_file below[] = {{.path = "x", .mode = 0755, .source = one},
                                      {.path = "x/y", .mode = 0644, .source = one}};
    FAILS(ERR_FAILED, "named twice", pack(&info, &p, below, 2));
    FAILS(ERR_FAILED, "without files", pack(&info, &p, NULL, 0));
    FAILS(ERR_FAILED, "No such file",
          pack(&info, &p, &(struct tree_file){.path = "x", .mode = 0755, .source = "/nonexistent"}, 1));
    const char *other = "0000000000000000000000000000000000000000000000000000000000000000";
    FAILS(ERR_UNTRUSTED, "E_DIGEST",
          pack(&info, &p, &(struct tree_file){.path = "x", .mode = 0755, .source = one, .sha256 = other}, 1));
}

/* ---- archives made by hand ---- */

struct tar {
    struct buf raw;
    struct archive *a;
};

static la_ssize_t to_buf(struct archive *a, void *self, const void *p, size_t n)
{
    (void)a;
    OK(buf_add(self, p, n));
    return (la_ssize_t)n;
}

static void tar_open(struct tar *t, int (*format)(struct archive *))
{
    t->a = archive_write_new();
    assert_int_equal(format(t->a), ARCHIVE_OK);
    assert_int_equal(archive_write_set_bytes_per_block(t->a, 0), ARCHIVE_OK);
    assert_int_equal(archive_write_open(t->a, &t->raw, NULL, to_buf, NULL), ARCHIVE_OK);
}

struct member {
    const char *path;
    unsigned type, mode;
    const char *text; /* body, or target of a link */
};

static void tar_add(struct tar *t, const struct member *m)
{
    struct archive_entry *e = archive_entry_new();
    bool is_file = m->type == AE_IFREG && m->text;
    archive_entry_set_pathname(e, m->path);
    archive_entry_set_filetype(e, m->type);
    archive_entry_set_perm(e, (mode_t)m->mode);
    archive_entry_set_mtime(e, 1, 500); /* parts of a second need an extended header in pax */
    archive_entry_set_size(e, is_file ? (la_int64_t)strlen(m->text) : 0);
    if (m->type == AE_IFLNK)
        archive_entry_set_symlink(e, m->text);
    if (m->type == 0) {
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_hardlink(e, m->text);
    }
    assert_int_equal(archive_write_header(t->a, e), ARCHIVE_OK);
    if (is_file)
        assert_int_equal(archive_write_data(t->a, m->text, strlen(m->text)), strlen(m->text));
    archive_entry_free(e);
}

static void tar_close(struct tar *t)
{
    assert_int_equal(archive_write_free(t->a), ARCHIVE_OK);
}

/* Compresses what `t` holds into the place's package; with size in the frame unless told otherwise. */
static void compress(const struct place *p, const struct tar *t, bool sized, int window_log)
{
    size_t max = ZSTD_compressBound(t->raw.len) + 64;
    OWN_FREE char *out = malloc(max);
    ZSTD_CCtx *c = ZSTD_createCCtx();
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1)));
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, sized)));
    if (window_log)
        assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log)));
    if (sized)
        assert_false(ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(c, t->raw.len)));
    ZSTD_inBuffer in = {t->raw.at, t->raw.len, 0};
    ZSTD_outBuffer to = {out, max, 0};
    /* in two steps: compressing at once would shrink the window to the content */
    assert_false(ZSTD_isError(ZSTD_compressStream2(c, &to, &in, ZSTD_e_continue)));
    assert_int_equal(ZSTD_compressStream2(c, &to, &in, ZSTD_e_end), 0);
    check_write(p->folder, "p.tar.zst", out, to.pos);
    (void)ZSTD_freeCCtx(c);
}

static void refused(const struct tar *t, const char *code)
{
    OWN(place_done) struct place p = place_new();
    compress(&p, t, true, 0);
    FAILS(ERR_UNTRUSTED, code, unpack(&p, 1 << 20));
}

static void strange_members(void **state)
{
    (void)state;
    static const struct {
        struct member first, second;
        const char *code;
    } cases[] = {
        {{"../x", AE_IFREG, 0644, "x"}, {0}, "E_PATH"},
        {{"/x", AE_IFREG, 0644, "x"}, {0}, "E_PATH"},
        {{"a/b", AE_IFREG, 0644, "x"}, {0}, "E_PATH"}, /* no folder a */
        {{"./a", AE_IFREG, 0644, "x"}, {0}, "E_PATH"},
        {{"a", AE_IFREG, 04755, "x"}, {0}, "E_PATH"},
        {{"a", AE_IFREG, 0644, "x"}, {"a", AE_IFREG, 0644, "y"}, "E_PATH"},
        {{"a", AE_IFLNK, 0777, "/etc"}, {0}, "E_PATH"},
        {{"a", AE_IFLNK, 0777, ".."}, {0}, "E_PATH"},
        {{"a", AE_IFLNK, 0777, "b"}, {"a/x", AE_IFREG, 0644, "x"}, "E_PATH"}, /* through a link */
        {{"a", AE_IFDIR, 0755, NULL}, {"a/x", 0, 0644, "a"}, "E_TYPE"},       /* hard link */
        {{"a", AE_IFIFO, 0644, NULL}, {0}, "E_TYPE"},
        {{"a", AE_IFCHR, 0644, NULL}, {0}, "E_TYPE"},
        {{"a", AE_IFBLK, 0644, NULL}, {0}, "E_TYPE"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tar t = {0};
        tar_open(&t, archive_write_set_format_ustar);
        tar_add(&t, &cases[i].first);
        if (cases[i].second.path)
            tar_add(&t, &cases[i].second);
        tar_close(&t);
        print_message("member %s\n", cases[i].first.path);
        refused(&t, cases[i].code);
        buf_done(&t.raw);
    }
}

static void other_formats(void **state)
{
    (void)state;
    int (*const formats[])(struct archive *) = {archive_write_set_format_gnutar, archive_write_set_format_pax,
                                                archive_write_set_format_v7tar};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        struct tar t = {0};
        tar_open(&t, formats[i]);
        tar_add(&t, &(struct member){"a", AE_IFREG, 0644, "x"});
        tar_close(&t);
        refused(&t, "E_");
        buf_done(&t.raw);
    }
}

static struct tar good_tar(void)
{
    struct tar t = {0};
    tar_open(&t, archive_write_set_format_ustar);
    tar_add(&t, &(struct member){"a", AE_IFREG, 0644, "some text"});
    tar_close(&t);
    return t;
}

static void add_zeros(struct tar *t, size_t n)
{
    while (n--)
        OK(buf_add(&t->raw, "", 1));
}

/* Things that libarchive does not mind. */
static void strange_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct tar t = good_tar();
        if (i == 0)
            t.raw.len -= 1024; /* no end mark */
        if (i == 1)
            t.raw.len -= 512; /* half an end mark */
        if (i == 2)
            OK(buf_add(&t.raw, t.raw.at, 1024)); /* a member behind the end */
        if (i == 3)
            add_zeros(&t, 8192);
        if (i == 4)
            t.raw.len = 514; /* cut in the body */
        refused(&t, "E_");
        buf_done(&t.raw);
    }
    /* a folder with a size, and a header in its body */
    struct tar t = good_tar();
    unsigned sum = 0;
    memcpy(t.raw.at + 124, "00000000011", 11);
    t.raw.at[156] = '5';
    memset(t.raw.at + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)t.raw.at[i];
    (void)snprintf(t.raw.at + 148, 8, "%06o", sum);
    refused(&t, "E_");
    buf_done(&t.raw);
}

static void strange_frames(void **state)
{
    (void)state;
    struct tar t = good_tar();
    OWN_BUF struct buf file = {0};
    OWN(place_done) struct place p = place_new();
    compress(&p, &t, true, 0);
    OK(unpack(&p, t.raw.len));
    FAILS(ERR_UNTRUSTED, "E_LIMIT", unpack(&p, t.raw.len - 1));
    compress(&p, &t, false, 0);
    FAILS(ERR_UNTRUSTED, "E_DECODE: a frame without its size", unpack(&p, 1 << 20));
    compress(&p, &t, false, 24);
    FAILS(ERR_UNTRUSTED, "E_DECODE", unpack(&p, 1 << 20));
    compress(&p, &t, true, 0);
    OK(file_read(&file, AT_FDCWD, p.package));
    size_t n = file.len;
    /* bytes, a second frame, a skippable frame behind the frame; a skippable frame in front */
    const struct {
        const void *p;
        size_t n;
    } behind[] = {{"x", 1}, {file.at, n}, {"\x50\x2a\x4d\x18\x00\x00\x00\x00", 8}};
    for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
        OWN_BUF struct buf bad = {0};
        OK(buf_add(&bad, file.at, n));
        OK(buf_add(&bad, behind[i].p, behind[i].n));
        check_write(p.folder, "p.tar.zst", bad.at, bad.len);
        OWN(place_done) struct place q = place_new();
        OK(file_replace(AT_FDCWD, q.package, bad.at, bad.len, 0600));
        FAILS(ERR_UNTRUSTED, "E_DECODE: bytes behind", unpack(&q, 1 << 20));
    }
    OWN_BUF struct buf front = {0};
    OK(buf_add(&front, behind[2].p, behind[2].n));
    OK(buf_add(&front, file.at, n));
    check_write(p.folder, "p.tar.zst", front.at, front.len);
    FAILS(ERR_UNTRUSTED, "E_DECODE: not a zstd frame", unpack(&p, 1 << 20));
    /* every cut, and every flipped byte */
    for (size_t i = 0; i < n; i++) {
        OWN(place_done) struct place q = place_new();
        check_write(q.folder, "p.tar.zst", file.at, i);
        FAILS(ERR_UNTRUSTED, "E_", unpack(&q, 1 << 20));
    }
    for (size_t i = 0; i < n; i++) {
        OWN(place_done) struct place q = place_new();
        file.at[i] ^= 0x40;
        check_write(q.folder, "p.tar.zst", file.at, n);
        struct err *bad = unpack(&q, 1 << 20);
        if (bad) {
            assert_int_equal(err_kind(bad), ERR_UNTRUSTED);
            err_free(bad);
        } else { /* some changes (of the window, of a distance among zeros) decode to the same bytes */
            OWN_BUF struct buf got = {0};
            OK(file_read(&got, q.dirfd, "a"));
            assert_string_equal(got.at, "some text");
        }
        file.at[i] ^= 0x40;
    }
    buf_done(&t.raw);
}

/* ---- frames made by hand: what no encoder writes ---- */

struct frame {
    unsigned char window; /* 8 times its logarithm above 10 */
    uint64_t size;        /* that the header states */
    int dictionary;       /* id, 0: none */
};

static void put_frame_head(struct buf *out, const struct frame *f)
{
    const char descriptor = (char)(0xc0 | (f->dictionary ? 1 : 0)); /* size in 8 bytes, a window, no checksum */
    const char window = (char)f->window, dictionary = (char)f->dictionary;
    OK(buf_add(out, "\x28\xb5\x2f\xfd", 4));
    OK(buf_add(out, &descriptor, 1));
    OK(buf_add(out, &window, 1));
    if (f->dictionary)
        OK(buf_add(out, &dictionary, 1));
    for (int i = 0; i < 8; i++) {
        const char byte = (char)(f->size >> (8 * i) & 0xff);
        OK(buf_add(out, &byte, 1));
    }
}

/* `n` bytes as they are, or one byte `n` times. */
static void put_block(struct buf *out, bool last, const void *raw, size_t n)
{
    const unsigned head = (last ? 1 : 0) | (raw ? 0 : 1 << 1) | (unsigned)n << 3;
    const char bytes[] = {(char)(head & 0xff), (char)(head >> 8 & 0xff), (char)(head >> 16)};
    OK(buf_add(out, bytes, sizeof bytes));
    OK(buf_add(out, raw ? raw : "", raw ? n : 1));
}

static void frames_by_hand(void **state)
{
    (void)state;
    struct tar t = good_tar();
    const uint64_t n = t.raw.len;
    const struct {
        struct frame f;
        const char *want; /* NULL: good */
    } cases[] = {
        {{13 << 3, n, 0}, NULL}, /* 8 MiB */
        {{13 << 3 | 1, n, 0}, "E_DECODE"},
        {{14 << 3, n, 0}, "E_DECODE"},
        {{21 << 3, n, 0}, "E_DECODE"}, /* 2 GiB */
        {{31 << 3 | 7, n, 0}, "E_DECODE"},
        {{0, n, 1}, "E_DECODE: a frame that wants a dictionary"},
        {{0, n - 1, 0}, "E_"},
        {{0, n + 1, 0}, "E_"},
        {{0, UINT64_C(1) << 63, 0}, "E_LIMIT"},
        {{0, UINT64_MAX - 2, 0}, "E_"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN(place_done) struct place p = place_new();
        OWN_BUF struct buf frame = {0};
        put_frame_head(&frame, &cases[i].f);
        for (size_t at = 0; at < n; at += 1024)
            put_block(&frame, at + 1024 >= n, t.raw.at + at, n - at < 1024 ? n - at : 1024);
        check_write(p.folder, "p.tar.zst", frame.at, frame.len);
        print_message("window 0x%02x, size %llu\n", cases[i].f.window, (unsigned long long)cases[i].f.size);
        if (cases[i].want)
            FAILS(ERR_UNTRUSTED, cases[i].want, unpack(&p, 1 << 20));
        else
            OK(unpack(&p, 1 << 20));
    }
    buf_done(&t.raw);
}

/* 4 GiB in 131 KB: a frame that says so, one that says 1 MiB, and a hundred thousand frames that hold nothing. */
static void floods(void **state)
{
    (void)state;
    for (int lie = 0; lie < 2; lie++) {
        OWN(place_done) struct place p = place_new();
        OWN_BUF struct buf frame = {0};
        put_frame_head(&frame, &(struct frame){.window = 7 << 3, .size = lie ? 1 << 20 : UINT64_C(4) << 30});
        for (int i = 0; i < 32768; i++)
            put_block(&frame, i == 32767, NULL, 128 << 10);
        check_write(p.folder, "p.tar.zst", frame.at, frame.len);
        FAILS(ERR_UNTRUSTED, lie ? "E_" : "E_LIMIT: 4294967296 bytes", unpack(&p, 1 << 20));
    }
    for (int behind = 0; behind < 2; behind++) {
        OWN(place_done) struct place p = place_new();
        OWN_BUF struct buf file = {0}, all = {0};
        struct tar t = good_tar();
        compress(&p, &t, true, 0);
        buf_done(&t.raw);
        OK(file_read(&file, AT_FDCWD, p.package));
        OK(buf_add(&all, file.at, behind ? file.len : 0));
        for (int i = 0; i < 100000; i++)
            OK(buf_add(&all, "\x50\x2a\x4d\x18\x00\x00\x00\x00", 8));
        OK(buf_add(&all, file.at, behind ? 0 : file.len));
        OK(file_replace(AT_FDCWD, p.package, all.at, all.len, 0600));
        FAILS(ERR_UNTRUSTED, behind ? "E_DECODE: bytes behind" : "E_DECODE: not a zstd frame", unpack(&p, 1 << 20));
    }
}

/* A frame of some kilobytes that says, rightly, that it unpacks to 256 MiB of zeros. */
static void bomb(void **state)
{
    (void)state;
    OWN(place_done) struct place p = place_new();
    struct tar t = {.raw = {.max = (size_t)300 << 20}};
    OK(buf_reserve(&t.raw, (size_t)256 << 20));
    memset(t.raw.at, 0, (size_t)256 << 20);
    t.raw.len = (size_t)256 << 20;
    compress(&p, &t, true, 0);
    buf_done(&t.raw);
    FAILS(ERR_UNTRUSTED, "E_LIMIT", unpack(&p, 1 << 20));
    FAILS(ERR_UNTRUSTED, "E_TRAILING", unpack(&p, (uint64_t)256 << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),    cmocka_unit_test(what_cannot_be_packed), cmocka_unit_test(strange_members),
        cmocka_unit_test(other_formats), cmocka_unit_test(strange_ends),          cmocka_unit_test(strange_frames),
        cmocka_unit_test(bomb),          cmocka_unit_test(frames_by_hand),        cmocka_unit_test(floods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
