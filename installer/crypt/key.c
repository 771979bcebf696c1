#include "crypt/key.h"

#include "crypt/openssl.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

/* ---- which keys there are ---- */

/* Named curve P-256 and nothing like it: explicit parameters could carry another generator (CVE-2020-0601).
 */
static struct err *check_ec(const EVP_PKEY *pkey)
{
    char curve[64] = "", encoding[64] = "";
    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof curve, NULL) != 1 ||
        strcmp(curve, "prime256v1") != 0)
        return crypt_err(ERR_UNTRUSTED, "EC key on curve %s instead of P-256", *curve ? curve : "(unknown)");
    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof encoding, NULL) != 1 ||
        strcmp(encoding, OSSL_PKEY_EC_ENCODING_GROUP) != 0)
        return crypt_err(ERR_UNTRUSTED, "EC key with explicit curve parameters");
    return NULL;
}

static struct err *check_rsa(const EVP_PKEY *pkey)
{
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return err_new(ERR_UNTRUSTED, "RSA key of %d bits", bits);
    return NULL;
}

static struct err *check_type(const EVP_PKEY *pkey)
{
    if (EVP_PKEY_is_a(pkey, "EC"))
        return check_ec(pkey);
    if (EVP_PKEY_is_a(pkey, "RSA"))
        return check_rsa(pkey);
    if (EVP_PKEY_is_a(pkey, "ED25519"))
        return NULL;
    const char *name = EVP_PKEY_get0_type_name(pkey);
    return err_new(ERR_UNTRUSTED, "key of type %s; P-256, Ed25519 and RSA are known", name ? name : "(unknown)");
}

struct err *crypt_key_check(EVP_PKEY *pkey, bool has_private)
{
    TRY(check_type(pkey));
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool good = ctx && EVP_PKEY_public_check(ctx) == 1 && (!has_private || EVP_PKEY_pairwise_check(ctx) == 1);
    EVP_PKEY_CTX_free(ctx);
    return good ? NULL : crypt_err(ERR_UNTRUSTED, "wrong key");
}

struct err *crypt_key_wrap(struct key **ret, EVP_PKEY *pkey, bool has_private)
{
    OWN_PKEY EVP_PKEY *own = pkey;
    TRY(crypt_key_check(own, has_private));
    struct key *k = calloc(1, sizeof *k);
    if (!k)
        return err_os(ENOMEM, "key");
    *k = (struct key){.pkey = TAKE(own), .has_private = has_private};
    *ret = k;
    return NULL;
}

/* ---- new keys ---- */

static struct err *key_made(struct key **ret, EVP_PKEY *pkey)
{
    return pkey ? crypt_key_wrap(ret, pkey, true) : crypt_err(ERR_FAILED, "make a key");
}

struct err *key_new_ec(struct key **ret)
{
    TRY(crypt_ready());
    return key_made(ret, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"));
}

struct err *key_new_ed25519(struct key **ret)
{
    TRY(crypt_ready());
    return key_made(ret, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

struct err *key_new_rsa(struct key **ret, unsigned bits)
{
    TRY(crypt_ready());
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return err_new(ERR_USAGE, "RSA key of %u bits; %d to %d are possible", bits, RSA_BITS_MIN, RSA_BITS_MAX);
    return key_made(ret, EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits));
}

/* ---- PEM ---- */

bool key_pem_is_protected(const char *pem, size_t len)
{
    static const char pkcs8[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----", old[] = "Proc-Type: 4,ENCRYPTED";
    return memmem(pem, len, pkcs8, sizeof pkcs8 - 1) || memmem(pem, len, old, sizeof old - 1);
}

/* Gives the library the passphrase in `arg`; none, or one that does not fit, is an error. */
static int passphrase_give(char *room, int size, int writing, void *arg)
{
    (void)writing;
    const char *passphrase = arg;
    size_t n = passphrase ? strlen(passphrase) : 0;
    if (!passphrase || size < 0 || n > (size_t)size)
        return -1;
    memcpy(room, passphrase, n);
    return (int)n;
}

struct err *key_from_pem(struct key **ret, const char *pem, size_t len, const char *passphrase)
{
    OWN_BIO BIO *bio = NULL;
    TRY_CTX(crypt_bio_read(&bio, pem, len), "private key");
    bool locked = key_pem_is_protected(pem, len);
    if (locked && !passphrase)
        return err_new(ERR_USAGE, "the private key needs a passphrase");
    void *arg = (void *)(uintptr_t)passphrase; /* only read; the callback's type is not const */
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, passphrase_give, arg);
    if (!pkey)
        return crypt_err(ERR_USAGE, locked ? "wrong passphrase or damaged private key" : "no private key");
    TRY_CTX(crypt_key_wrap(ret, pkey, true), "private key");
    return NULL;
}

struct err *key_public_from_pem(struct key **ret, const char *pem, size_t len)
{
    OWN_BIO BIO *bio = NULL;
    TRY_CTX(crypt_bio_read(&bio, pem, len), "public key");
    EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, crypt_no_passphrase, NULL);
    if (!pkey)
        return crypt_err(ERR_UNTRUSTED, "public key cannot be read");
    TRY_CTX(crypt_key_wrap(ret, pkey, false), "public key");
    return NULL;
}

struct err *key_from_cert(struct key **ret, const char *cert_pem)
{
    OWN_X509 X509 *cert = NULL;
    TRY(crypt_cert_read(&cert, cert_pem));
    EVP_PKEY *pkey = X509_get_pubkey(cert);
    if (!pkey)
        return crypt_err(ERR_UNTRUSTED, "public key of the certificate");
    TRY_CTX(crypt_key_wrap(ret, pkey, false), "public key of the certificate");
    return NULL;
}

static struct err *must_be_here(const struct key *k)
{
    return k->has_private && !k->remote ? NULL : err_new(ERR_USAGE, "only the public half of the key is here");
}

struct err *key_private_pem(struct buf *out, const struct key *k)
{
    TRY(must_be_here(k));
    OWN_BIO BIO *bio = NULL;
    TRY(crypt_bio_new(&bio));
    if (PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1)
        return crypt_err(ERR_FAILED, "write the private key");
    return crypt_bio_take(out, bio);
}

/* PBKDF2 with HMAC-SHA-256. The library's own PEM writer would take 2048 rounds, which a guesser does not feel. */
enum { PBKDF2_ROUNDS = 600000 };

static X509_SIG *encrypt(const struct key *k, const char *passphrase)
{
    PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(k->pkey);
    X509_SIG *sealed =
        plain ? PKCS8_encrypt(-1, EVP_aes_256_cbc(), passphrase, (int)strlen(passphrase), NULL, 0, PBKDF2_ROUNDS, plain)
              : NULL;
    PKCS8_PRIV_KEY_INFO_free(plain);
    return sealed;
}

struct err *key_private_pem_protected(struct buf *out, const struct key *k, const char *passphrase)
{
    size_t n = strlen(passphrase);
    OWN_BIO BIO *bio = NULL;
    if (n == 0 || n > PASSPHRASE_MAX)
        return err_new(ERR_USAGE, "a passphrase has 1 to %d bytes", PASSPHRASE_MAX);
    TRY(must_be_here(k));
    TRY(crypt_bio_new(&bio));
    X509_SIG *sealed = encrypt(k, passphrase);
    bool good = sealed && PEM_write_bio_PKCS8(bio, sealed) == 1;
    X509_SIG_free(sealed);
    return good ? crypt_bio_take(out, bio) : crypt_err(ERR_FAILED, "encrypt the private key");
}

struct err *key_public_pem(struct buf *out, const struct key *k)
{
    OWN_BIO BIO *bio = NULL;
    TRY(crypt_bio_new(&bio));
    if (PEM_write_bio_PUBKEY(bio, k->pkey) != 1)
        return crypt_err(ERR_FAILED, "write the public key");
    return crypt_bio_take(out, bio);
}

struct err *crypt_key_id(char ret[DIGEST_HEX], const EVP_PKEY *pkey)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(pkey, &der);
    if (n <= 0)
        return crypt_err(ERR_FAILED, "encode the public key");
    struct err *e = digest_hex(ret, der, (size_t)n);
    OPENSSL_free(der);
    return e;
}

struct err *key_id(char ret[DIGEST_HEX], const struct key *k)
{
    return crypt_key_id(ret, k->pkey);
}

bool key_has_private(const struct key *k)
{
    return k->has_private;
}

void key_free(struct key *k)
{
    if (!k)
        return;
    if (k->remote)
        k->remote->close(k->remote);
    EVP_PKEY_free(k->pkey);
    free(k);
}
