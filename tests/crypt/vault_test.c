#include "crypt/vault.h"

#include "base/child.h"
#include "check.h"
#include "crypt/key.h"
#include "crypt/x509.h"

#include <sys/stat.h>

#define SECRET "keys: of the cluster\n\r\n\x01\xff"

struct pair {
    char *dir;
    struct buf key, cert;
};

static struct pair pair_make(const char *passphrase)
{
    struct pair p = {.dir = check_folder()};
    OK(vault_key_create(p.dir, passphrase));
    OWN_FREE char *key = check_path(p.dir, "operator.key"), *cert = check_path(p.dir, "operator.crt");
    OK(file_read(&p.key, AT_FDCWD, key));
    OK(file_read(&p.cert, AT_FDCWD, cert));
    return p;
}

static void pair_done(struct pair *p)
{
    check_folder_done(&p->dir);
    buf_done(&p->key);
    buf_done(&p->cert);
}

#define OWN_PAIR OWN(pair_done)

static struct err *seal_for(struct buf *out, const struct pair *p)
{
    return vault_seal(out, SECRET, sizeof SECRET, (const char *const[]){p->cert.at}, 1);
}

static void keys_are_never_overwritten(void **state)
{
    (void)state;
    OWN_PAIR struct pair p = pair_make(NULL);
    OWN_FREE char *key = check_path(p.dir, "operator.key"), *cert = check_path(p.dir, "operator.crt");
    struct stat st;
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    FAILS(ERR_REFUSED, "operator.key", vault_key_create(p.dir, NULL));
    assert_int_equal(unlink(key), 0);
    FAILS(ERR_REFUSED, "operator.crt", vault_key_create(p.dir, NULL));
    OWN_BUF struct buf now = {0};
    OK(file_read(&now, AT_FDCWD, cert));
    assert_string_equal(now.at, p.cert.at);
    FAILS(ERR_FAILED, "open", vault_key_create("/nonexistent", NULL));
}

static void opens_again(void **state)
{
    (void)state;
    OWN_PAIR struct pair p = pair_make(NULL), other = pair_make(NULL);
    OWN_BUF struct buf sealed = {0}, plain = {0};
    OK(seal_for(&sealed, &p));
    assert_null(memmem(sealed.at, sealed.len, "cluster", 7));
    OK(vault_open(&plain, sealed.at, sealed.len, p.key.at, p.cert.at, NULL));
    assert_int_equal(plain.len, sizeof SECRET);
    assert_memory_equal(plain.at, SECRET, sizeof SECRET);
    buf_done(&plain);
    FAILS(ERR_UNTRUSTED, "other keys", vault_open(&plain, sealed.at, sealed.len, other.key.at, other.cert.at, NULL));
    FAILS(ERR_USAGE, "belong together", vault_open(&plain, sealed.at, sealed.len, other.key.at, p.cert.at, NULL));
    FAILS(ERR_USAGE, "operator key", vault_open(&plain, sealed.at, sealed.len, "", p.cert.at, NULL));
    assert_int_equal(plain.len, 0);
}

static void empty_and_large(void **state)
{
    (void)state;
    OWN_PAIR struct pair p = pair_make(NULL);
    OWN_BUF struct buf sealed = {0}, plain = {0}, large = {0};
    OK(vault_seal(&sealed, "", 0, (const char *const[]){p.cert.at}, 1));
    OK(vault_open(&plain, sealed.at, sealed.len, p.key.at, p.cert.at, NULL));
    assert_int_equal(plain.len, 0);
    while (large.len < 3000000)
        OK(buf_add(&large, SECRET, sizeof SECRET));
    buf_done(&sealed);
    OK(vault_seal(&sealed, large.at, large.len, (const char *const[]){p.cert.at}, 1));
    OK(vault_open(&plain, sealed.at, sealed.len, p.key.at, p.cert.at, NULL));
    assert_int_equal(plain.len, large.len);
    assert_memory_equal(plain.at, large.at, large.len);
}

static void passphrase(void **state)
{
    (void)state;
    OWN_PAIR struct pair p = pair_make("over the hills");
    OWN_BUF struct buf sealed = {0}, plain = {0};
    assert_true(key_pem_is_protected(p.key.at, p.key.len));
    OK(seal_for(&sealed, &p));
    FAILS(ERR_USAGE, "needs a passphrase", vault_open(&plain, sealed.at, sealed.len, p.key.at, p.cert.at, NULL));
    FAILS(ERR_USAGE, "wrong passphrase", vault_open(&plain, sealed.at, sealed.len, p.key.at, p.cert.at, "far"));
    OK(vault_open(&plain, sealed.at, sealed.len, p.key.at, p.cert.at, "over the hills"));
    assert_memory_equal(plain.at, SECRET, sizeof SECRET);
}

/* What an operator does who has lost caisson. */
static void opens_with_stock_openssl(void **state)
{
    (void)state;
    OWN_PAIR struct pair a = pair_make(NULL), b = pair_make(NULL);
    OWN_BUF struct buf sealed = {0};
    OK(vault_seal(&sealed, SECRET, sizeof SECRET, (const char *const[]){a.cert.at, b.cert.at}, 2));
    const struct pair *both[] = {&a, &b};
    for (size_t i = 0; i < 2; i++) {
        OWN_BUF struct buf plain = {0}, ours = {0};
        OWN_FREE char *key = check_path(both[i]->dir, "operator.key"), *cert = check_path(both[i]->dir, "operator.crt");
        OWN_FREE char *vault = check_path(both[i]->dir, "secrets.vault");
        check_write(both[i]->dir, "secrets.vault", sealed.at, sealed.len);
        OK(child_run((const char *const[]){"openssl", "cms", "-decrypt", "-binary", "-inform", "PEM", "-in", vault,
                                           "-inkey", key, "-recip", cert, NULL},
                     &(struct child_opts){.output = &plain}, NULL));
        assert_int_equal(plain.len, sizeof SECRET);
        assert_memory_equal(plain.at, SECRET, sizeof SECRET);
        OK(vault_open(&ours, sealed.at, sealed.len, both[i]->key.at, both[i]->cert.at, NULL));
    }
}

static void says_what_it_is(void **state)
{
    (void)state;
    OWN_PAIR struct pair p = pair_make(NULL);
    OWN_BUF struct buf sealed = {0}, text = {0};
    OK(seal_for(&sealed, &p));
    OK(child_run((const char *const[]){"openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "PEM", NULL},
                 &(struct child_opts){.input = sealed.at, .input_len = sealed.len, .output = &text}, NULL));
    assert_non_null(strstr(text.at, "authEnvelopedData"));
    assert_non_null(strstr(text.at, "aes-256-gcm"));
    assert_non_null(strstr(text.at, "dhSinglePass-stdDH-sha256kdf-scheme"));
    assert_non_null(strstr(text.at, "id-aes256-wrap"));
}

static void der_to_pem(struct buf *out, const struct buf *der)
{
    OK(buf_str(out, "-----BEGIN CMS-----\n"));
    OK(child_run((const char *const[]){"openssl", "base64", NULL},
                 &(struct child_opts){.input = der->at, .input_len = der->len, .output = out}, NULL));
    OK(buf_str(out, "-----END CMS-----\n"));
}

static void pem_to_der(struct buf *out, const struct buf *pem)
{
    OK(child_run((const char *const[]){"openssl", "asn1parse", "-noout", "-out", "/dev/stdout", NULL},
                 &(struct child_opts){.input = pem->at, .input_len = pem->len, .output = out}, NULL));
}

/* Opens the changed DER: never anything but the secret comes out. True when it was refused. */
static bool refused(const struct buf *der, const struct pair *p)
{
    OWN_BUF struct buf pem = {0}, plain = {0};
    der_to_pem(&pem, der);
    struct err *e = vault_open(&plain, pem.at, pem.len, p->key.at, p->cert.at, NULL);
    bool no = e != NULL;
    if (no)
        assert_int_equal(err_kind(e), ERR_UNTRUSTED);
    assert_int_equal(plain.len, no ? 0 : sizeof SECRET);
    if (!no)
        assert_memory_equal(plain.at, SECRET, sizeof SECRET);
    err_free(e);
    return no;
}

/* The content, its tag and nonce are at the end: there every changed byte is refused; elsewhere nothing else
 * opens. */
static void flipped_bytes(void **state)
{
    (void)state;
    OWN_PAIR struct pair p = pair_make(NULL);
    OWN_BUF struct buf sealed = {0}, der = {0};
    OK(seal_for(&sealed, &p));
    pem_to_der(&der, &sealed);
    const size_t guarded = 16 + 2 + sizeof SECRET + 2;
    for (size_t i = 0; i < der.len; i += i + guarded < der.len ? 7 : 1) {
        der.at[i] ^= 0x10;
        bool no = refused(&der, &p);
        assert_true(no || i + guarded < der.len);
        der.at[i] ^= 0x10;
    }
    assert_false(refused(&der, &p));
}

/* A tag of one byte can be found by 256 tries if the reader takes it. */
static void short_tag(void **state)
{
    (void)state;
    OWN_PAIR struct pair p = pair_make(NULL);
    OWN_BUF struct buf sealed = {0}, der = {0}, pem = {0}, plain = {0};
    OK(seal_for(&sealed, &p));
    pem_to_der(&der, &sealed);
    /* Lengths, two bytes each: of ContentInfo, of [0] behind its OID of 13 bytes, of AuthEnvelopedData. */
    static const size_t lengths[] = {2, 4 + 13 + 2, 4 + 13 + 4 + 2};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        unsigned char *at = (unsigned char *)der.at + lengths[i];
        assert_int_equal(at[-1], 0x82);
        int n = (at[0] << 8 | at[1]) - 15;
        at[0] = (unsigned char)(n >> 8);
        at[1] = (unsigned char)(n & 0xff);
    }
    der.at[der.len - 17] = 1; /* length of the tag */
    der.len -= 15;
    der_to_pem(&pem, &der);
    FAILS(ERR_UNTRUSTED, "full tag", vault_open(&plain, pem.at, pem.len, p.key.at, p.cert.at, NULL));
}

/* Encryption without authentication, for the right recipient. */
static void other_forms_refused(void **state)
{
    (void)state;
    OWN_PAIR struct pair p = pair_make(NULL);
    OWN_FREE char *cert = check_path(p.dir, "operator.crt");
    static const char *const ciphers[] = {"-aes-256-cbc", "-aes-128-gcm"};
    static const char *const words[] = {"not authenticated", "not AES-256-GCM"};
    for (size_t i = 0; i < 2; i++) {
        OWN_BUF struct buf sealed = {0}, plain = {0};
        OK(child_run((const char *const[]){"openssl", "cms", "-encrypt", "-binary", ciphers[i], "-outform", "PEM",
                                           "-recip", cert, NULL},
                     &(struct child_opts){.input = SECRET, .input_len = sizeof SECRET, .output = &sealed}, NULL));
        FAILS(ERR_UNTRUSTED, words[i], vault_open(&plain, sealed.at, sealed.len, p.key.at, p.cert.at, NULL));
    }
    OWN_BUF struct buf sealed = {0}, plain = {0};
    OK(child_run((const char *const[]){"openssl", "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "PEM",
                                       "-recip", cert, NULL},
                 &(struct child_opts){.input = SECRET, .input_len = sizeof SECRET, .output = &sealed}, NULL));
    OK(vault_open(&plain, sealed.at, sealed.len, p.key.at, p.cert.at, NULL)); /* theirs of the right form opens */
    assert_memory_equal(plain.at, SECRET, sizeof SECRET);
    FAILS(ERR_UNTRUSTED, "cannot be read", vault_open(&plain, "x", 1, p.key.at, p.cert.at, NULL));
}

static void recipients_checked(void **state)
{
    (void)state;
    OWN_KEY struct key *ed = NULL, *rsa = NULL;
    OWN_BUF struct buf ed_cert = {0}, rsa_cert = {0}, rsa_key = {0}, out = {0}, plain = {0};
    OK(key_new_ed25519(&ed));
    OK(key_new_rsa(&rsa, 2048));
    OK(ca_create(&ed_cert, ed, "ed", 0, 4102444800));
    OK(ca_create(&rsa_cert, rsa, "rsa", 0, 4102444800));
    OK(key_private_pem(&rsa_key, rsa));
    FAILS(ERR_USAGE, "Ed25519", vault_seal(&out, "x", 1, (const char *const[]){ed_cert.at}, 1));
    FAILS(ERR_USAGE, "recipient", vault_seal(&out, "x", 1, NULL, 0));
    FAILS(ERR_USAGE, "recipient", vault_seal(&out, "x", 1, (const char *const[]){"no pem"}, 1));
    assert_int_equal(out.len, 0);
    OK(vault_seal(&out, "x", 1, (const char *const[]){rsa_cert.at}, 1));
    OK(vault_open(&plain, out.at, out.len, rsa_key.at, rsa_cert.at, NULL));
    assert_string_equal(plain.at, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_never_overwritten),
        cmocka_unit_test(opens_again),
        cmocka_unit_test(empty_and_large),
        cmocka_unit_test(passphrase),
        cmocka_unit_test(opens_with_stock_openssl),
        cmocka_unit_test(says_what_it_is),
        cmocka_unit_test(flipped_bytes),
        cmocka_unit_test(short_tag),
        cmocka_unit_test(other_forms_refused),
        cmocka_unit_test(recipients_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
