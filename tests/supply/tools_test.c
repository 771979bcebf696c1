/* Other people's programs on our bundle: the commands of bundles/README.md, and other readers of tar files. */
#include "workshop.h"

#include "base/child.h"
#include "bundle/bundle.h"
#include "pack/ustar.h"

#include <fcntl.h>
#include <stdlib.h>

static struct workshop built(void)
{
    struct workshop w = workshop_new();
    struct build_result result;
    OK(bundle_build(&result, &w.opts, NULL, NULL));
    return w;
}

/* The same, signed with an Ed25519 key. */
static struct workshop built_ed25519(void)
{
    struct workshop w = workshop_new();
    struct build_result result;
    char id[65];
    OWN_FREE char *name = check_path(w.folder, "release");
    assert_int_equal(unlink(w.key) + unlink(w.pub), 0);
    OK(keys_generate(id, name, KEYS_ED25519, NULL));
    OK(bundle_build(&result, &w.opts, NULL, NULL));
    return w;
}

/* Runs a script with the bundle and the public key as $1 and $2, in the workshop's folder; its output into `out`. */
static struct err *shell(struct buf *out, const struct workshop *w, const char *script)
{
    OWN_FREE char *all = str_fmt("set -eu; cd '%s'; mkdir -p x; tar -xf \"$1\" -C x; cd x; %s", w->folder, script);
    const char *const argv[] = {"sh", "-c", all, "sh", w->out, w->pub, NULL};
    return child_run(argv, &(struct child_opts){.output = out}, NULL);
}

/* The function that bundles/README.md gives its readers. */
#define CHECK "eval \"$(sed -n '/^    check() {/,/^    }/p' '" SOURCE_DIR "/bundles/README.md')\";"

static void openssl_verifies(void **state)
{
    (void)state;
    static const char *const checks[] = {
        "check caisson/sig caisson/release.json application/vnd.in-toto+json \"$2\"",
        "check caisson/root/0001 caisson/root/0001/root.json application/vnd.caisson.root.v1+json \"$2\""};
    for (size_t i = 0; i < 2 * ARRAY_LEN(checks); i++) {
        OWN_WORKSHOP struct workshop w = i % 2 ? built_ed25519() : built();
        OWN_BUF struct buf out = {0};
        OWN_FREE char *script = str_fmt(CHECK "%s", checks[i / 2]);
        OK(shell(&out, &w, script));
        assert_non_null(strstr(out.at, i % 2 ? "Signature Verified Successfully\n" : "Verified OK\n"));
        OWN_FREE char *flipped = str_fmt(
            CHECK "printf ' ' >> caisson/release.json; printf ' ' >> caisson/root/0001/root.json; %s", checks[i / 2]);
        FAILS(ERR_FAILED, "", shell(&out, &w, flipped));
    }
}

static void jq_and_sha256sum_verify(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = built();
    OWN_BUF struct buf out = {0};
    static const char script[] =
        "jq -r '.predicate.members[] | .digest[7:] + \"  \" + .path' caisson/release.json | sha256sum -c --quiet;"
        "jq -e '.bomFormat == \"CycloneDX\"' blobs/sha256/$(jq -r '.predicate.sbom[0].digest[7:]' "
        "caisson/release.json) "
        ">/dev/null;"
        "find blobs index.json -type f | wc -l; jq '.predicate.members | length' caisson/release.json;"
        "zstd -dc blobs/sha256/$(jq -r '.predicate.components[].artifacts[].digest[7:]' caisson/release.json) | tar -t";
    OK(shell(&out, &w, script));
    char *second = strchr(out.at, '\n');
    assert_non_null(second);
    size_t n = (size_t)(second - out.at);
    assert_int_equal(strncmp(out.at, second + 1, n), 0); /* as many files as members */
    assert_non_null(strstr(out.at, "\nbin/\nbin/alias\nbin/tool\n"));
}

/* Every file that comes out of a package or a layer has its digest in the bill of materials; and no other file has. */
static void bill_lists_every_file(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = built();
    OWN_BUF struct buf out = {0};
    static const char script[] =
        "bill=blobs/sha256/$(jq -r '.predicate.sbom[0].digest[7:]' caisson/release.json); mkdir t;"
        "jq -r '.predicate.components[].artifacts[].digest[7:]' caisson/release.json | while read d; do"
        " mkdir t/$d; zstd -dc blobs/sha256/$d | tar -x -C t/$d; done;"
        "for m in $(jq -r '.predicate.components[].images[].manifestDigest[7:]' caisson/release.json); do"
        " for d in $(jq -r '.layers[].digest[7:]' blobs/sha256/$m); do mkdir t/$d; tar -xf blobs/sha256/$d -C t/$d; "
        "done;"
        "done;"
        "for a in 256 512; do find t -type f -exec sha${a}sum {} + | cut -d' ' -f1 | sort >want;"
        " jq -r --arg a SHA-$a '.. | objects | select(.type? == \"file\") | select(.properties[]?.name == "
        "\"caisson:mode\") |"
        "  .hashes[] | select(.alg == $a).content' $bill | sort | diff want -; wc -l <want; done;"
        "find t -type l -printf '%l\n'; jq -r '.. | objects | select(.name? == \"caisson:link\").value' $bill";
    OK(shell(&out, &w, script));
    assert_string_equal(out.at, "3\n3\ntool\ntool\n"); /* three files, both digests; one link, in both */
}

/* Sizes around what an octal field can say, and far beyond: one list of names and sizes (tars_test.sh has the rest). */
static void all_tars_agree_on_large_members(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, ((uint64_t)1 << 33) - 1, (uint64_t)1 << 33, ((uint64_t)1 << 33) + 511};
    char *folder = check_folder();
    OWN_FREE char *path = check_path(folder, "large.tar");
    OWN_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    OWN_BUF struct buf want = {0}, out = {0};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        OWN_FREE char *name = str_fmt("blobs/sha256/%zu", i);
        OK(ustar_write_header(fd, name, sizes[i], 1700000000));
        assert_true(lseek(fd, (off_t)(ustar_span(sizes[i]) - USTAR_BLOCK), SEEK_CUR) > 0); /* a hole */
        OK(buf_fmt(&want, "%s %llu\n", name, (unsigned long long)sizes[i]));
    }
    OK(ustar_write_end(fd));
    const char *const tars[] = {SOURCE_DIR "/tests/supply/tars.sh", SOURCE_DIR, path, NULL};
    const char *const list[] = {"sh", "-c", "tar -tvf \"$1\" | awk '{print $6, $3}'", "sh", path, NULL};
    OK(child_run(tars, &(struct child_opts){.output = &out}, NULL));
    print_message("%s", out.at);
    out.len = 0;
    OK(child_run(list, &(struct child_opts){.output = &out}, NULL));
    assert_string_equal(out.at, want.at);
    check_folder_done(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(openssl_verifies), cmocka_unit_test(jq_and_sha256sum_verify),
                                       cmocka_unit_test(bill_lists_every_file),
                                       cmocka_unit_test(all_tars_agree_on_large_members)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
