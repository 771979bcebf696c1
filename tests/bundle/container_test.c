/* The container: bad-input rows 1 to 15: refused by form, before anything in it is believed. */
#include "forge.h"

#include <stdlib.h>
#include <unistd.h>

static void good_bundle_is_accepted(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    forge_write(f);
    OK(forge_check(f));
}

static void write_file(const struct forge *f, const void *p, size_t n)
{
    check_write(f->folder, "test.csn.tar", p, n);
}

static void no_tar_at_all(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    unsigned char noise[4096];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)(i * 7919 >> 3);
    write_file(f, "", 0);
    forge_file_refused(f, "E_TRUNCATED", "at byte 0");
    write_file(f, noise, 511);
    forge_file_refused(f, "E_TRUNCATED", "at byte 0");
    write_file(f, noise, sizeof noise);
    forge_file_refused(f, "E_FORMAT", "at byte 0");
    memset(noise, 0, sizeof noise);
    write_file(f, noise, sizeof noise);
    forge_file_refused(f, "E_FORMAT", "at byte 0");
}

static void compressed(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    char block[1024] = "\x28\xb5\x2f\xfd";
    write_file(f, block, sizeof block);
    forge_file_refused(f, "E_FORMAT: compressed; the outer tar must be uncompressed", "at byte 0");
    memcpy(block, "\x1f\x8b\x08\x00", 4);
    write_file(f, block, sizeof block);
    forge_file_refused(f, "E_FORMAT: compressed; the outer tar must be uncompressed", "at byte 0");
}

/* ---- headers that are wrong in one place: on the release, and so before any signature is looked at ---- */

static void bad_checksum(unsigned char h[512])
{
    h[148] ^= 1;
}

static void v7_magic(unsigned char h[512])
{
    memset(h + 257, 0, 8);
}

static void gnu_magic(unsigned char h[512])
{
    memcpy(h + 257, "ustar  \0", 8);
}

static void mode_setuid(unsigned char h[512])
{
    memcpy(h + 100, "0004755", 7);
}

static void uid_one(unsigned char h[512])
{
    h[114] = '1';
}

static void gid_spaces(unsigned char h[512])
{
    memcpy(h + 116, "      0", 7);
}

static void owner_name(unsigned char h[512])
{
    memcpy(h + 265, "root", 4);
}

static void link_name(unsigned char h[512])
{
    h[157] = 'x';
}

static void device_number(unsigned char h[512])
{
    h[329] = '1';
}

static void mtime_other(unsigned char h[512])
{
    h[146] = '7';
}

static void mtime_letters(unsigned char h[512])
{
    h[140] = 'a';
}

static void rest_not_zero(unsigned char h[512])
{
    h[511] = 1;
}

#define TYPE(name, byte)                                                                                               \
    static void type_##name(unsigned char h[512])                                                                      \
    {                                                                                                                  \
        h[156] = (byte);                                                                                               \
    }
TYPE(old_file, '\0')
TYPE(hard_link, '1')
TYPE(symlink, '2')
TYPE(char_device, '3')
TYPE(block_device, '4')
TYPE(folder, '5')
TYPE(fifo, '6')
TYPE(contiguous, '7')
TYPE(gnu_long_name, 'L')
TYPE(gnu_long_link, 'K')
TYPE(sparse, 'S')
TYPE(pax, 'x')
TYPE(pax_global, 'g')

static void set_name(unsigned char h[512], const char *name, size_t n)
{
    memset(h, 0, 100);
    memcpy(h, name, n);
}

#define NAME(id, text)                                                                                                 \
    static void name_##id(unsigned char h[512])                                                                        \
    {                                                                                                                  \
        set_name(h, text, sizeof(text) - 1);                                                                           \
    }
#define HEX63 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
NAME(up, "../x")
NAME(inner_up, "blobs/../x")
NAME(absolute, "/etc/x")
NAME(empty_part, "blobs//x")
NAME(dot, "./index.json")
NAME(backslash, "blobs\\x")
NAME(nul, "index\0json")
NAME(not_ascii, "caisson/\xc3\xa4")
NAME(space, "caisson/a b")
NAME(empty, "")
NAME(trailing_slash, "blobs/")
NAME(upper_hex, "blobs/sha256/" HEX63 "F")
NAME(hex63, "blobs/sha256/" HEX63)
NAME(hex65, "blobs/sha256/" HEX63 "ff")
NAME(sha1, "blobs/sha1/0123456789012345678901234567890123456789")
NAME(md5, "blobs/md5/01234567890123456789012345678901")
NAME(sha512, "blobs/sha512/" HEX63)
NAME(unknown, "caisson/other.json")
NAME(root_number, "caisson/root/1/root.json")
NAME(root_zero, "caisson/root/0000/root.json")
NAME(sig_name, "caisson/sig/name.sig")

static void name_prefix(unsigned char h[512])
{
    memcpy(h + 345, "blobs", 5);
}

static void size_negative(unsigned char h[512])
{
    memset(h + 124, 0xff, 12);
}

static void size_huge(unsigned char h[512])
{
    memset(h + 124, 0, 12);
    h[124] = 0x80;
    h[128] = 0x80; /* 2^63 */
}

static void size_small_binary(unsigned char h[512])
{
    memset(h + 124, 0, 12);
    h[124] = 0x80;
    h[135] = 10;
}

static void size_junk(unsigned char h[512])
{
    memcpy(h + 124, "0000000001x", 11);
}

static void size_spaces(unsigned char h[512])
{
    memcpy(h + 124, "         12 ", 12);
}

static const struct {
    const char *what, *code;
    void (*mangle)(unsigned char h[512]);
    bool raw;
} headers[] = {
    {"checksum", "E_HEADER", bad_checksum, true},
    {"v7", "E_HEADER", v7_magic, false},
    {"GNU", "E_HEADER", gnu_magic, false},
    {"setuid", "E_HEADER", mode_setuid, false},
    {"uid", "E_HEADER", uid_one, false},
    {"gid", "E_HEADER", gid_spaces, false},
    {"uname", "E_HEADER", owner_name, false},
    {"linkname", "E_HEADER", link_name, false},
    {"device", "E_HEADER", device_number, false},
    {"mtime", "E_HEADER", mtime_other, false},
    {"mtime letters", "E_HEADER", mtime_letters, false},
    {"rest", "E_HEADER", rest_not_zero, false},
    {"old file", "E_TYPE", type_old_file, false},
    {"hard link", "E_TYPE", type_hard_link, false},
    {"symlink", "E_TYPE", type_symlink, false},
    {"char", "E_TYPE", type_char_device, false},
    {"block", "E_TYPE", type_block_device, false},
    {"folder", "E_TYPE", type_folder, false},
    {"fifo", "E_TYPE", type_fifo, false},
    {"contiguous", "E_TYPE", type_contiguous, false},
    {"L", "E_TYPE", type_gnu_long_name, false},
    {"K", "E_TYPE", type_gnu_long_link, false},
    {"S", "E_TYPE", type_sparse, false},
    {"x", "E_TYPE", type_pax, false},
    {"g", "E_TYPE", type_pax_global, false},
    {"..", "E_NAME", name_up, false},
    {"inner ..", "E_NAME", name_inner_up, false},
    {"absolute", "E_NAME", name_absolute, false},
    {"//", "E_NAME", name_empty_part, false},
    {"./", "E_NAME", name_dot, false},
    {"backslash", "E_NAME", name_backslash, false},
    {"NUL", "E_NAME", name_nul, false},
    {"not ASCII", "E_NAME", name_not_ascii, false},
    {"space", "E_NAME", name_space, false},
    {"empty", "E_NAME", name_empty, false},
    {"slash", "E_NAME", name_trailing_slash, false},
    {"prefix", "E_NAME", name_prefix, false},
    {"upper hex", "E_NAME", name_upper_hex, false},
    {"63", "E_NAME", name_hex63, false},
    {"65", "E_NAME", name_hex65, false},
    {"sha1", "E_NAME", name_sha1, false},
    {"md5", "E_NAME", name_md5, false},
    {"sha512", "E_NAME", name_sha512, false},
    {"unknown", "E_NAME", name_unknown, false},
    {"root 1", "E_NAME", name_root_number, false},
    {"root 0", "E_NAME", name_root_zero, false},
    {"sig", "E_NAME", name_sig_name, false},
    {"negative", "E_SIZE", size_negative, false},
    {"2^63", "E_SIZE", size_huge, false},
    {"binary 10", "E_SIZE", size_small_binary, false},
    {"octal junk", "E_SIZE", size_junk, false},
    {"octal spaces", "E_SIZE", size_spaces, false},
};

static void bad_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        OWN_FORGE struct forge *f = forge_new();
        forge_seal(f);
        struct forge_entry *e = forge_find(f, "caisson/release.json");
        e->mangle = headers[i].mangle;
        e->raw_checksum = headers[i].raw;
        print_message("header: %s\n", headers[i].what);
        forge_refused(f, headers[i].code, "at byte ");
    }
}

/* The same in the part behind the head, which is read by bundle_verify(). */
static void bad_headers_of_blobs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        OWN_FORGE struct forge *f = forge_new();
        forge_seal(f);
        struct forge_entry *e = &f->entries[f->n - 2];
        e->mangle = headers[i].mangle;
        e->raw_checksum = headers[i].raw;
        /* A name of good form that is not in release.json is one member too many. */
        bool only_unlisted = headers[i].mangle == name_hex63 || headers[i].mangle == name_hex65 ||
                             headers[i].mangle == name_upper_hex || headers[i].mangle == name_unknown ||
                             headers[i].mangle == name_sha1 || headers[i].mangle == name_md5 ||
                             headers[i].mangle == name_sha512 || headers[i].mangle == name_root_number ||
                             headers[i].mangle == name_root_zero || headers[i].mangle == name_sig_name;
        forge_refused(f, only_unlisted ? "E_EXTRA" : headers[i].code, "at byte ");
    }
}

/* A folder entry with a size, whose body looks like another member: tar readers differ on it. */
static void folder_with_body(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    forge_insert(f, 4, "caisson/x", "");
    f->entries[4].mangle = type_folder;
    OK(buf_reserve(&f->entries[4].body, 512));
    memset(f->entries[4].body.at, 0, 512);
    f->entries[4].body.len = 512;
    forge_refused(f, "E_TYPE", "member ? at byte ");
}

static void padding_not_zero(void **state)
{
    (void)state;
    static const char *const names[] = {"oci-layout", "caisson/release.json", "index.json", "blobs/*"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        OWN_FORGE struct forge *f = forge_new();
        char place[32];
        forge_seal(f);
        forge_find(f, names[i])->bad_padding = true;
        (void)snprintf(place, sizeof place, "member %.10s", names[i]);
        forge_refused(f, "E_HEADER: padding", i == 3 ? "member blobs/sha256/" : place);
    }
}

static void bad_ends(void **state)
{
    (void)state;
    static char tail[4096];
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    f->no_end = true;
    forge_refused(f, "E_TRUNCATED", "at byte ");
    f->tail = tail;
    f->tail_len = 512;
    forge_refused(f, "E_TRUNCATED", "at byte ");
    f->tail_len = 1025;
    forge_refused(f, "E_TRAILING", "at byte ");
    f->tail_len = 10240 / 4;
    forge_refused(f, "E_TRAILING", "at byte ");
    /* one zero block, then a good member: hidden from most readers */
    memcpy(tail + 512, f->file.at, 512);
    f->tail_len = 2048;
    forge_refused(f, "E_TRAILING", "at byte ");
    memmove(tail + 1024, tail + 512, 512);
    memset(tail + 512, 0, 512);
    forge_refused(f, "E_TRAILING", "at byte ");
}

/* Every boundary, and one byte to both sides of it. */
static void cut_anywhere(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    forge_write(f);
    for (size_t at = f->file.len; at > 0;) {
        at -= 512;
        for (size_t n = at ? at - 1 : 0; n <= at + 1; n++) {
            assert_int_equal(truncate(f->path, (off_t)n), 0);
            forge_file_refused(f, "E_TRUNCATED", f->path);
            write_file(f, f->file.at, f->file.len);
        }
    }
}

static void wrong_order(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t to;
        const char *code;
    } moves[] = {{"caisson/format", 0, "E_ORDER"},       {"caisson/release.json", 2, "E_ORDER"},
                 {"caisson/sig/*", 4, "E_ORDER"},        {"caisson/release.json", 8, "E_ORDER"},
                 {"caisson/release.json", 6, "E_ORDER"}, {"caisson/root/0001/root.json", 5, "E_ORDER"},
                 {"oci-layout", 3, "E_ORDER"},           {"index.json", 0, "E_ORDER"},
                 {"caisson/format", 3, "E_FORMAT"},      {"blobs/*", 9, "E_ORDER"}};
    for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
        OWN_FORGE struct forge *f = forge_new();
        forge_seal(f);
        forge_move(f, moves[i].name, moves[i].to);
        forge_refused(f, moves[i].code, "at byte ");
    }
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    forge_insert(f, 7, "index.json", f->entries[6].body.at);
    forge_refused(f, "E_ORDER", "member index.json at byte ");
}

static void other_formats(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {{"caisson-bundle 2 full\n", "needs a newer caisson than "},
                 {"caisson-bundle 10 full\n", "needs a newer caisson than "},
                 {"caisson-bundle 1 delta\n", "a delta bundle"},
                 {"caisson-bundle 1 other\n", "E_FORMAT"},
                 {"caisson-bundle 1 full", "E_FORMAT"},
                 {"", "E_FORMAT"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FORGE struct forge *f = forge_new();
        forge_seal(f);
        struct buf *body = &forge_find(f, "caisson/format")->body;
        body->len = 0;
        OK(buf_str(body, cases[i].text));
        forge_refused(f, "E_FORMAT", cases[i].want);
    }
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    forge_remove(f, "caisson/format");
    forge_refused(f, "E_FORMAT", "at byte ");
}

/* Sizes are refused by the header: the file does not even have that many bytes. */
static void over_the_limits(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t size;
    } cases[] = {{"caisson/release.json", (16 << 20) + 1},
                 {"caisson/root/0001/root.json", (64 << 10) + 1},
                 {"caisson/sig/*", 513},
                 {"caisson/root/0001/*", (64 << 10) + 1},
                 {"caisson/format", 65},
                 {"oci-layout", 1 << 30}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FORGE struct forge *f = forge_new();
        forge_seal(f);
        forge_find(f, cases[i].name)->say_size = cases[i].size;
        forge_refused(f, "E_LIMIT", "at byte ");
    }
}

static void too_many_signatures(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    forge_remove(f, "caisson/sig/*");
    for (unsigned i = 0; i < 17; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "caisson/sig/%064x.sig", i);
        forge_insert(f, 5 + i, name, "x");
    }
    forge_refused(f, "E_LIMIT", "0000010.sig at byte ");
}

/* The sigstore bundle of the only signature, written from bundles/README.md. */
static void sigstore_text(struct buf *out, struct forge *f)
{
    OWN_BUF struct buf payload = {0}, sig = {0};
    const struct forge_entry *release = forge_find(f, "caisson/release.json"), *of = forge_find(f, "caisson/sig/*");
    OK(buf_base64(&payload, release->body.at, release->body.len));
    OK(buf_base64(&sig, of->body.at, of->body.len));
    OK(buf_fmt(out,
               "{\"dsseEnvelope\":{\"payload\":\"%s\",\"payloadType\":\"application/vnd.in-toto+json\","
               "\"signatures\":[{\"sig\":\"%s\"}]},\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\","
               "\"verificationMaterial\":{\"publicKey\":{\"hint\":\"%.64s\"}}}",
               payload.at, sig.at, of->name + strlen("caisson/sig/")));
}

/* A good bundle with sigstore bundles of those numbers behind its signature, all of that. */
static struct forge *with_sigstores(const unsigned *numbers, size_t n)
{
    struct forge *f = forge_new();
    OWN_BUF struct buf text = {0};
    forge_seal(f);
    sigstore_text(&text, f);
    for (size_t i = 0; i < n; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "caisson/release.%u.sigstore.json", numbers[i]);
        forge_insert(f, 6 + i, name, text.at);
    }
    return f;
}

/* Signatures for other tools: each in its place, and true. */
static void sigstore_bundles(void **state)
{
    (void)state;
    static const unsigned numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    static const unsigned wrong[][2] = {{1, 0}, {0, 0}, {0, 2}};
    static const char *const names[] = {"caisson/release.00.sigstore.json", "caisson/release.1000.sigstore.json",
                                        "caisson/release.sigstore.json", "caisson/release.0.sigstore.jso"};
    for (size_t n = 0; n <= 16; n++) {
        OWN_FORGE struct forge *f = with_sigstores(numbers, n);
        forge_write(f);
        OK(forge_check(f));
    }
    OWN_FORGE struct forge *many = with_sigstores(numbers, 17);
    forge_refused(many, "E_LIMIT", "caisson/release.16.sigstore.json at byte ");
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        OWN_FORGE struct forge *f = with_sigstores(wrong[i], 2);
        forge_refused(f, "E_ORDER", ".sigstore.json at byte ");
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        OWN_FORGE struct forge *f = with_sigstores(numbers, 0);
        forge_insert(f, 6, names[i], "x");
        forge_refused(f, "E_NAME", "at byte ");
    }
    OWN_FORGE struct forge *early = with_sigstores(numbers, 1);
    forge_move(early, "caisson/release.0.sigstore.json", 5);
    forge_refused(early, "E_ORDER", "caisson/sig/");
    OWN_FORGE struct forge *changed = with_sigstores(numbers, 1);
    forge_find(changed, "caisson/release.0.sigstore.json")->body.at[20] ^= 1;
    forge_refused(changed, "E_SIG_BAD", "caisson/release.0.sigstore.json at byte ");
    OWN_FORGE struct forge *unsigned_ = with_sigstores(numbers, 1);
    forge_remove(unsigned_, "caisson/sig/*");
    forge_refused(unsigned_, "E_SIG_NONE", "caisson/release.json at byte ");
    OWN_FORGE struct forge *large = with_sigstores(numbers, 1);
    forge_find(large, "caisson/release.0.sigstore.json")->say_size = (32 << 20) + 1;
    forge_refused(large, "E_LIMIT", "caisson/release.0.sigstore.json at byte ");
}

/* Nothing is made of them before a trusted key's signature holds. */
static void sigstore_bundles_of_strangers(void **state)
{
    (void)state;
    static const unsigned numbers[] = {0};
    OWN_FORGE struct forge *f = with_sigstores(numbers, 1);
    OWN_KEY struct key *other = NULL;
    OWN_BUF struct buf pem = {0};
    OK(key_new_ec(&other));
    OK(key_public_pem(&pem, other));
    check_write(f->folder, "release.pub", pem.at, pem.len);
    forge_find(f, "caisson/release.0.sigstore.json")->body.at[20] ^= 1;
    forge_refused(f, "E_ROOT_PIN", "caisson/root/0001/root.json at byte ");
}

/* Each member within its own limit. */
static void large_head(void **state)
{
    (void)state;
    static const unsigned numbers[] = {0, 1, 2};
    enum { BYTES = 22 << 20 };
    OWN_FORGE struct forge *f = with_sigstores(numbers, 3);
    OWN_FREE char *zeros = calloc(1, BYTES);
    for (size_t i = 0; i < 3; i++)
        OK(buf_add(&f->entries[6 + i].body, zeros, BYTES));
    forge_refused(f, "E_LIMIT: more than 67108864 bytes", "caisson/release.2.sigstore.json at byte ");
}

static void too_many_roots(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    for (unsigned i = 2; i <= 65; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "caisson/root/%04u/root.json", i);
        forge_insert(f, 2 + i, name, "{}");
    }
    forge_refused(f, "E_LIMIT", "caisson/root/0065/root.json at byte ");
    forge_remove(f, "caisson/root/0065/root.json");
    forge_refused(f, "E_SIG_NONE", "caisson/root/0002/root.json at byte ");
    forge_remove(f, "caisson/root/0007/root.json");
    forge_refused(f, "E_ROOT_CHAIN", "caisson/root/0008/root.json at byte ");
}

static void no_file(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    struct bundle *b = NULL;
    const char *trust = f->pub_path;
    FAILS(ERR_USAGE, "No such file", bundle_open(&b, f->path, &trust, 1));
    FAILS(ERR_USAGE, "a folder, but no release of a store", bundle_open(&b, f->folder, &trust, 1));
    forge_seal(f);
    forge_write(f);
    FAILS(ERR_USAGE, "no public key", bundle_open(&b, f->path, NULL, 0));
    trust = "/nonexistent/key.pub";
    FAILS(ERR_USAGE, "/nonexistent/key.pub", bundle_open(&b, f->path, &trust, 1));
    assert_null(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_bundle_is_accepted),
        cmocka_unit_test(no_tar_at_all),
        cmocka_unit_test(compressed),
        cmocka_unit_test(bad_headers),
        cmocka_unit_test(bad_headers_of_blobs),
        cmocka_unit_test(folder_with_body),
        cmocka_unit_test(padding_not_zero),
        cmocka_unit_test(bad_ends),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(wrong_order),
        cmocka_unit_test(other_formats),
        cmocka_unit_test(over_the_limits),
        cmocka_unit_test(too_many_signatures),
        cmocka_unit_test(sigstore_bundles),
        cmocka_unit_test(sigstore_bundles_of_strangers),
        cmocka_unit_test(large_head),
        cmocka_unit_test(too_many_roots),
        cmocka_unit_test(no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
