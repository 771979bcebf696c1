/* Reading deltas: what may be left out, and how everything else about them is refused. */
#include "forge.h"

#include "crypt/digest.h"

/* A sealed delta: `n` of the last blobs are left out. */
static struct forge *delta_new(size_t n)
{
    struct forge *f = forge_new();
    forge_seal(f);
    struct buf *format = &forge_find(f, "caisson/format")->body;
    format->len = 0;
    OK(buf_str(format, "caisson-bundle 1 delta\n"));
    while (n--)
        forge_remove(f, f->entries[f->n - 1].name);
    return f;
}

static struct err *open_delta(struct bundle **ret, const struct forge *f)
{
    const char *trust = f->pub_path;
    return bundle_open_delta(ret, f->path, &trust, 1);
}

static struct err *check_delta(const struct forge *f)
{
    OWN_BUNDLE struct bundle *b = NULL;
    TRY(open_delta(&b, f));
    return bundle_verify(b, NULL, NULL);
}

static void refused(struct forge *f, const char *code, const char *place)
{
    forge_write(f);
    struct err *e = check_delta(f);
    assert_true(e && strstr(err_text(e), place) && err_hint_text(e));
    FAILS(ERR_UNTRUSTED, code, e);
}

/* Any of the blobs may be missing, down to all of them. */
static void left_out(void **state)
{
    (void)state;
    OWN_FORGE struct forge *all = delta_new(0);
    for (size_t n = 0; n <= all->n_blobs; n++) {
        OWN_FORGE struct forge *f = delta_new(n);
        OWN_BUNDLE struct bundle *b = NULL;
        uint64_t size;
        forge_write(f);
        OK(open_delta(&b, f));
        OK(bundle_verify(b, NULL, NULL));
        OWN_DOC struct doc *receipt = bundle_receipt(b);
        assert_true(bundle_is_delta(b));
        assert_int_equal(doc_int(receipt, "missing", -1), n);
        assert_int_equal(doc_int(receipt, "bytes", 0), f->file.len);
        for (size_t i = 0; i < f->n_blobs; i++) {
            OWN_BUF struct buf got = {0};
            const char *hex = f->blobs[i].name + strlen("blobs/sha256/");
            bool has = i + n < f->n_blobs;
            assert_int_equal(bundle_blob(b, hex, &size), has);
            if (has)
                OK(bundle_read(&got, b, hex));
            else
                FAILS(ERR_UNTRUSTED, "E_MISSING: the delta was made without sha256:", bundle_read(&got, b, hex));
        }
    }
}

/* Out of the middle, and every second one. */
static void left_out_between(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = delta_new(0);
    for (size_t i = 0; i < f->n_blobs; i += 2)
        forge_remove(f, f->blobs[i].name);
    forge_write(f);
    OK(check_delta(f));
}

/* A full bundle is one without anything left out. */
static void full_is_fine(void **state)
{
    (void)state;
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    forge_write(f);
    OK(open_delta(&b, f));
    assert_false(bundle_is_delta(b));
    OK(bundle_verify(b, NULL, NULL));
}

static void wrong_places(void **state)
{
    (void)state;
    OWN_FORGE struct forge *order = delta_new(2);
    forge_move(order, order->blobs[0].name, order->n - 1);
    refused(order, "E_ORDER", order->blobs[0].name);
    OWN_FORGE struct forge *twice = delta_new(2);
    forge_insert(twice, twice->n, twice->blobs[0].name, "");
    OK(buf_add(&twice->entries[twice->n - 1].body, twice->blobs[0].body.at, twice->blobs[0].body.len));
    refused(twice, "E_ORDER", twice->blobs[0].name);
    OWN_FORGE struct forge *extra = delta_new(2);
    char name[128];
    (void)snprintf(name, sizeof name, "blobs/sha256/%064d", 0);
    forge_insert(extra, extra->n, name, "x");
    refused(extra, "E_EXTRA", name);
    OWN_FORGE struct forge *size = delta_new(2);
    OK(buf_str(&size->entries[size->n - 1].body, "x"));
    refused(size, "E_SIZE", size->entries[size->n - 1].name);
    OWN_FORGE struct forge *index = delta_new(2);
    forge_remove(index, "index.json");
    refused(index, "E_ORDER", "blobs/sha256/");
    OWN_FORGE struct forge *tail = delta_new(2);
    tail->no_end = true;
    refused(tail, "E_TRUNCATED", "at byte ");
}

/* One bit anywhere: refused like in a full bundle. */
static void flipped_anywhere(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = delta_new(3);
    forge_write(f);
    for (size_t at = 0; at < f->file.len; at += 53) {
        f->file.at[at] ^= 0x10;
        check_write(f->folder, "test.csn.tar", f->file.at, f->file.len);
        FAILS(ERR_UNTRUSTED, "E_", check_delta(f));
        f->file.at[at] ^= 0x10;
    }
}

/* What is left out of a bundle that calls itself full is missed, and its name said (row 42). */
static void called_full(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        OWN_FORGE struct forge *f = forge_new();
        char place[160];
        forge_seal(f);
        forge_remove(f, f->blobs[i].name);
        (void)snprintf(place, sizeof place, "%s belongs here, and the file does not have it", f->blobs[i].name);
        forge_refused(f, "E_MISSING", place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(left_out),     cmocka_unit_test(left_out_between), cmocka_unit_test(full_is_fine),
        cmocka_unit_test(wrong_places), cmocka_unit_test(flipped_anywhere), cmocka_unit_test(called_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
