/* The lock: every rule of its schema, and that what is written is read again. */
#include "check.h"
#include "crypt/digest.h"
#include "supply/lock.h"

#include <sys/stat.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define REST ",\"license\":\"MIT\",\"platform\":\"linux/amd64\",\"purl\":\"pkg:generic/t@1\",\"version\":\"1\"}"
#define NONE "\"upstream\":{\"ref\":\"x\",\"type\":\"none\"},\"urls\":[]"
#define FILE_ENTRY(id, more)                                                                                           \
    "{\"component\":\"t\",\"file\":\"f\",\"id\":\"" id "\",\"kind\":\"file\",\"sha256\":\"" HEX "\",\"size\":1," more  \
    "," NONE REST
#define ARCHIVE                                                                                                        \
    "{\"component\":\"t\",\"file\":\"t.tgz\",\"id\":\"t/1/t.tgz\",\"kind\":\"archive\",\"sha256\":\"" HEX              \
    "\",\"size\":9,\"upstream\":{\"ref\":\"https://h/S\",\"sha256\":\"" HEX                                            \
    "\",\"type\":\"sha256sums\"},\"urls\":[\"https://h/t.tgz\"]" REST
#define IMAGE                                                                                                          \
    "{\"component\":\"t\",\"id\":\"t/1/image/h.x/t:1\",\"index\":{\"sha256\":\"" HEX                                   \
    "\",\"size\":7},\"kind\":\"oci\",\"name\":\"h.x/t:1\",\"sha256\":\"" HEX "\",\"size\":5,"                          \
    "\"upstream\":{\"ref\":\"oci://h.x/t:1\",\"type\":\"none\"},\"urls\":[\"oci://h.x/t:1\"]" REST
#define FROM "\"from\":{\"archive\":\"t/1/t.tgz\",\"member\":\"t-1/f\"}"
#define LOCK(entries) "{\"entries\":[" entries "],\"platform\":\"linux/amd64\",\"profile\":\"p\",\"schema\":1}"
#define GOOD LOCK(FILE_ENTRY("t/1/f", FROM) "," IMAGE "," ARCHIVE)

static void test_good(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *path = check_path(folder, "deep/er/p.lock.json");
    OWN_DOC struct doc *lock = NULL, *again = NULL;
    OWN_BUF struct buf text = {0};
    struct stat first, second;
    OK(lock_parse(&lock, "p", GOOD, strlen(GOOD)));
    OK(lock_save(lock, path));
    OK(lock_load(&again, &text, path));
    assert_true(doc_equal(lock, again));
    assert_memory_equal(text.at, "{\"entries\":[{\"component\":\"t\",\"file\":\"f\",\"from\":{", 48);
    assert_true(str_ends(text.at, "\"profile\":\"p\",\"schema\":1}\n"));
    assert_ptr_equal(lock_find(lock, "oci", "t", "1", "h.x/t:1"), lock_entry(lock, "t/1/image/h.x/t:1"));
    assert_ptr_equal(lock_find(lock, "file", "t", "1", "f"), lock_entry(lock, "t/1/f"));
    assert_null(lock_find(lock, "file", "t", "1", "t.tgz")); /* an archive is no file of a package */
    assert_null(lock_find(lock, "file", "t", "2", "f"));
    assert_int_equal(stat(path, &first), 0);
    OK(lock_save(lock, path));
    assert_int_equal(stat(path, &second), 0);
    assert_int_equal(first.st_ino, second.st_ino); /* nothing new: not touched */
}

/* `from` once replaced by `to` in the good lock. */
static char *with(const char *from, const char *to)
{
    const char *at = strstr(GOOD, from);
    assert_non_null(at);
    return str_fmt("%.*s%s%s", (int)(at - GOOD), GOOD, to, at + strlen(from));
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"\"schema\":1", "\"schema\":2", "schema 2"},
        {"\"schema\":1", "\"schema\":1,\"schema\":1", "p:1:"},
        {"\"schema\":1", "\"shema\":1", "unknown key \"shema\""},
        {",\"schema\":1", "", "\"schema\" is missing"},
        {"\"profile\":\"p\"", "\"profile\":7", "profile must be text"},
        {"{\"component\"", "7,{\"component\"", "entry 0: each entry must be a map"},
        {"\"sha256\":\"" HEX, "\"sha256\":\"0123", "entry 0 (t/1/f): sha256 must be"},
        {"\"sha256\":\"0", "\"sha256\":\"A", "sha256 must be"},
        {"\"sha256\":\"" HEX "\",\"size\":1", "\"size\":1", "\"sha256\" is missing"},
        {"\"size\":1,", "", "\"size\" is missing"},
        {"\"size\":1,", "\"size\":0,", "size 0"},
        {"\"size\":1,", "\"size\":-1,", "size -1"},
        {"\"size\":1,", "\"size\":68719476737,", "size 68719476737"},
        {"\"size\":1,", "\"size\":1.5,", "must be a whole number"},
        {"\"size\":1,", "\"size\":1,\"sizes\":1,", "unknown key \"sizes\""},
        {"\"kind\":\"file\"", "\"kind\":\"http\"", "kind \"http\""},
        {"\"kind\":\"file\"", "\"kind\":\"oci\"", "`name` alone"},
        {"\"kind\":\"oci\"", "\"kind\":\"file\"", "`file` alone"},
        {"\"kind\":\"archive\"", "\"kind\":\"file\"", "entry 0 (t/1/f): there is no archive"},
        {"\"id\":\"t/1/f\"", "\"id\":\"t/2/f\"", "must begin with \"t/1/\""},
        {"\"id\":\"t/1/f\"", "\"id\":\"t/1/t.tgz\"", "sorted by id"},
        {"t/1/image/h.x/t:1", "t/1/f", "entry 1 (t/1/f): the id is there twice"},
        {"\"name\":\"h.x/t:1\"", "\"name\":\"t:1\"", "E_REF"},
        {"oci://h.x/t:1\"]", "https://h.x/t\"]", "begin with oci://"},
        {"[\"https://h/t.tgz", "[\"http://h/t.tgz", "entry 2 (t/1/t.tgz): address \"http://h/t.tgz\" must begin with"},
        {"[\"https://h/t.tgz", "[\"ftp://h/t.tgz", "begin with https://"},
        {"[\"https://h/t.tgz", "[\"https://u:p@h/t.tgz", "without a user"},
        {"[\"https://h/t.tgz", "[\"https:///t.tgz", "host/path"},
        {"[\"https://h/t.tgz", "[\"https://h/t t.tgz", "escaped"},
        {"[\"https://h/t.tgz\"]", "[]", "an archive without an address"},
        {"[\"https://h/t.tgz\"]", "[7]", "each entry must be text"},
        {"\"type\":\"sha256sums\"", "\"type\":\"magic\"", "upstream.type \"magic\""},
        {"\"type\":\"sha256sums\"", "\"key\":\"12\",\"type\":\"gpg\"", "fingerprint"},
        {"\"ref\":\"x\"", "\"ref\":\"\"", "ref is empty"},
        {"\"ref\":\"x\"", "\"ref\":\"\\u001b[2J\"", "not plain text"},
        {"\"member\":\"t-1/f\"", "\"member\":\"../f\"", "E_PATH"},
        {"\"archive\":\"t/1/t.tgz\"", "\"archive\":\"t/1/f\"", "there is no archive \"t/1/f\""},
        {"\"platform\":\"linux/amd64\"", "\"platform\":\"linux/arm64\"", "it is for linux/arm64"},
        {"\"size\":7", "\"size\":\"7\"", "must be a whole number"},
        {"\"entries\":[", "\"entries\":[],\"more\":[", "unknown key"},
        {GOOD, "", "p:"},
        {GOOD, "[]", "must be a map"},
        {GOOD, GOOD "x", "p:1:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_DOC struct doc *lock = NULL;
        OWN_FREE char *text = with(cases[i].from, cases[i].to);
        assert_non_null(text);
        struct err *e = lock_parse(&lock, "p", text, strlen(text));
        if (!e || !str_starts(err_text(e), "E_LOCK: p"))
            fail_msg("%s -> %s: %s", cases[i].from, cases[i].to, e ? err_text(e) : "accepted");
        FAILS(ERR_UNTRUSTED, cases[i].says, e);
        assert_null(lock);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *path = check_path(folder, "lock");
    OWN_BUF struct buf text = {0}, read = {0}, again = {0};
    OWN_DOC struct doc *lock = NULL;
    OK(buf_str(&text, "{\"entries\":["));
    for (int i = 0; i <= LOCK_ENTRIES_MAX; i++)
        OK(buf_fmt(&text, "%s{}", i ? "," : ""));
    OK(buf_str(&text, "],\"platform\":\"linux/amd64\",\"profile\":\"p\",\"schema\":1}"));
    FAILS(ERR_UNTRUSTED, "E_LOCK: p: more than 4096 entries", lock_parse(&lock, "p", text.at, text.len));
    while (text.len <= LOCK_FILE_MAX)
        OK(buf_add(&text, GOOD, strlen(GOOD)));
    check_write(folder, "lock", text.at, text.len);
    FAILS(ERR_UNTRUSTED, "E_LOCK", lock_load(&lock, &read, path));
    assert_int_equal(unlink(path), 0);
    FAILS(ERR_USAGE, "No such file", lock_load(&lock, &again, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
