/* Keys and passphrases on the command line. */
#include "run.h"

#include <sys/stat.h>

static void scheme_and_file(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *name = check_path(folder, "k"), *key = check_path(folder, "k.key"),
                  *pass = check_path(folder, "pass"), *other = check_path(folder, "other");
    struct stat st;
    check_write(folder, "pass", "open sesame\n", 12);
    assert_int_equal(chmod(pass, 0640), 0);
    OWN_OUTCOME struct outcome loose =
        RUN(NULL, "key", "generate", name, "--scheme", "ed25519", "--passphrase-file", pass);
    expect(&loose, 6, "", NULL);
    has(loose.err, "may be read by others");
    assert_int_equal(chmod(pass, 0600), 0);
    OWN_OUTCOME struct outcome o =
        RUN(NULL, "-o", "json", "key", "generate", name, "--scheme", "ed25519", "--passphrase-file", pass);
    expect(&o, 0, NULL, "");
    has(o.out, "\"encrypted\":true");
    has(o.out, "\"scheme\":\"ed25519\"");
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    OWN_OUTCOME struct outcome again = RUN(NULL, "key", "generate", name);
    expect(&again, 6, "", NULL);
    OWN_OUTCOME struct outcome rsa = RUN(NULL, "key", "generate", other, "--scheme", "rsa");
    expect(&rsa, 64, "", "error: --scheme: \"rsa\" is not known\n  fix: p256 or ed25519\n");
    /* without a terminal and a file nobody is asked, and that is said */
    OWN_OUTCOME struct outcome plain = RUN(NULL, "key", "generate", other);
    expect(&plain, 0, NULL, "");
    has(plain.out, "and has no passphrase");
}

static void bad_passphrase_files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
    } bad[] = {{"", 0}, {"\n", 1}, {"one\ntwo\n", 8}, {"a\0b\n", 4}};
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *name = check_path(folder, "k"), *pass = check_path(folder, "pass"),
                  *key = check_path(folder, "k.key");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        check_write(folder, "pass", bad[i].text, bad[i].n);
        assert_int_equal(chmod(pass, 0600), 0);
        OWN_OUTCOME struct outcome o = RUN(NULL, "key", "generate", name, "--passphrase-file", pass);
        expect(&o, 64, "", NULL);
        has(o.err, "not one line of text");
        assert_false(file_exists(AT_FDCWD, key));
    }
    OWN_OUTCOME struct outcome none = RUN(NULL, "key", "generate", name, "--passphrase-file", "/nonexistent");
    expect(&none, 64, "", NULL);
}

static void typed_twice(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *name = check_path(folder, "k"), *key = check_path(folder, "k.key");
    const struct cue same[] = {{"(empty: none) of", "open sesame\n", 0}, {"same again", "open sesame\n", 0}, {0}};
    const struct cue differ[] = {{"(empty: none) of", "open sesame\n", 0}, {"same again", "open\n", 0}, {0}};
    OWN_OUTCOME struct outcome no = RUN_TERMINAL(NULL, 80, differ, "key", "generate", name);
    assert_int_equal(no.status, 64);
    has(no.out, "differ");
    assert_false(file_exists(AT_FDCWD, key));
    OWN_OUTCOME struct outcome yes = RUN_TERMINAL(NULL, 80, same, "key", "generate", name);
    assert_int_equal(yes.status, 0);
    assert_null(strstr(yes.out, "sesame")); /* what is typed is not shown */
    OWN_BUF struct buf pem = {0};
    OK(file_read(&pem, AT_FDCWD, key));
    assert_true(str_starts(pem.at, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
}

static void typed_none(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *name = check_path(folder, "k");
    const struct cue cues[] = {{"(empty: none) of", "\n", 0}, {"same again", "\n", 0}, {0}};
    OWN_OUTCOME struct outcome o = RUN_TERMINAL(NULL, 80, cues, "key", "generate", name);
    assert_int_equal(o.status, 0);
    has(o.out, "has no passphrase");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scheme_and_file), cmocka_unit_test(bad_passphrase_files),
                                       cmocka_unit_test(typed_twice), cmocka_unit_test(typed_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
