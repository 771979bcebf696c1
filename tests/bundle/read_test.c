/* What a good bundle gives: blobs, images, receipts; and that damage is found wherever it is (row 33). */
#include "forge.h"

#include "base/child.h"
#include "bundle/image.h"
#include "crypt/digest.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char image_name[] = "registry.example/pause:1.0";

static struct forge *good(struct bundle **ret)
{
    struct forge *f = forge_new();
    const char *trust = f->pub_path;
    forge_seal(f);
    forge_write(f);
    OK(bundle_open(ret, f->path, &trust, 1));
    return f;
}

static const struct forge_entry *package_of(const struct forge *f)
{
    const char *digest = doc_text(doc_get(doc_get(f->predicate, "components")->child, "artifacts")->child, "digest");
    for (size_t i = 0; i < f->n_blobs; i++)
        if (str_ends(f->blobs[i].name, digest + 7))
            return &f->blobs[i];
    fail();
    return NULL;
}

static void what_it_says(void **state)
{
    (void)state;
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_FORGE struct forge *f = good(&b);
    char hex[DIGEST_HEX], id[DIGEST_HEX];
    const struct buf *release = &forge_find(f, "caisson/release.json")->body;
    OK(digest_hex(hex, release->at, release->len));
    OK(key_id(id, f->key));
    assert_string_equal(bundle_digest(b), hex);
    assert_int_equal(bundle_signers(b)->n, 1);
    assert_string_equal(bundle_signers(b)->at[0], id);
    assert_int_equal(doc_int(bundle_root(b), "version", 0), 1);
    assert_string_equal(bundle_path(b), f->path);
    assert_string_equal(doc_text(bundle_release(b), "predicate.profile"), "tiny");
    const struct doc *components = doc_path(bundle_release(b), "predicate.components");
    assert_string_equal(doc_text(doc_find(components, "name", "tool"), "version"), "1.2.3");
    assert_null(doc_find(components, "name", "other"));
    OWN_DOC struct doc *receipt = bundle_receipt(b);
    assert_int_equal(doc_int(receipt, "bytes", 0), f->file.len);
    assert_int_equal(doc_int(receipt, "members", 0), f->n_blobs + 1);
}

static void blobs(void **state)
{
    (void)state;
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_FORGE struct forge *f = good(&b);
    const struct forge_entry *e = package_of(f);
    OWN_BUF struct buf got = {0};
    uint64_t size = 0;
    const char *hex = e->name + strlen("blobs/sha256/");
    OWN_FREE char *digest = str_fmt("sha256:%s", hex);
    assert_true(bundle_blob(b, hex, &size) && bundle_blob(b, digest, NULL));
    assert_int_equal(size, e->body.len);
    OK(bundle_read(&got, b, digest));
    assert_int_equal(got.len, e->body.len);
    assert_memory_equal(got.at, e->body.at, got.len);
    assert_false(bundle_blob(b, "sha256:00", NULL));
    FAILS(ERR_FAILED, "no blob", bundle_read(&got, b, "sha256:00"));
    OWN_FREE char *path = check_path(f->folder, "out");
    OWN_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    OK(bundle_copy(b, hex, fd));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    char copied[DIGEST_HEX];
    OK(digest_fd(copied, fd, &size));
    assert_string_equal(copied, hex);
}

static void *copy_often(void *arg)
{
    const struct bundle *b = arg;
    const struct doc *members = doc_path(bundle_release(b), "predicate.members");
    for (int i = 0; i < 50; i++)
        DOC_EACH (m, members) {
            struct buf got = {0};
            struct err *e = bundle_read(&got, b, doc_text(m, "digest"));
            buf_done(&got);
            if (e) {
                err_free(e);
                return arg;
            }
        }
    return NULL;
}

static void many_readers(void **state)
{
    (void)state;
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_FORGE struct forge *f = good(&b);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, copy_often, b), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed = b;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    (void)f;
}

/* ---- damage ---- */

static void patch(const struct forge *f, size_t at, unsigned char with)
{
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &with, 1, (off_t)at), 1);
    (void)close(fd);
}

/* One bit of every 97th byte, and of the first, the middle and the last one. */
static void flip_anywhere(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    forge_write(f);
    size_t n = f->file.len;
    for (size_t at = 0; at < n; at += 97) {
        const size_t places[] = {at, n / 2, n - 1};
        for (size_t i = 0; i < (at ? 1 : 3); i++) {
            unsigned char was = (unsigned char)f->file.at[places[i]];
            patch(f, places[i], was ^ 0x10);
            forge_file_refused(f, "E_", f->path);
            patch(f, places[i], was);
        }
    }
    OK(forge_check(f));
}

static size_t offset_of(const struct forge *f, const char *name)
{
    for (size_t at = 0; at < f->file.len; at += 512)
        if (strcmp(f->file.at + at, name) == 0)
            return at;
    fail();
    return 0;
}

static void flipped_body(void **state)
{
    (void)state;
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_FORGE struct forge *f = good(&b);
    const struct forge_entry *e = package_of(f);
    size_t at = offset_of(f, e->name);
    OWN_BUF struct buf got = {0};
    OWN_FREE char *place = str_fmt("member %s at byte %zu: E_DIGEST", e->name, at);
    patch(f, at + 512 + e->body.len - 1, 0);
    forge_file_refused(f, "E_DIGEST", place);
    FAILS(ERR_UNTRUSTED, place, bundle_read(&got, b, e->name + 13));
    assert_int_equal(got.len, 0); /* nobody gets bytes that did not fit */
    OWN_FD int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    FAILS(ERR_UNTRUSTED, place, bundle_copy(b, e->name + 13, null_fd));
}

static void body_longer_or_shorter(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        OWN_FORGE struct forge *f = forge_new();
        forge_seal(f);
        struct forge_entry *e = forge_find(f, package_of(f)->name);
        if (i)
            e->body.len--;
        else
            OK(buf_str(&e->body, "x"));
        forge_refused(f, "E_SIZE", e->name);
    }
}

static void file_cut_while_open(void **state)
{
    (void)state;
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_FORGE struct forge *f = good(&b);
    OWN_BUF struct buf got = {0};
    assert_int_equal(truncate(f->path, (off_t)offset_of(f, package_of(f)->name) + 600), 0);
    FAILS(ERR_UNTRUSTED, "E_TRUNCATED", bundle_read(&got, b, package_of(f)->name + 13));
    FAILS(ERR_UNTRUSTED, "E_TRUNCATED", bundle_verify(b, NULL, NULL));
}

static bool stop_at_once(void *self, uint64_t done, uint64_t total)
{
    *(uint64_t *)self += done <= total;
    return false;
}

static bool go_on(void *self, uint64_t done, uint64_t total)
{
    *(uint64_t *)self = total - done;
    return true;
}

static void progress(void **state)
{
    (void)state;
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_FORGE struct forge *f = good(&b);
    uint64_t calls = 0, left = 1;
    FAILS(ERR_CANCELLED, "stopped", bundle_verify(b, stop_at_once, &calls));
    assert_int_equal(calls, 1);
    OK(bundle_verify(b, go_on, &left));
    assert_int_equal(left, 0);
    (void)f;
}

/* ---- images ---- */

static void image_archive(void **state)
{
    (void)state;
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_FORGE struct forge *f = good(&b);
    const char *const names[] = {image_name};
    uint64_t size = 0;
    OWN_FREE char *path = check_path(f->folder, "image.tar");
    OWN_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    OK(bundle_images_size(&size, b, names, 1));
    OK(bundle_images_write(b, names, 1, fd));
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, size);
    OWN_BUF struct buf list = {0}, index = {0};
    OWN_STRS struct strs digests = {0};
    OK(bundle_image_blobs(&digests, b, image_name));
    assert_int_equal(digests.n, 3);
    OK(child_run((const char *const[]){"tar", "-tf", path, NULL}, &(struct child_opts){.output = &list}, NULL));
    assert_true(str_starts(list.at, "oci-layout\nindex.json\nblobs/sha256/"));
    for (size_t i = 0; i < digests.n; i++)
        assert_non_null(strstr(list.at, digests.at[i] + 7));
    assert_null(strstr(list.at, package_of(f)->name));
    OK(child_run((const char *const[]){"tar", "-xOf", path, "index.json", NULL}, &(struct child_opts){.output = &index},
                 NULL));
    assert_non_null(strstr(index.at, image_name));
    assert_non_null(strstr(index.at, bundle_image_digest(b, image_name)));
    FAILS(ERR_FAILED, "no image other", bundle_images_size(&size, b, (const char *const[]){"other"}, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_says),        cmocka_unit_test(blobs),        cmocka_unit_test(many_readers),
        cmocka_unit_test(flip_anywhere),       cmocka_unit_test(flipped_body), cmocka_unit_test(body_longer_or_shorter),
        cmocka_unit_test(file_cut_while_open), cmocka_unit_test(progress),     cmocka_unit_test(image_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
