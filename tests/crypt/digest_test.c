#include "crypt/digest.h"

#include "base/child.h"
#include "check.h"

static void known_digests(void **state)
{
    (void)state;
    char hex[DIGEST_HEX];
    OK(digest_hex(hex, "", 0));
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    OK(digest_hex(hex, "abc", 3));
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void million_in_parts(void **state)
{
    (void)state;
    OWN_SHA256 struct sha256 *h = NULL;
    char part[1000], hex[DIGEST_HEX];
    memset(part, 'a', sizeof part);
    OK(sha256_new(&h));
    for (int i = 0; i < 1000; i++)
        OK(sha256_add(h, part, sizeof part));
    OK(sha256_hex(h, hex));
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void file_like_openssl(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FREE char *path = check_path(dir, "data");
    enum { SIZE = 700001 }; /* more than one read, and not a whole number of them */
    OWN_FREE char *data = malloc(SIZE);
    assert_non_null(data);
    OK(random_bytes(data, SIZE));
    check_write(dir, "data", data, SIZE);

    char hex[DIGEST_HEX];
    uint64_t size = 0;
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    OK(digest_fd(hex, fd, &size));
    assert_int_equal(size, SIZE);
    OWN_BUF struct buf out = {0};
    OK(child_run((const char *const[]){"openssl", "dgst", "-sha256", "-r", path, NULL},
                 &(struct child_opts){.output = &out}, NULL));
    assert_memory_equal(buf_text(&out), hex, 64);

    OK(digest_fd(hex, fd, &size)); /* from the present position: the end */
    assert_int_equal(size, 0);
    FAILS(ERR_FAILED, "read", digest_fd(hex, -1, NULL));
}

static void both_at_once(void **state)
{
    (void)state;
    struct digest_pair pair = {0};
    OK(digest_pair(&pair, "abc", 3));
    assert_string_equal(pair.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(pair.sha512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                                     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    assert_int_equal(pair.size, 3);
    OWN_FOLDER char *dir = check_folder();
    OWN_FREE char *path = check_path(dir, "data");
    check_write(dir, "data", "abc", 3);
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct digest_pair same = {0};
    OK(digest_pair_fd(&same, fd));
    assert_memory_equal(&pair, &same, sizeof pair);
    FAILS(ERR_FAILED, "read", digest_pair_fd(&same, -1));
}

/* RFC 4231, test cases 1, 2 and 6. */
static void hmac_vectors(void **state)
{
    (void)state;
    char hex[DIGEST_HEX];
    unsigned char key[131];
    memset(key, 0x0b, 20);
    OK(hmac_hex(hex, key, 20, "Hi There", 8));
    assert_string_equal(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    OK(hmac_hex(hex, "Jefe", 4, "what do ya want for nothing?", 28));
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";
    OK(hmac_hex(hex, key, sizeof key, text, strlen(text)));
    assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hmac_empty_key(void **state)
{
    (void)state;
    char hex[DIGEST_HEX];
    OK(hmac_hex(hex, "other", 5, "x", 1));
    OK(hmac_hex(hex, NULL, 0, "", 0)); /* HMAC_SHA256("", "") */
    assert_string_equal(hex, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void random_differs(void **state)
{
    (void)state;
    char a[32] = {0}, b[32] = {0};
    OK(random_bytes(a, sizeof a));
    OK(random_bytes(b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    OK(random_bytes(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),  cmocka_unit_test(million_in_parts), cmocka_unit_test(file_like_openssl),
        cmocka_unit_test(both_at_once),   cmocka_unit_test(hmac_vectors),     cmocka_unit_test(hmac_empty_key),
        cmocka_unit_test(random_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
