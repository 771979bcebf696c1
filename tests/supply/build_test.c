#include "workshop.h"

#include "bundle/image.h"
#include "pack/tree.h"
#include "supply/show.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static struct err *open_and_verify(struct bundle **ret, const struct workshop *w, const char *path)
{
    const char *trust = w->pub;
    TRY(bundle_open(ret, path, &trust, 1));
    return bundle_verify(*ret, NULL, NULL);
}

static void built_bundle_is_good(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_BUNDLE struct bundle *b = NULL;
    struct build_result result;
    struct stat st;
    OK(bundle_build(&result, &w.opts, NULL, NULL));
    OK(open_and_verify(&b, &w, w.out));
    assert_string_equal(bundle_digest(b), result.digest);
    assert_int_equal(stat(w.out, &st), 0);
    assert_int_equal(st.st_size, result.bytes);
    const struct doc *p = doc_get(bundle_release(b), "predicate");
    assert_string_equal(doc_text(p, "issued"), "2023-11-14T22:13:20Z");
    assert_int_equal(doc_len(doc_get(p, "members")), result.members);
    const struct doc *tool = doc_find(doc_get(p, "components"), "name", "tool");
    assert_string_equal(doc_text(tool, "version"), "1.2.3");
    assert_string_equal(doc_text(tool, "purl"), "pkg:generic/tool@1.2.3");
    assert_string_equal(doc_text(doc_get(tool, "files")->child, "name"), "tool/tool.yaml");
    /* the manifest file and the definition can be read back */
    OWN_BUF struct buf text = {0};
    OK(bundle_read(&text, b, doc_text(doc_get(tool, "files")->child, "digest")));
    assert_string_equal(text.at, "kind: Namespace\n");
    assert_non_null(bundle_image_digest(b, "registry.example/pause:3.10"));
}

static void package_can_be_unpacked(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_BUNDLE struct bundle *b = NULL;
    struct build_result result;
    OK(bundle_build(&result, &w.opts, NULL, NULL));
    OK(open_and_verify(&b, &w, w.out));
    const struct doc *tool = doc_find(doc_path(bundle_release(b), "predicate.components"), "name", "tool");
    const struct doc *package = doc_get(tool, "artifacts")->child;
    OWN_FREE char *path = check_path(w.folder, "package"), *tree = check_path(w.folder, "tree");
    OWN_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    OK(bundle_copy(b, doc_text(package, "digest"), fd));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(mkdir(tree, 0755), 0);
    OWN_FD int dirfd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OK(tree_unpack(fd, dirfd, (uint64_t)doc_int(package, "rawSize", 0)));
    OWN_BUF struct buf text = {0};
    OK(file_read(&text, dirfd, "bin/tool"));
    assert_string_equal(text.at, workshop_tool);
    char target[16] = {0};
    assert_int_equal(readlinkat(dirfd, "bin/alias", target, sizeof target), 4);
    assert_string_equal(target, "tool");
}

/* ---- add-ons ---- */

static void addon_names_its_base(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_BUNDLE struct bundle *b = NULL;
    struct build_result base, result;
    struct build_opts o = w.opts;
    OK(bundle_build(&base, &w.opts, NULL, NULL));
    o.profile = w.addon;
    o.lock = w.addon_lock;
    o.out = w.addon_out;
    FAILS(ERR_USAGE, "E_REQUIRES", bundle_build(&result, &o, NULL, NULL));
    o.requires = w.out;
    OK(bundle_build(&result, &o, NULL, NULL));
    OK(open_and_verify(&b, &w, w.addon_out));
    const struct doc *needs = doc_path(bundle_release(b), "predicate.requires")->child;
    assert_string_equal(doc_text(needs, "profile"), "tiny");
    assert_string_equal(doc_text(needs, "releaseDigest") + 7, base.digest);
    /* an add-on to an add-on is another profile than the one required */
    o.requires = w.addon_out;
    FAILS(ERR_USAGE, "E_REQUIRES", bundle_build(&result, &o, NULL, NULL));
    o = w.opts;
    o.requires = w.out;
    FAILS(ERR_USAGE, "requires no other bundle", bundle_build(&result, &o, NULL, NULL));
}

/* ---- what is refused ---- */

/* No bundle, and no part of one, is left. */
static void check_no_output(const struct workshop *w)
{
    DIR *dir = opendir(w->folder);
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir));)
        assert_null(strstr(d->d_name, ".csn.tar"));
    (void)closedir(dir);
}

static void damaged_cache(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        OWN_WORKSHOP struct workshop w = workshop_new();
        OWN_BUF struct buf bytes = {0};
        struct build_result result;
        char hex[65], name[128];
        if (i < 2)
            OK(buf_str(&bytes, i ? workshop_config : workshop_tool));
        else
            workshop_layer(&bytes);
        OK(digest_hex(hex, bytes.at, bytes.len));
        (void)snprintf(name, sizeof name, "cache/blobs/sha256/%s", hex);
        bytes.at[bytes.len / 2] ^= 1;
        workshop_put_bytes(&w, name, bytes.at, bytes.len);
        FAILS(ERR_UNTRUSTED, "E_DIGEST", bundle_build(&result, &w.opts, NULL, NULL));
        check_no_output(&w);
        workshop_put(&w, name, "shorter");
        FAILS(ERR_UNTRUSTED, "E_", bundle_build(&result, &w.opts, NULL, NULL));
        check_no_output(&w);
    }
}

static void damaged_package_cache(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    struct build_result result;
    OK(bundle_build(&result, &w.opts, NULL, NULL));
    OWN_FREE char *packages = check_path(w.folder, "cache/packages");
    DIR *dir = opendir(packages);
    for (struct dirent *d; (d = readdir(dir));)
        if (str_ends(d->d_name, ".zst")) {
            OWN_FREE char *path = check_path(packages, d->d_name);
            OWN_BUF struct buf bytes = {0};
            OK(file_read(&bytes, AT_FDCWD, path));
            bytes.at[bytes.len / 2] ^= 1;
            OK(file_replace(AT_FDCWD, path, bytes.at, bytes.len, 0644));
        }
    (void)closedir(dir);
    assert_int_equal(unlink(w.out), 0);
    FAILS(ERR_UNTRUSTED, "E_DIGEST", bundle_build(&result, &w.opts, NULL, NULL));
    check_no_output(&w);
}

static void wrong_files(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *want;
        enum err_kind kind; /* 0: ERR_USAGE */
    } cases[] = {
        {"profiles/tiny.yaml", "kind: Profile\n", "tiny.yaml:1:1: apiVersion"},
        {"profiles/tiny.yaml",
         "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: tiny}\nspec: {components: []}\n",
         "spec.components"},
        {"profiles/tiny.yaml",
         "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: tiny}\nspec: {components: [\"../x\"]}\n",
         "E_PATH"},
        {"profiles/tiny.yaml",
         "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: tiny}\nspec: {components: [none]}\n",
         "none.yaml"},
        {"profiles/tiny.yaml",
         "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: tiny}\nspec: {version: 1.0.0, components: "
         "[{name: tool, version: 9.9.9}]}\n",
         "has no version 9.9.9"},
        {"profiles/tiny.yaml",
         "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: tiny}\nspec: {version: 1.0.0, components: "
         "[{name: tool, version: 2.0.0}]}\n",
         "is not locked"},
        {"profiles/tiny.yaml",
         "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: tiny}\nspec: {components: [pause]}\n",
         "has no version"},
        {"profiles/tiny.yaml",
         "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: tiny}\nspec: {version: 1.0.0, components: "
         "[pause, pause]}\n",
         "there twice"},
        {"profiles/tiny.yaml",
         "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: other}\nspec: {components: [pause]}\n",
         "E_LOCK: ", ERR_UNTRUSTED},
        {"cache/lock/tiny.lock.json", "{}", "E_LOCK: ", ERR_UNTRUSTED},
        {"cache/lock/tiny.lock.json", "{\"schema\":1,\"schema\":1}", "duplicate", ERR_UNTRUSTED},
        {"bundles/tool/tool.yaml", "", "empty"},
        {"bundles/pause.yaml",
         "apiVersion: caisson.dev/v1\nkind: Component\nmetadata: {name: pause}\nversions: [{version: "
         "\"3.10\"}]\nimages: [{name: \"pause:3.10\", roles: [all]}]\n",
         "E_REF"},
        {"bundles/pause.yaml",
         "apiVersion: caisson.dev/v1\nkind: Component\nmetadata: {name: other}\nversions: [{version: \"3.10\"}]\n",
         "the component is not"},
        {"bundles/pause.yaml",
         "apiVersion: caisson.dev/v1\nkind: Component\nmetadata: {name: pause, license: GPL v2}\nversions: [{version: "
         "\"3.10\"}]\n",
         "pause.yaml:3:34: license is no SPDX expression"},
        {"bundles/pause.yaml",
         "apiVersion: caisson.dev/v1\nkind: Component\nmetadata: {name: pause}\nversions: [{version: "
         "\"3.10\"}]\nimages: [{name: \"${other}/pause:3.10\", roles: [all]}]\n",
         "pause.yaml:5:"},
        {"bundles/pause.yaml",
         "apiVersion: caisson.dev/v1\nkind: Component\nmetadata: {name: pause}\nversions: [{version: "
         "\"3.10\"}]\nmanifests: [{file: ../../release.key}]\n",
         "E_PATH"},
        {"bundles/pause.yaml",
         "apiVersion: caisson.dev/v1\nkind: Component\nmetadata: {name: pause}\nversions: [{version: "
         "\"3.10\"}]\npackages: [{name: p, roles: [all], files: [{path: ../x, from: x, mode: \"0755\"}]}]\n",
         "E_PATH"},
        {"bundles/pause.yaml",
         "apiVersion: caisson.dev/v1\nkind: Component\nmetadata: {name: pause}\nversions: [{version: "
         "\"3.10\"}]\npackages: [{name: p, roles: [all], files: [{path: x, from: x, mode: \"4755\"}]}]\n",
         "E_PATH"},
        {"bundles/pause.yaml",
         "apiVersion: caisson.dev/v1\nkind: Component\nmetadata: {name: pause}\nversions: [{version: "
         "\"3.10\"}]\npackages: [{name: P/x, roles: [all], files: [{path: x, from: x, mode: \"0755\"}]}]\n",
         "E_PATH"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_WORKSHOP struct workshop w = workshop_new();
        struct build_result result;
        workshop_put(&w, cases[i].name, cases[i].text);
        print_message("%s: %s\n", cases[i].name, cases[i].want);
        FAILS(cases[i].kind ? cases[i].kind : ERR_USAGE, cases[i].want, bundle_build(&result, &w.opts, NULL, NULL));
        check_no_output(&w);
    }
}

static void missing_blob(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    struct build_result result;
    char hex[65], name[128];
    OWN_BUF struct buf layer = {0};
    workshop_layer(&layer);
    OK(digest_hex(hex, layer.at, layer.len));
    (void)snprintf(name, sizeof name, "cache/blobs/sha256/%s", hex);
    OWN_FREE char *path = check_path(w.folder, name);
    assert_int_equal(unlink(path), 0);
    FAILS(ERR_UNTRUSTED, hex, bundle_build(&result, &w.opts, NULL, NULL));
    check_no_output(&w);
}

/* ---- keys ---- */

static void keys(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    struct build_result result;
    struct stat st;
    char id[65];
    assert_int_equal(stat(w.key, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    OWN_FREE char *name = check_path(w.folder, "release");
    FAILS(ERR_REFUSED, "never overwritten", keys_generate(id, name, KEYS_P256, NULL));
    assert_int_equal(unlink(w.key), 0);
    FAILS(ERR_REFUSED, "never overwritten", keys_generate(id, name, KEYS_P256, NULL));
    assert_false(file_exists(AT_FDCWD, w.key));
    OWN_FREE char *other = check_path(w.folder, "none/release");
    FAILS(ERR_USAGE, "No such file", keys_generate(id, other, KEYS_P256, NULL));
    FAILS(ERR_USAGE, "release.key", bundle_build(&result, &w.opts, NULL, NULL));
    assert_int_equal(unlink(w.pub), 0);
    OK(keys_generate(id, name, KEYS_P256, NULL));
    assert_int_equal(chmod(w.key, 0640), 0);
    FAILS(ERR_REFUSED, "read by others", bundle_build(&result, &w.opts, NULL, NULL));
}

struct asked {
    const char *answer;
    int times;
};

static struct err *answer(void *self, struct buf *out, const char *path)
{
    struct asked *a = self;
    a->times++;
    assert_non_null(strstr(path, "locked.key"));
    return buf_str(out, a->answer);
}

/* An encrypted Ed25519 key signs a whole bundle. */
static void protected_key(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_BUNDLE struct bundle *b = NULL;
    struct build_result result;
    struct build_opts o = w.opts;
    struct asked asked = {"wrong", 0};
    const struct keys_ask ask = {answer, &asked};
    char id[65];
    OWN_FREE char *name = check_path(w.folder, "locked"), *key = check_path(w.folder, "locked.key"),
                  *pub = check_path(w.folder, "locked.pub");
    OK(keys_generate(id, name, KEYS_ED25519, "open sesame"));
    OWN_BUF struct buf pem = {0};
    OK(file_read(&pem, AT_FDCWD, key));
    assert_true(str_starts(pem.at, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    o.key = key;
    FAILS(ERR_USAGE, "locked.key: the private key needs a passphrase", bundle_build(&result, &o, NULL, NULL));
    o.ask = &ask;
    FAILS(ERR_USAGE, "locked.key: wrong passphrase", bundle_build(&result, &o, NULL, NULL));
    asked.answer = "open sesame";
    OK(bundle_build(&result, &o, NULL, NULL));
    assert_int_equal(asked.times, 2);
    const char *trust = pub;
    OK(bundle_open(&b, w.out, &trust, 1));
    OK(bundle_verify(b, NULL, NULL));
    assert_string_equal(bundle_signers(b)->at[0], id);
    /* a key without a passphrase asks nobody */
    o.key = w.key;
    OK(bundle_build(&result, &o, NULL, NULL));
    assert_int_equal(asked.times, 2);
}

/* Loads what a pipe says, as the shell's <(COMMAND) gives one. */
static struct err *load_piped(char id[65], const char *file,
                              struct err *(*load)(struct key **, const char *, const struct keys_ask *))
{
    OWN_KEY struct key *key = NULL;
    OWN_BUF struct buf pem = {0};
    char path[32];
    int p[2];
    OK(file_read(&pem, AT_FDCWD, file));
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    OK(fd_write_all(p[1], pem.at, pem.len));
    (void)close(p[1]);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
    struct err *e = load(&key, path, NULL);
    (void)close(p[0]);
    return e ? e : key_id(id, key);
}

static void key_through_a_pipe(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *name = check_path(folder, "k"), *key = check_path(folder, "k.key"),
                  *pub = check_path(folder, "k.pub");
    char id[65], got[65];
    OK(keys_generate(id, name, KEYS_P256, NULL));
    OK(load_piped(got, key, keys_load));
    assert_string_equal(got, id);
    FAILS(ERR_USAGE, "is the public half", load_piped(got, pub, keys_load));
    OK(load_piped(got, key, keys_load_any));
    assert_string_equal(got, id);
    got[0] = '\0';
    OK(load_piped(got, pub, keys_load_any));
    assert_string_equal(got, id);
}

static void other_signer(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_BUNDLE struct bundle *b = NULL;
    struct build_result result;
    struct build_opts o = w.opts;
    char id[65];
    OWN_FREE char *name = check_path(w.folder, "other"), *key = check_path(w.folder, "other.key"),
                  *pub = check_path(w.folder, "other.pub");
    OK(keys_generate(id, name, KEYS_P256, NULL));
    o.key = key;
    OK(bundle_build(&result, &o, NULL, NULL));
    FAILS(ERR_UNTRUSTED, "E_ROOT_PIN", open_and_verify(&b, &w, w.out));
    /* a root key apart from the release key: trust begins at the root */
    o.root_key = w.key;
    OK(bundle_build(&result, &o, NULL, NULL));
    const char *trust = pub;
    FAILS(ERR_UNTRUSTED, "E_ROOT_PIN", bundle_open(&b, w.out, &trust, 1));
    OK(open_and_verify(&b, &w, w.out));
    assert_string_equal(bundle_signers(b)->at[0], id);
}

/* ---- show ---- */

static void shown(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    OWN_BUNDLE struct bundle *b = NULL;
    struct build_result result;
    OK(bundle_build(&result, &w.opts, NULL, NULL));
    OK(open_and_verify(&b, &w, w.out));
    OWN_DOC struct doc *inspect = NULL, *list = NULL, *licenses = show_licenses(b);
    OK(show_inspect(&inspect, b));
    OK(show_list(&list, b));
    assert_int_equal(doc_len(list), result.members);
    DOC_EACH (v, list)
        assert_non_null(doc_text(v, "use"));
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    show_inspect_text(out, inspect);
    show_list_text(out, list);
    show_licenses_text(out, licenses);
    (void)fclose(out);
    const char *const words[] = {"profile    tiny",
                                 "sbom       CycloneDX-1.6, sha256:",
                                 "unpacked   ",
                                 "to a node  ",
                                 "tool 1.2.3  (MIT)",
                                 "package   tool",
                                 "image     registry.example/pause:3.10",
                                 "layer of registry.example/pause:3.10",
                                 "file tool/tool.yaml",
                                 "MIT\n  tool                 1.2.3        example\n  pause ",
                                 result.digest};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!strstr(text, words[i]))
            fail_msg("\"%s\" is not in\n%s", words[i], text);
    free(text);
}

/* Stops at the n-th call. */
static bool stop_at(void *self, const char *what, uint64_t done, uint64_t total)
{
    int *left = self;
    (void)what;
    (void)done;
    (void)total;
    return --*left > 0;
}

static size_t names_in(const char *folder)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));)
        n += entry->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

/* Wherever it is stopped, neither the bundle nor a part of it is there. */
static void stopped(void **state)
{
    (void)state;
    OWN_WORKSHOP struct workshop w = workshop_new();
    struct build_result result;
    size_t before = names_in(w.folder);
    for (int n = 1;; n++) {
        int left = n;
        struct err *e = bundle_build(&result, &w.opts, stop_at, &left);
        if (!e) {
            assert_true(n > 3);
            return;
        }
        assert_int_equal(err_kind(e), ERR_CANCELLED);
        err_free(e);
        assert_int_equal(names_in(w.folder), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_bundle_is_good),
        cmocka_unit_test(package_can_be_unpacked),
        cmocka_unit_test(addon_names_its_base),
        cmocka_unit_test(damaged_cache),
        cmocka_unit_test(damaged_package_cache),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(missing_blob),
        cmocka_unit_test(keys),
        cmocka_unit_test(protected_key),
        cmocka_unit_test(key_through_a_pipe),
        cmocka_unit_test(other_signer),
        cmocka_unit_test(shown),
        cmocka_unit_test(stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
