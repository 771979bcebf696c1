/* Deltas and what they are joined to; row 42 of the bad-input table. */
#include "workshop.h"

#include "kill.h"

#include "base/child.h"
#include "bundle/bundle.h"
#include "pack/ustar.h"
#include "supply/delta.h"
#include "supply/split.h"

/* Three releases, each a little more than the one before. */
struct shelf {
    struct workshop w;
    char *release[3], *delta, *full;
};

static struct shelf shelf_new(void)
{
    struct shelf s = {.w = workshop_new()};
    for (int i = 0; i < 3; i++) {
        struct build_result made;
        OWN_FREE char *name = str_fmt("release-%d.csn.tar", i), *text = str_fmt("kind: Namespace # %d\n", i);
        s.release[i] = check_path(s.w.folder, name);
        workshop_put(&s.w, "bundles/tool/tool.yaml", text);
        s.w.opts.out = s.release[i];
        s.w.opts.sequence = (uint64_t)i + 1;
        OK(bundle_build(&made, &s.w.opts, NULL, NULL));
    }
    s.delta = check_path(s.w.folder, "delta.csn.tar");
    s.full = check_path(s.w.folder, "full.csn.tar");
    return s;
}

static void shelf_done(struct shelf *s)
{
    for (int i = 0; i < 3; i++)
        free(s->release[i]);
    free(s->delta);
    free(s->full);
    workshop_done(&s->w);
}
#define OWN_SHELF OWN(shelf_done)

typedef struct err *(*work)(struct doc **, const struct delta_opts *, build_progress, void *);

static struct err *weave(struct doc **ret, work f, const struct shelf *s, const char *file, const char *out,
                         const char *base, const char *other)
{
    const char *const bases[] = {base, other}, *const trust[] = {s->w.pub};
    const struct delta_opts o = {
        .file = file, .out = out, .bases = bases, .n_bases = other ? 2 : 1, .trust = trust, .n_trust = 1};
    return f(ret, &o, NULL, NULL);
}

static struct err *delta(const struct shelf *s, const char *file, const char *out, const char *base, const char *other)
{
    OWN_DOC struct doc *d = NULL;
    return weave(&d, bundle_delta, s, file, out, base, other);
}

static struct err *join(const struct shelf *s, const char *file, const char *out, const char *base, const char *other)
{
    OWN_DOC struct doc *d = NULL;
    return weave(&d, bundle_join, s, file, out, base, other);
}

static void same_file(const char *a, const char *b)
{
    OWN_BUF struct buf x = {0}, y = {0};
    OK(file_read(&x, AT_FDCWD, a));
    OK(file_read(&y, AT_FDCWD, b));
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.at, y.at, x.len);
}

/* ---- good ones ---- */

static void there_and_back(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    OWN_DOC struct doc *made = NULL, *joined = NULL;
    struct stat small, large;
    OK(weave(&made, bundle_delta, &s, s.release[1], s.delta, s.release[0], NULL));
    OK(weave(&joined, bundle_join, &s, s.delta, s.full, s.release[0], NULL));
    same_file(s.full, s.release[1]);
    assert_int_equal(stat(s.delta, &small), 0);
    assert_int_equal(stat(s.full, &large), 0);
    assert_true(small.st_size < large.st_size);
    assert_int_equal(small.st_size, doc_int(made, "bytes", 0));
    assert_int_equal(large.st_size, doc_int(joined, "bytes", 0));
    assert_int_equal(large.st_mode & 0777, 0644);
    /* index.json; of the component its manifest and changed file; manifest and text of the bill of materials */
    assert_int_equal(doc_int(made, "members", 0), 5);
    assert_int_equal(doc_int(made, "missing", 0), doc_int(joined, "reused", 0));
    assert_int_equal(doc_int(made, "missing", 0) + 5, doc_int(joined, "members", 0));
    assert_string_equal(doc_text(made, "digest"), doc_text(joined, "digest"));
}

/*
 * Two percent at most beside the bytes that changed: here, where a program of 4 MiB did, what is added is counted to
 * the byte: the head with the list of all members, a header and padding for each, the end mark.
 */
static void as_small_as_the_change(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    OWN_BUF struct buf tool = {0}, layer = {0};
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = s.w.pub;
    struct build_result made;
    struct stat st;
    uint64_t changed = 0, spans = 0, size = 0;
    OK(buf_reserve(&tool, 4 << 20));
    OK(random_bytes(tool.at, 4 << 20));
    tool.len = 4 << 20;
    workshop_layer(&layer);
    workshop_lock(&s.w, &tool, &layer);
    OK(bundle_build(&made, &s.w.opts, NULL, NULL));
    OK(delta(&s, s.release[2], s.delta, s.release[0], NULL));
    OK(bundle_open_delta(&b, s.delta, &trust, 1));
    DOC_EACH (m, doc_path(bundle_release(b), "predicate.members")) {
        if (!bundle_blob(b, doc_text(m, "digest"), &size))
            continue;
        changed += size;
        spans += ustar_span(size);
    }
    assert_int_equal(stat(s.delta, &st), 0);
    assert_int_equal(st.st_size, bundle_head_size(b) + spans + 2 * (uint64_t)USTAR_BLOCK);
    assert_true(changed > 4 << 20);
    assert_true((uint64_t)st.st_size * 100 <= changed * 102);
}

/* An OCI layout still, as stock tools read it: the same members in the same order, without those of the base. */
static void layout_of_a_delta(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    OWN_BUF struct buf out = {0};
    static const char script[] = "set -e; tar -tf \"$1\" > d; tar -tf \"$2\" > f; grep -Fxf d f | cmp - d; "
                                 "tar -xOf \"$1\" caisson/format; wc -l < d";
    const char *const argv[] = {"sh", "-c", script, "sh", s.delta, s.release[1], NULL};
    OK(delta(&s, s.release[1], s.delta, s.release[0], NULL));
    assert_int_equal(chdir(s.w.folder), 0);
    OK(child_run(argv, &(struct child_opts){.output = &out}, NULL));
    assert_string_equal(out.at, "caisson-bundle 1 delta\n12\n");
    assert_int_equal(chdir("/"), 0);
}

/* No chain: what a base is does not matter, only what it has. */
static void any_bases(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    OWN_FREE char *first = check_path(s.w.folder, "first.csn.tar");
    OK(delta(&s, s.release[1], first, s.release[0], NULL));
    OK(delta(&s, s.release[2], s.delta, s.release[0], s.release[1]));
    OK(join(&s, s.delta, s.full, s.release[1], NULL));
    same_file(s.full, s.release[2]);
    OK(join(&s, s.delta, s.full, s.release[0], NULL)); /* has all that the newer one gave */
    same_file(s.full, s.release[2]);
    OK(delta(&s, s.release[2], s.delta, first, NULL)); /* a delta is a base for what it has */
    OK(join(&s, s.delta, s.full, first, s.release[0]));
    same_file(s.full, s.release[2]);
    OK(delta(&s, s.release[0], s.delta, s.release[2], NULL)); /* back to an older one */
    OK(join(&s, s.delta, s.full, s.release[2], NULL));
    same_file(s.full, s.release[0]);
}

static void the_same_release(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    OWN_DOC struct doc *d = NULL;
    OK(weave(&d, bundle_delta, &s, s.release[0], s.delta, s.release[0], NULL));
    assert_int_equal(doc_int(d, "members", 0), 1);
    OK(join(&s, s.delta, s.full, s.release[0], NULL));
    same_file(s.full, s.release[0]);
    OK(join(&s, s.delta, s.release[0], s.release[0], NULL)); /* onto its own base */
    same_file(s.full, s.release[0]);
}

static void parts_of_deltas(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    OWN_DOC struct doc *a = NULL, *b = NULL;
    OWN_FREE char *delta_list = check_path(s.w.folder, "delta.csn.tar.parts.json");
    OWN_FREE char *base_list = check_path(s.w.folder, "release-0.csn.tar.parts.json");
    OK(delta(&s, s.release[1], s.delta, s.release[0], NULL));
    OK(bundle_split(&a, &(struct split_opts){s.delta, s.w.folder, 3000}, NULL, NULL));
    OK(bundle_split(&b, &(struct split_opts){s.release[0], s.w.folder, 3000}, NULL, NULL));
    OK(join(&s, delta_list, s.full, base_list, NULL));
    same_file(s.full, s.release[1]);
}

/* ---- refusals ---- */

/* Everybody who needs a full bundle says what this is and how it becomes one. */
static void delta_for_a_bundle(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = s.w.pub;
    OK(delta(&s, s.release[1], s.delta, s.release[0], NULL));
    struct err *e = bundle_open(&b, s.delta, &trust, 1);
    assert_true(e && strstr(err_hint_text(e), "caisson bundle join"));
    FAILS(ERR_UNTRUSTED, "E_FORMAT: a delta bundle", e);
    FAILS(ERR_UNTRUSTED, "E_FORMAT: a delta bundle", delta(&s, s.delta, s.full, s.release[0], NULL));
    FAILS(ERR_USAGE, "a full bundle already", join(&s, s.release[1], s.full, s.release[0], NULL));
    OK(bundle_open_delta(&b, s.delta, &trust, 1));
    OK(bundle_verify(b, NULL, NULL));
    OWN_DOC struct doc *receipt = bundle_receipt(b);
    struct stat st;
    assert_int_equal(stat(s.delta, &st), 0);
    assert_true(doc_int(receipt, "missing", 0) > 0);
    assert_int_equal(doc_int(receipt, "bytes", 0), st.st_size);
}

static void no_base_has_it(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = s.w.pub;
    OWN_FREE char *first = check_path(s.w.folder, "first.csn.tar");
    OK(delta(&s, s.release[1], first, s.release[0], NULL));
    OK(delta(&s, s.release[2], s.delta, s.release[1], NULL));
    struct err *e = join(&s, s.delta, s.full, first, NULL);
    assert_true(e && err_hint_text(e));
    OK(bundle_open_delta(&b, s.delta, &trust, 1));
    size_t named = 0, missing = 0;
    DOC_EACH (m, doc_path(bundle_release(b), "predicate.members")) {
        bool lacks = !bundle_blob(b, doc_text(m, "digest"), NULL);
        missing += lacks;
        named += lacks && strstr(err_text(e), doc_text(m, "digest"));
    }
    char more[32];
    (void)snprintf(more, sizeof more, " and %zu more", missing - 8);
    assert_int_equal(named, 8);
    assert_true(str_ends(err_text(e), more));
    FAILS(ERR_UNTRUSTED, "delta.csn.tar: E_MISSING: no base has sha256:", e);
    assert_false(file_exists(AT_FDCWD, s.full));
}

static void flip(const char *path, const char *digest)
{
    OWN_BUF struct buf bytes = {0};
    OK(file_read(&bytes, AT_FDCWD, path));
    char *at = memmem(bytes.at, bytes.len, digest + 7, 64);
    while (at && (at - bytes.at) % 512 != strlen("blobs/sha256/")) /* its header, not where it is spoken of */
        at = memmem(at + 1, bytes.len - (size_t)(at + 1 - bytes.at), digest + 7, 64);
    assert_non_null(at);
    at[512 - strlen("blobs/sha256/")] ^= 1; /* the first byte of its body */
    OK(file_replace(AT_FDCWD, path, bytes.at, bytes.len, 0644));
}

/* A wrong byte in a base or in the delta: named, and what stood at --out stays. */
static void damaged(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = s.w.pub, *has = NULL, *lacks = NULL;
    OK(delta(&s, s.release[1], s.delta, s.release[0], NULL));
    OK(bundle_open_delta(&b, s.delta, &trust, 1));
    DOC_EACH (m, doc_path(bundle_release(b), "predicate.members"))
        *(bundle_blob(b, doc_text(m, "digest"), NULL) ? &has : &lacks) = doc_text(m, "digest");
    workshop_put(&s.w, "full.csn.tar", "what was there\n");
    flip(s.release[0], lacks);
    FAILS(ERR_UNTRUSTED, "release-0.csn.tar: member blobs/sha256/", join(&s, s.delta, s.full, s.release[0], NULL));
    FAILS(ERR_UNTRUSTED, "E_DIGEST", join(&s, s.delta, s.full, s.release[0], NULL));
    flip(s.release[0], lacks);
    flip(s.delta, has);
    FAILS(ERR_UNTRUSTED, "delta.csn.tar: member blobs/sha256/", join(&s, s.delta, s.full, s.release[0], NULL));
    flip(s.delta, has);
    OWN_BUF struct buf text = {0};
    OWN_FREE char *begun = str_fmt("%s.new", s.full);
    OK(file_read(&text, AT_FDCWD, s.full));
    assert_string_equal(text.at, "what was there\n");
    assert_false(file_exists(AT_FDCWD, begun));
    OK(join(&s, s.delta, s.full, s.release[0], NULL));
    same_file(s.full, s.release[1]);
}

static void other_key(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    OWN_SHELF struct shelf other = shelf_new();
    OK(delta(&s, s.release[1], s.delta, s.release[0], NULL));
    FAILS(ERR_UNTRUSTED, "E_ROOT_PIN", join(&s, s.delta, s.full, other.release[0], NULL));
    FAILS(ERR_UNTRUSTED, "E_ROOT_PIN", join(&other, s.delta, s.full, other.release[0], NULL));
    assert_false(file_exists(AT_FDCWD, s.full));
}

static bool stop(void *self, const char *what, uint64_t done, uint64_t total)
{
    assert_true(done <= total);
    assert_string_equal(what, self);
    return false;
}

static void stopped(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    OWN_DOC struct doc *d = NULL;
    const char *const bases[] = {s.release[0]}, *const trust[] = {s.w.pub};
    struct delta_opts o = {
        .file = s.release[1], .out = s.delta, .bases = bases, .n_bases = 1, .trust = trust, .n_trust = 1};
    FAILS(ERR_CANCELLED, "stopped", bundle_delta(&d, &o, stop, "delta"));
    assert_false(file_exists(AT_FDCWD, s.delta));
    OK(bundle_delta(&d, &o, NULL, NULL));
    o.file = s.delta;
    o.out = s.full;
    FAILS(ERR_CANCELLED, "stopped", bundle_join(&d, &o, stop, "join"));
    assert_false(file_exists(AT_FDCWD, s.full));
}

static void run_both(void *arg)
{
    const struct shelf *s = arg;
    struct err *e = delta(s, s->release[1], s->delta, s->release[0], NULL);
    if (!e)
        e = join(s, s->delta, s->full, s->release[0], NULL);
    err_free(e); /* looked at from outside */
}

/* Whatever has its name is whole. */
static void check_both(void *arg)
{
    const struct shelf *s = arg;
    OWN_FREE char *again = check_path(s->w.folder, "again.csn.tar");
    if (file_exists(AT_FDCWD, s->delta)) {
        OK(join(s, s->delta, again, s->release[0], NULL));
        same_file(again, s->release[1]);
    }
    if (file_exists(AT_FDCWD, s->full))
        same_file(s->full, s->release[1]);
    (void)unlink(s->delta);
    (void)unlink(s->full);
}

static void killed(void **state)
{
    (void)state;
    OWN_SHELF struct shelf s = shelf_new();
    kill_everywhere(run_both, check_both, &s, 60);
    run_both(&s);
    same_file(s.full, s.release[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(as_small_as_the_change),
        cmocka_unit_test(layout_of_a_delta),
        cmocka_unit_test(any_bases),
        cmocka_unit_test(the_same_release),
        cmocka_unit_test(parts_of_deltas),
        cmocka_unit_test(delta_for_a_bundle),
        cmocka_unit_test(no_base_has_it),
        cmocka_unit_test(damaged),
        cmocka_unit_test(other_key),
        cmocka_unit_test(stopped),
        cmocka_unit_test(killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
