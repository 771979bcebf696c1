#include "crypt/key_uri.h"

#include "base/child.h"
#include "check.h"

#define MSG "caisson release"
#define MSG_LEN (sizeof MSG - 1)

/* n of P-256 (FIPS 186-5, SP 800-186). */
static const unsigned char order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                        0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

/* ---- DER of two numbers, made here so that it can be made wrong ---- */

struct number {
    unsigned char at[40];
    size_t len; /* content of the INTEGER, leading zero included */
};

static struct number number_of(const unsigned char *p, size_t n)
{
    struct number v = {0};
    while (n > 1 && *p == 0) {
        p++;
        n--;
    }
    if (*p & 0x80)
        v.at[v.len++] = 0;
    memcpy(v.at + v.len, p, n);
    v.len += n;
    return v;
}

static size_t sig_of(unsigned char *out, const struct number *r, const struct number *s)
{
    size_t n = 0;
    out[n++] = 0x30;
    out[n++] = (unsigned char)(r->len + s->len + 4);
    const struct number *both[] = {r, s};
    for (size_t i = 0; i < 2; i++) {
        out[n++] = 0x02;
        out[n++] = (unsigned char)both[i]->len;
        memcpy(out + n, both[i]->at, both[i]->len);
        n += both[i]->len;
    }
    return n;
}

static void sig_split(const struct buf *sig, struct number *r, struct number *s)
{
    const unsigned char *p = (const unsigned char *)sig->at;
    r->len = p[3];
    memcpy(r->at, p + 4, r->len);
    s->len = p[5 + r->len];
    memcpy(s->at, p + 6 + r->len, s->len);
}

/* n - v */
static struct number number_mirror(const struct number *v)
{
    unsigned char full[32] = {0}, out[32];
    size_t skip = v->len > 32 ? v->len - 32 : 0;
    memcpy(full + 32 - (v->len - skip), v->at + skip, v->len - skip);
    int borrow = 0;
    for (int i = 31; i >= 0; i--) {
        int d = order[i] - full[i] - borrow;
        borrow = d < 0;
        out[i] = (unsigned char)(d & 0xff);
    }
    return number_of(out, sizeof out);
}

static struct key *ec_key(void)
{
    struct key *k = NULL;
    OK(key_new_ec(&k));
    return k;
}

/* A key made by openssl, as PEM; `...` are the arguments of genpkey. */
static void genpkey(struct buf *out, const char *const args[])
{
    const char *argv[12] = {"openssl", "genpkey", NULL};
    for (size_t i = 0; args[i]; i++)
        argv[2 + i] = args[i];
    OK(child_run(argv, &(struct child_opts){.output = out}, NULL));
}

static void public_of(struct buf *out, const struct buf *private_pem)
{
    OK(child_run((const char *const[]){"openssl", "pkey", "-pubout", NULL},
                 &(struct child_opts){.input = private_pem->at, .input_len = private_pem->len, .output = out}, NULL));
}

/* ---- tests ---- */

static void round_trip(struct key *k)
{
    OWN_BUF struct buf sig = {0}, pub_pem = {0}, again = {0};
    OWN_SECRET_BUF struct buf pem = {0};
    OWN_KEY struct key *pub = NULL, *back = NULL;
    OK(key_sign(&sig, k, MSG, MSG_LEN));
    OK(key_verify(k, sig.at, sig.len, MSG, MSG_LEN));
    FAILS(ERR_UNTRUSTED, "does not match", key_verify(k, sig.at, sig.len, MSG, MSG_LEN - 1));
    OK(key_public_pem(&pub_pem, k));
    OK(key_public_from_pem(&pub, pub_pem.at, pub_pem.len));
    OK(key_verify(pub, sig.at, sig.len, MSG, MSG_LEN));
    FAILS(ERR_USAGE, "public key", key_sign(&sig, pub, MSG, MSG_LEN));
    FAILS(ERR_USAGE, "public half", key_private_pem(&pem, pub));
    OK(key_private_pem(&pem, k));
    assert_false(key_pem_is_protected(pem.at, pem.len));
    OK(key_from_pem(&back, pem.at, pem.len, NULL));
    OK(key_private_pem(&again, back));
    assert_string_equal(pem.at, again.at);
    char a[DIGEST_HEX], b[DIGEST_HEX];
    OK(key_id(a, k));
    OK(key_id(b, pub));
    assert_string_equal(a, b);
    assert_true(key_has_private(back) && !key_has_private(pub));
}

static void keys_round_trip(void **state)
{
    (void)state;
    OWN_KEY struct key *ec = ec_key(), *ed = NULL;
    OK(key_new_ed25519(&ed));
    round_trip(ec);
    round_trip(ed);
}

static void flip_bits(const struct key *k)
{
    OWN_BUF struct buf sig = {0};
    OK(key_sign(&sig, k, MSG, MSG_LEN));
    for (size_t bit = 0; bit < sig.len * 8; bit++) {
        sig.at[bit / 8] = (char)(sig.at[bit / 8] ^ (1 << (bit % 8)));
        FAILS(ERR_UNTRUSTED, "signature", key_verify(k, sig.at, sig.len, MSG, MSG_LEN));
        sig.at[bit / 8] = (char)(sig.at[bit / 8] ^ (1 << (bit % 8)));
    }
    OK(key_verify(k, sig.at, sig.len, MSG, MSG_LEN));
}

static void every_flipped_bit(void **state)
{
    (void)state;
    OWN_KEY struct key *ec = ec_key(), *ed = NULL;
    OK(key_new_ed25519(&ed));
    flip_bits(ec);
    flip_bits(ed);
}

static void wrong_lengths(void **state)
{
    (void)state;
    OWN_KEY struct key *k = ec_key();
    OWN_BUF struct buf sig = {0};
    OK(key_sign(&sig, k, MSG, MSG_LEN));
    for (size_t n = 0; n < sig.len; n++)
        FAILS(ERR_UNTRUSTED, "strict DER", key_verify(k, sig.at, n, MSG, MSG_LEN));
    OK(buf_add(&sig, "", 1));
    FAILS(ERR_UNTRUSTED, "strict DER", key_verify(k, sig.at, sig.len, MSG, MSG_LEN));
    OWN_BUF struct buf huge = {0};
    OK(buf_add(&huge, sig.at, sig.len));
    while (huge.len < 100000)
        OK(buf_add(&huge, "x", 1));
    FAILS(ERR_UNTRUSTED, "strict DER", key_verify(k, huge.at, huge.len, MSG, MSG_LEN));
}

/* The right numbers in encodings that are BER but not DER. */
static void ber_forms(void **state)
{
    (void)state;
    OWN_KEY struct key *k = ec_key();
    OWN_BUF struct buf sig = {0};
    OK(key_sign(&sig, k, MSG, MSG_LEN));
    unsigned char ber[KEY_SIG_MAX + 8];
    size_t n = 0;
    ber[n++] = 0x30; /* length in the long form */
    ber[n++] = 0x81;
    memcpy(ber + n, sig.at + 1, sig.len - 1);
    FAILS(ERR_UNTRUSTED, "strict DER", key_verify(k, ber, sig.len + 1, MSG, MSG_LEN));

    n = 0;
    ber[n++] = 0x30; /* indefinite length */
    ber[n++] = 0x80;
    memcpy(ber + n, sig.at + 2, sig.len - 2);
    n += sig.len - 2;
    ber[n++] = 0;
    ber[n++] = 0;
    FAILS(ERR_UNTRUSTED, "strict DER", key_verify(k, ber, n, MSG, MSG_LEN));

    struct number r = {0}, s = {0}; /* one more leading zero */
    sig_split(&sig, &r, &s);
    memmove(r.at + 1, r.at, r.len++);
    r.at[0] = 0;
    n = sig_of(ber, &r, &s);
    FAILS(ERR_UNTRUSTED, "strict DER", key_verify(k, ber, n, MSG, MSG_LEN));
}

static void numbers_out_of_range(void **state)
{
    (void)state;
    OWN_KEY struct key *k = ec_key();
    OWN_BUF struct buf sig = {0};
    OK(key_sign(&sig, k, MSG, MSG_LEN));
    struct number r = {0}, s = {0};
    sig_split(&sig, &r, &s);
    const unsigned char zero = 0;
    const struct number none = number_of(&zero, 1), n_itself = number_of(order, sizeof order);
    const struct number negative = {.at = {0x80}, .len = 1};
    const struct number wrong[] = {none, n_itself, negative};
    static const char *const words[] = {"out of range", "out of range", "strict DER"};
    unsigned char der[KEY_SIG_MAX + 8];
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        size_t n = sig_of(der, &wrong[i], &s);
        FAILS(ERR_UNTRUSTED, words[i], key_verify(k, der, n, MSG, MSG_LEN));
        n = sig_of(der, &r, &wrong[i]);
        FAILS(ERR_UNTRUSTED, words[i], key_verify(k, der, n, MSG, MSG_LEN));
    }
}

/* Both (r, s) and (r, n-s) are signatures: as key.h says, so that signers who do not normalise work. */
static void high_s_accepted(void **state)
{
    (void)state;
    OWN_KEY struct key *k = ec_key();
    OWN_BUF struct buf sig = {0};
    OK(key_sign(&sig, k, MSG, MSG_LEN));
    struct number r = {0}, s = {0};
    sig_split(&sig, &r, &s);
    struct number other = number_mirror(&s);
    unsigned char der[KEY_SIG_MAX + 8];
    size_t n = sig_of(der, &r, &other);
    assert_memory_not_equal(other.at, s.at, 16);
    OK(key_verify(k, der, n, MSG, MSG_LEN));
}

static void other_keys_refused(void **state)
{
    (void)state;
    OWN_KEY struct key *a = ec_key(), *b = ec_key(), *ed = NULL;
    OWN_BUF struct buf sig = {0}, ed_sig = {0};
    OK(key_new_ed25519(&ed));
    OK(key_sign(&sig, a, MSG, MSG_LEN));
    OK(key_sign(&ed_sig, ed, MSG, MSG_LEN));
    FAILS(ERR_UNTRUSTED, "does not match", key_verify(b, sig.at, sig.len, MSG, MSG_LEN));
    FAILS(ERR_UNTRUSTED, "strict DER", key_verify(a, ed_sig.at, ed_sig.len, MSG, MSG_LEN));
    FAILS(ERR_UNTRUSTED, "bytes", key_verify(ed, sig.at, sig.len, MSG, MSG_LEN));
}

static void other_types_refused(void **state)
{
    (void)state;
    static const char *const kinds[][5] = {
        {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", NULL},
        {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1", NULL},
        {"-algorithm", "ED448", NULL},
        {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        OWN_BUF struct buf pem = {0}, pub = {0};
        OWN_KEY struct key *k = NULL;
        genpkey(&pem, kinds[i]);
        public_of(&pub, &pem);
        FAILS(ERR_UNTRUSTED, "key", key_from_pem(&k, pem.at, pem.len, NULL));
        FAILS(ERR_UNTRUSTED, "public key", key_public_from_pem(&k, pub.at, pub.len));
    }
}

/* P-256 spelled out as parameters is not the named curve. */
static void explicit_curve_refused(void **state)
{
    (void)state;
    OWN_BUF struct buf pem = {0}, pub = {0};
    OWN_KEY struct key *k = NULL;
    genpkey(&pem, (const char *const[]){"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt",
                                        "ec_param_enc:explicit", NULL});
    public_of(&pub, &pem);
    FAILS(ERR_UNTRUSTED, "explicit", key_from_pem(&k, pem.at, pem.len, NULL));
    FAILS(ERR_UNTRUSTED, "explicit", key_public_from_pem(&k, pub.at, pub.len));
}

static void rsa_neither_signs_nor_verifies(void **state)
{
    (void)state;
    OWN_KEY struct key *k = NULL;
    OWN_BUF struct buf sig = {0};
    OK(key_new_rsa(&k, 2048));
    FAILS(ERR_USAGE, "RSA", key_sign(&sig, k, MSG, MSG_LEN));
    unsigned char any[256] = {1};
    FAILS(ERR_UNTRUSTED, "RSA", key_verify(k, any, sizeof any, MSG, MSG_LEN));
    OWN_KEY struct key *small = NULL;
    FAILS(ERR_USAGE, "1024", key_new_rsa(&small, 1024));
}

/* How often the passphrase is hashed, as the stock tool reads it out of the file. */
static int64_t key_rounds(const struct buf *pem)
{
    OWN_FOLDER char *dir = check_folder();
    OWN_FREE char *path = check_path(dir, "key");
    OWN_BUF struct buf out = {0};
    check_write(dir, "key", pem->at, pem->len);
    const char *const argv[] = {"/bin/sh", "-c", "openssl asn1parse -in \"$0\" | sed -n 's/.*INTEGER *:/0x/p'", path,
                                NULL};
    OK(child_run(argv, &(struct child_opts){.output = &out}, NULL));
    return strtoll(buf_text(&out), NULL, 16);
}

static void passphrases(void **state)
{
    (void)state;
    OWN_KEY struct key *k = ec_key(), *back = NULL;
    OWN_SECRET_BUF struct buf pem = {0};
    OK(key_private_pem_protected(&pem, k, "open sesame"));
    assert_true(key_pem_is_protected(pem.at, pem.len));
    assert_int_equal(key_rounds(&pem), 600000);
    FAILS(ERR_USAGE, "needs a passphrase", key_from_pem(&back, pem.at, pem.len, NULL));
    FAILS(ERR_USAGE, "wrong passphrase", key_from_pem(&back, pem.at, pem.len, "open"));
    OK(key_from_pem(&back, pem.at, pem.len, "open sesame"));
    char a[DIGEST_HEX], b[DIGEST_HEX];
    OK(key_id(a, k));
    OK(key_id(b, back));
    assert_string_equal(a, b);
    OWN_BUF struct buf out = {0};
    FAILS(ERR_USAGE, "passphrase", key_private_pem_protected(&out, k, ""));
}

static void garbage_refused(void **state)
{
    (void)state;
    OWN_KEY struct key *k = ec_key(), *none = NULL;
    OWN_BUF struct buf pub = {0};
    OK(key_public_pem(&pub, k));
    FAILS(ERR_USAGE, "no private key", key_from_pem(&none, "", 0, NULL));
    FAILS(ERR_USAGE, "no private key", key_from_pem(&none, pub.at, pub.len, NULL));
    FAILS(ERR_UNTRUSTED, "public key", key_public_from_pem(&none, "hello", 5));
    FAILS(ERR_UNTRUSTED, "public key", key_public_from_pem(&none, pub.at, pub.len / 2));
}

/* Signatures and key names as the stock tool makes and checks them. */
static void like_openssl(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FREE char *key_path = check_path(dir, "key"), *pub_path = check_path(dir, "pub");
    OWN_FREE char *sig_path = check_path(dir, "sig"), *msg_path = check_path(dir, "msg");
    OWN_KEY struct key *k = ec_key();
    OWN_BUF struct buf pem = {0}, pub = {0}, sig = {0}, theirs = {0};
    OK(key_private_pem(&pem, k));
    OK(key_public_pem(&pub, k));
    OK(key_sign(&sig, k, MSG, MSG_LEN));
    check_write(dir, "key", pem.at, pem.len);
    check_write(dir, "pub", pub.at, pub.len);
    check_write(dir, "sig", sig.at, sig.len);
    check_write(dir, "msg", MSG, MSG_LEN);
    OK(child_run((const char *const[]){"openssl", "dgst", "-sha256", "-verify", pub_path, "-signature", sig_path,
                                       msg_path, NULL},
                 &(struct child_opts){0}, NULL));
    OK(child_run((const char *const[]){"openssl", "dgst", "-sha256", "-sign", key_path, msg_path, NULL},
                 &(struct child_opts){.output = &theirs}, NULL));
    OK(key_verify(k, theirs.at, theirs.len, MSG, MSG_LEN));

    OWN_BUF struct buf der = {0};
    OK(child_run((const char *const[]){"openssl", "pkey", "-pubin", "-in", pub_path, "-outform", "DER", NULL},
                 &(struct child_opts){.output = &der}, NULL));
    char a[DIGEST_HEX], b[DIGEST_HEX];
    OK(digest_hex(a, der.at, der.len));
    OK(key_id(b, k));
    assert_string_equal(a, b);
}

/* RFC 8032, section 7.1, test 2. */
static void ed25519_vector(void **state)
{
    (void)state;
    const char *pub = "-----BEGIN PUBLIC KEY-----\n"
                      "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"
                      "-----END PUBLIC KEY-----\n";
    static const unsigned char sig[64] = {0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8, 0x72, 0x0e, 0x82, 0x0b, 0x5f,
                                          0x64, 0x25, 0x40, 0xa2, 0xb2, 0x7b, 0x54, 0x16, 0x50, 0x3f, 0x8f, 0xb3, 0x76,
                                          0x22, 0x23, 0xeb, 0xdb, 0x69, 0xda, 0x08, 0x5a, 0xc1, 0xe4, 0x3e, 0x15, 0x99,
                                          0x6e, 0x45, 0x8f, 0x36, 0x13, 0xd0, 0xf1, 0x1d, 0x8c, 0x38, 0x7b, 0x2e, 0xae,
                                          0xb4, 0x30, 0x2a, 0xee, 0xb0, 0x0d, 0x29, 0x16, 0x12, 0xbb, 0x0c, 0x00};
    OWN_KEY struct key *k = NULL;
    OK(key_public_from_pem(&k, pub, strlen(pub)));
    OK(key_verify(k, sig, sizeof sig, "\x72", 1));
    FAILS(ERR_UNTRUSTED, "does not match", key_verify(k, sig, sizeof sig, "\x73", 1));
}

static void what_is_a_uri(void **state)
{
    (void)state;
    static const char *const uris[] = {"pkcs11:token=a", "handle:0x81000001", "file:/a", "x-y+z.1:"};
    static const char *const files[] = {"a.key", "./pkcs11:a", "/a:b", "c:key", "A:b", "", "pkcs11"};
    for (size_t i = 0; i < ARRAY_LEN(uris); i++)
        assert_true(key_is_uri(uris[i]));
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        assert_false(key_is_uri(files[i]));
}

static struct err *passphrase_of_file(void *self, struct buf *out, const char *uri)
{
    ++*(int *)self;
    assert_true(strncmp(uri, "file:/", 6) == 0);
    return buf_str(out, "sesame");
}

/* A key that a provider opened: it signs, its private half does not come out. */
static void key_at_a_uri(void **state)
{
    (void)state;
    OWN_KEY struct key *made = NULL, *k = NULL;
    OWN_BUF struct buf pem = {0}, sig = {0};
    char id[2][DIGEST_HEX], uri[256];
    int asked = 0;
    OWN_FOLDER char *folder = check_folder();
    OK(key_new_ed25519(&made));
    OK(key_private_pem_protected(&pem, made, "sesame"));
    check_write(folder, "locked.key", pem.at, pem.len);
    (void)snprintf(uri, sizeof uri, "file:%s/locked.key", folder);
    OK(key_from_uri(&k, uri, NULL, 0, (struct key_pin){passphrase_of_file, &asked}));
    assert_int_equal(asked, 1);
    OK(key_id(id[0], made));
    OK(key_id(id[1], k));
    assert_string_equal(id[0], id[1]);
    OK(key_sign(&sig, k, MSG, MSG_LEN));
    OK(key_verify(made, sig.at, sig.len, MSG, MSG_LEN));
    buf_done(&pem);
    FAILS(ERR_USAGE, "only the public half", key_private_pem(&pem, k));
    struct key *none = NULL;
    FAILS(ERR_USAGE, "it needs a PIN or a passphrase", key_from_uri(&none, uri, NULL, 0, (struct key_pin){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_round_trip),
        cmocka_unit_test(what_is_a_uri),
        cmocka_unit_test(key_at_a_uri),
        cmocka_unit_test(every_flipped_bit),
        cmocka_unit_test(wrong_lengths),
        cmocka_unit_test(ber_forms),
        cmocka_unit_test(numbers_out_of_range),
        cmocka_unit_test(high_s_accepted),
        cmocka_unit_test(other_keys_refused),
        cmocka_unit_test(other_types_refused),
        cmocka_unit_test(explicit_curve_refused),
        cmocka_unit_test(rsa_neither_signs_nor_verifies),
        cmocka_unit_test(passphrases),
        cmocka_unit_test(garbage_refused),
        cmocka_unit_test(like_openssl),
        cmocka_unit_test(ed25519_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
