/* A bundle in parts: read as the one file it was cut from; row 43 of the bad-input table. */
#include "forge.h"

#include "bundle/image.h"
#include "bundle/parts.h"
#include "crypt/digest.h"

#include <sys/stat.h>

struct cut {
    struct forge *f;
    char *list;
    struct parts parts;
};

static void cut_done(struct cut *c)
{
    forge_free(c->f);
    free(c->list);
}

#define OWN_CUT OWN(cut_done)

static void write_part(const struct cut *c, size_t i, const void *p, size_t n)
{
    OWN_FREE char *path = parts_path(c->list, i);
    OK(file_replace(AT_FDCWD, path, p, n, 0600));
}

static void write_list(const struct cut *c, const char *text, size_t n)
{
    OK(file_replace(AT_FDCWD, c->list, text, n, 0600));
}

/* A good bundle, and beside it the same in parts of `size` bytes: written from bundles/README.md, not by the product.
 */
static void cut_new(struct cut *c, size_t size)
{
    OWN_BUF struct buf list = {0};
    c->f = forge_new();
    forge_seal(c->f);
    forge_write(c->f);
    c->list = str_fmt("%s.parts.json", c->f->path);
    OK(buf_str(&list, "{\"parts\":["));
    for (size_t at = 0; at < c->f->file.len; at += size) {
        struct part *p = &c->parts.at[c->parts.n];
        size_t left = c->f->file.len - at;
        p->size = left < size ? left : size;
        OK(digest_hex(p->hex, c->f->file.at + at, p->size));
        write_part(c, c->parts.n, c->f->file.at + at, p->size);
        OK(buf_fmt(&list, "%s{\"sha256\":\"%s\",\"size\":%zu}", at ? "," : "", p->hex, (size_t)p->size));
        c->parts.n++;
    }
    c->parts.size = c->f->file.len;
    OK(buf_fmt(&list, "],\"schema\":1,\"size\":%zu}", c->f->file.len));
    write_list(c, list.at, list.len);
}

static struct err *check(const struct cut *c)
{
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = c->f->pub_path;
    TRY(bundle_open(&b, c->list, &trust, 1));
    return bundle_verify(b, NULL, NULL);
}

/* Refused, and the words name the part (or the list) and say what to do. */
static void refused(const struct cut *c, size_t part, const char *words)
{
    OWN_FREE char *name = parts_path(c->list, part),
                  *place = str_fmt("E_PART: part %s%s", strrchr(name, '/') + 1, words);
    struct err *e = check(c);
    assert_true(!e || err_hint_text(e));
    FAILS(ERR_UNTRUSTED, place, e);
}

static void list_refused(const struct cut *c, const char *text, size_t n)
{
    OWN_FREE char *place = str_fmt("%s: E_PART: ", c->list);
    struct err *e;
    write_list(c, text, n);
    e = check(c);
    assert_true(!e || err_hint_text(e));
    FAILS(ERR_UNTRUSTED, place, e);
}

/* ---- good ones ---- */

static void same_images(const struct bundle *a, const struct bundle *b, const char *folder)
{
    const char *const names[] = {"registry.example/pause:1.0"};
    char hex[2][DIGEST_HEX];
    for (int i = 0; i < 2; i++) {
        OWN_FREE char *path = check_path(folder, "image");
        OWN_FD int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        OK(bundle_images_write(i ? b : a, names, 1, fd));
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        OK(digest_fd(hex[i], fd, NULL));
    }
    assert_string_equal(hex[0], hex[1]);
}

static void same_bundle(const struct cut *c)
{
    OWN_BUNDLE struct bundle *whole = NULL, *parts = NULL;
    const char *trust = c->f->pub_path;
    OK(bundle_open(&whole, c->f->path, &trust, 1));
    OK(bundle_open(&parts, c->list, &trust, 1));
    OK(bundle_verify(parts, NULL, NULL));
    assert_string_equal(bundle_digest(whole), bundle_digest(parts));
    assert_string_equal(bundle_path(parts), c->list);
    OWN_DOC struct doc *one = bundle_receipt(whole), *other = bundle_receipt(parts);
    doc_set_text(one, "path", c->list);
    assert_true(doc_equal(one, other));
    DOC_EACH (m, doc_path(bundle_release(whole), "predicate.members")) {
        OWN_BUF struct buf x = {0}, y = {0};
        OK(bundle_read(&x, whole, doc_text(m, "digest")));
        OK(bundle_read(&y, parts, doc_text(m, "digest")));
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.at, y.at, x.len);
    }
    same_images(whole, parts, c->f->folder);
}

/* Cut inside headers, bodies and padding, on their borders, and not at all. */
static void read_as_one(void **state)
{
    (void)state;
    static const size_t sizes[] = {127, 511, 512, 513, 4096, 10000, SIZE_MAX / 2};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        OWN_CUT struct cut c = {0};
        cut_new(&c, sizes[i]);
        same_bundle(&c);
    }
}

static void one_form(void **state)
{
    (void)state;
    OWN_CUT struct cut c = {0};
    OWN_BUF struct buf text = {0}, mine = {0};
    struct parts got;
    cut_new(&c, 1000);
    OK(file_read(&text, AT_FDCWD, c.list));
    OK(parts_parse(&got, "list", text.at, text.len));
    assert_memory_equal(&got, &c.parts, sizeof got);
    OK(parts_write(&mine, &got));
    assert_string_equal(mine.at, text.at);
}

/* ---- bad parts ---- */

static void missing_and_short(void **state)
{
    (void)state;
    OWN_CUT struct cut c = {0};
    cut_new(&c, 1000);
    for (size_t i = 0; i < c.parts.n; i++) {
        OWN_FREE char *path = parts_path(c.list, i);
        const char *bytes = c.f->file.at + i * 1000;
        size_t n = c.parts.at[i].size;
        char words[80];
        assert_int_equal(unlink(path), 0);
        refused(&c, i, " is missing");
        assert_int_equal(mkdir(path, 0700), 0);
        refused(&c, i, " has ");
        assert_int_equal(rmdir(path), 0);
        write_part(&c, i, bytes, n - 1);
        (void)snprintf(words, sizeof words, " has %zu bytes, the list says %zu", n - 1, n);
        refused(&c, i, words);
        write_part(&c, i, c.f->file.at, n + 1);
        refused(&c, i, " has ");
        write_part(&c, i, "", 0);
        refused(&c, i, " has 0 bytes");
        write_part(&c, i, bytes, n);
    }
    OK(check(&c));
}

static void swapped(void **state)
{
    (void)state;
    OWN_CUT struct cut c = {0};
    cut_new(&c, 1000);
    for (size_t i = 1; i + 1 < c.parts.n; i++) {
        OWN_FREE char *other = parts_path(c.list, i - 1),
                      *words = str_fmt(" has the bytes of part %s", strrchr(other, '/') + 1);
        OWN_FREE char *back = parts_path(c.list, i),
                      *first = str_fmt(" has the bytes of part %s", strrchr(back, '/') + 1);
        write_part(&c, i, c.f->file.at + (i - 1) * 1000, 1000);
        refused(&c, i, words);
        write_part(&c, i - 1, c.f->file.at + i * 1000, 1000);
        refused(&c, i - 1, first);
        write_part(&c, i, c.f->file.at + i * 1000, 1000);
        write_part(&c, i - 1, c.f->file.at + (i - 1) * 1000, 1000);
    }
    OK(check(&c));
}

static void one_too_many(void **state)
{
    (void)state;
    OWN_CUT struct cut c = {0};
    cut_new(&c, 1000);
    write_part(&c, c.parts.n, "x", 1);
    refused(&c, c.parts.n, " is one more than the list has");
    OWN_FREE char *extra = parts_path(c.list, c.parts.n);
    assert_int_equal(unlink(extra), 0);
    write_part(&c, 999, "", 0);
    refused(&c, 999, " is one more than the list has");
}

/* Whatever byte is wrong, its part is named; also where bundle_open() is the one that meets it. */
static void flipped_anywhere(void **state)
{
    (void)state;
    OWN_CUT struct cut c = {0};
    cut_new(&c, 1000);
    for (size_t at = 0; at < c.f->file.len; at += 61) {
        OWN_FREE char *path = parts_path(c.list, at / 1000);
        OWN_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
        char was = c.f->file.at[at], now = was ^ 0x10;
        assert_int_equal(pwrite(fd, &now, 1, (off_t)(at % 1000)), 1);
        refused(&c, at / 1000, "");
        assert_int_equal(pwrite(fd, &was, 1, (off_t)(at % 1000)), 1);
    }
    OK(check(&c));
}

static void shorter_while_open(void **state)
{
    (void)state;
    OWN_CUT struct cut c = {0};
    OWN_BUNDLE struct bundle *b = NULL;
    cut_new(&c, 4096);
    const char *trust = c.f->pub_path;
    OK(bundle_open(&b, c.list, &trust, 1));
    OWN_FREE char *last = parts_path(c.list, c.parts.n - 1);
    assert_int_equal(truncate(last, 1), 0);
    FAILS(ERR_UNTRUSTED, "E_PART", bundle_verify(b, NULL, NULL));
}

/* Parts as their list says, of a file that was wrong before it was cut. */
static void wrong_before(void **state)
{
    (void)state;
    OWN_CUT struct cut c = {0};
    OWN_BUF struct buf list = {0};
    cut_new(&c, 1000);
    size_t last = c.parts.n - 2;
    c.f->file.at[last * 1000 + 7] ^= 1;
    write_part(&c, last, c.f->file.at + last * 1000, 1000);
    OK(digest_hex(c.parts.at[last].hex, c.f->file.at + last * 1000, 1000));
    OK(parts_write(&list, &c.parts));
    write_list(&c, list.at, list.len);
    struct err *e = check(&c);
    assert_true(e && !strstr(err_text(e), "E_PART"));
    FAILS(ERR_UNTRUSTED, "at byte ", e);
}

/* ---- bad lists ---- */

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PART "{\"sha256\":\"" HEX "\",\"size\":5}"
#define LIST(parts, size) "{\"parts\":[" parts "],\"schema\":1,\"size\":" size "}"

static void bad_lists(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "caisson",
        LIST("", "0"),
        LIST(PART, "6"),
        LIST(PART "," PART, "5"),
        LIST(PART ",", "5"),
        LIST(PART PART, "10"),
        LIST(PART, "5") "\n",
        LIST(PART, "5") " ",
        LIST(PART, "5") LIST(PART, "5"),
        LIST(" " PART, "5"),
        LIST(PART, "05"),
        LIST(PART, "+5"),
        LIST(PART, "5.0"),
        LIST(PART, "5e0"),
        LIST(PART, "\"5\""),
        LIST(PART, "null"),
        LIST("{\"size\":5,\"sha256\":\"" HEX "\"}", "5"),
        LIST("{\"sha256\":\"" HEX "\",\"size\":-5}", "5"),
        LIST("{\"sha256\":\"" HEX "\",\"size\":0}", "0"),
        LIST("{\"sha256\":\"" HEX "\",\"size\":9007199254740992}", "9007199254740992"),
        LIST("{\"sha256\":\"" HEX "\",\"size\":99999999999999999999}", "99999999999999999999"),
        LIST("{\"sha256\":\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\",\"size\":5}", "5"),
        LIST("{\"sha256\":\"0123\",\"size\":5}", "5"),
        LIST("{\"sha256\":\"" HEX "0\",\"size\":5}", "5"),
        LIST("{\"sha256\":\"" HEX "\",\"size\":5,\"name\":\"../x\"}", "5"),
        "{\"parts\":[" PART "],\"schema\":2,\"size\":5}",
        "{\"parts\":[" PART "],\"size\":5}",
        "{\"parts\":[" PART "],\"schema\":1,\"size\":5,\"size\":5}",
        "{\"parts\":[" PART "],\"schema\":1,\"size\":5,\"x\":5}",
        "\xef\xbb\xbf" LIST(PART, "5"),
    };
    OWN_CUT struct cut c = {0};
    cut_new(&c, 1000);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        list_refused(&c, texts[i], strlen(texts[i]));
    list_refused(&c, LIST(PART, "5"), sizeof LIST(PART, "5")); /* a NUL behind it */
    static char big[PARTS_BYTES_MAX + 1] = LIST(PART, "5");
    list_refused(&c, big, sizeof big);
}

/* Lists of good form that are not of these parts. */
static void foreign_lists(void **state)
{
    (void)state;
    OWN_CUT struct cut c = {0};
    cut_new(&c, 1000);
    OWN_BUF struct buf fewer = {0}, more = {0}, other = {0}, many = {0};
    struct parts p = c.parts;
    p.size -= p.at[--p.n].size;
    OK(parts_write(&fewer, &p));
    write_list(&c, fewer.at, fewer.len);
    refused(&c, p.n, " is one more than the list has");
    p = c.parts;
    p.at[p.n] = p.at[0];
    p.size += p.at[p.n++].size;
    OK(parts_write(&more, &p));
    write_list(&c, more.at, more.len);
    refused(&c, p.n - 1, " is missing");
    p = c.parts;
    memset(p.at[2].hex, '0', 64);
    OK(parts_write(&other, &p));
    write_list(&c, other.at, other.len);
    refused(&c, 2, ": sha256 is "); /* the bytes are good: the list is what is wrong, and that is said of its part */
    OK(buf_str(&many, "{\"parts\":["));
    for (int i = 0; i <= PARTS_MAX; i++)
        OK(buf_fmt(&many, "%s" PART, i ? "," : ""));
    OK(buf_fmt(&many, "],\"schema\":1,\"size\":%d}", 5 * (PARTS_MAX + 1)));
    list_refused(&c, many.at, many.len);
}

static void no_list(void **state)
{
    (void)state;
    OWN_CUT struct cut c = {0};
    cut_new(&c, 1000);
    assert_int_equal(unlink(c.list), 0);
    FAILS(ERR_USAGE, "test.csn.tar.parts.json: No such file", check(&c));
    assert_int_equal(mkdir(c.list, 0700), 0);
    FAILS(ERR_USAGE, "a folder, but no release of a store", check(&c));
}

/* A part given in place of the list. */
static void part_as_bundle(void **state)
{
    (void)state;
    OWN_CUT struct cut c = {0};
    OWN_BUNDLE struct bundle *b = NULL;
    cut_new(&c, 1000);
    OWN_FREE char *first = parts_path(c.list, 0);
    const char *trust = c.f->pub_path;
    struct err *e = bundle_open(&b, first, &trust, 1);
    assert_true(e && strstr(err_hint_text(e), c.list));
    FAILS(ERR_USAGE, "one part of a bundle", e);
    assert_int_equal(unlink(c.list), 0);
    FAILS(ERR_UNTRUSTED, "E_TRUNCATED", bundle_open(&b, first, &trust, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_as_one),
        cmocka_unit_test(one_form),
        cmocka_unit_test(missing_and_short),
        cmocka_unit_test(swapped),
        cmocka_unit_test(one_too_many),
        cmocka_unit_test(flipped_anywhere),
        cmocka_unit_test(shorter_while_open),
        cmocka_unit_test(wrong_before),
        cmocka_unit_test(bad_lists),
        cmocka_unit_test(foreign_lists),
        cmocka_unit_test(no_list),
        cmocka_unit_test(part_as_bundle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
