#include "crypt/vault.h"

#include "base/clock.h"
#include "base/file.h"
#include "crypt/x509_build.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h> /* before cms.h, which declares its PEM functions only then */
#include <openssl/cms.h>
#include <openssl/rsa.h>
#include <string.h>

#define KEY_NAME "operator.key"
#define CERT_NAME "operator.crt"

/* 9999-12-31 23:59:59: "no well-defined expiration" of RFC 5280, 4.1.2.5. */
#define TIME_FOREVER INT64_C(253402300799)

enum { TAG_BYTES = 16 };

CRYPT_FREE(CMS_ContentInfo, CMS_ContentInfo_free, own_cms)

/* ---- key pair ---- */

static struct err *cert_for(struct buf *pem, const struct key *k)
{
    struct cert_spec spec = {.cn = "caisson operator", .not_before = clock_wall_s(), .not_after = TIME_FOREVER};
    OWN_X509 X509 *cert = NULL;
    TRY(cert_begin(&cert, &spec, k->pkey, NULL));
    TRY(cert_add_basic(cert, false, -1));
    TRY(cert_add_usage(cert, 1U << USE_AGREEMENT));
    return cert_finish(pem, cert, k->pkey);
}

/* Writes a file that is not there yet, whole or not at all: link() never replaces. */
static struct err *file_create(int dirfd, const char *name, const struct buf *text, mode_t mode)
{
    char part[64];
    (void)snprintf(part, sizeof part, "%s.part", name);
    TRY(file_replace(dirfd, part, buf_text(text), text->len, mode));
    int sys = linkat(dirfd, part, dirfd, name, 0) < 0 ? errno : 0;
    (void)unlinkat(dirfd, part, 0); /* a leftover is replaced next time */
    if (sys)
        return err_as(err_os(sys, "create %s", name), sys == EEXIST ? ERR_REFUSED : ERR_FAILED);
    return file_sync_parent(dirfd, name);
}

static struct err *pair_absent(int dirfd)
{
    const char *there = file_exists(dirfd, KEY_NAME) ? KEY_NAME : file_exists(dirfd, CERT_NAME) ? CERT_NAME : NULL;
    if (!there)
        return NULL;
    return err_hint(err_new(ERR_REFUSED, "%s is there already", there),
                    "keys are never overwritten; a lost operator.key loses every vault sealed to it");
}

struct err *vault_key_create(const char *dir, const char *passphrase)
{
    OWN_KEY struct key *k = NULL;
    OWN_SECRET_BUF struct buf key_pem = {0};
    OWN_BUF struct buf cert_pem = {0};
    OWN_FD int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return err_os(errno, "open %s", dir);
    TRY_CTX(pair_absent(dirfd), "%s", dir);
    TRY(key_new_ec(&k));
    TRY(passphrase ? key_private_pem_protected(&key_pem, k, passphrase) : key_private_pem(&key_pem, k));
    TRY(cert_for(&cert_pem, k));
    /* The certificate first: alone it is of no use, but a key without it would look complete. */
    TRY_CTX(file_create(dirfd, CERT_NAME, &cert_pem, 0644), "%s", dir);
    struct err *e = file_create(dirfd, KEY_NAME, &key_pem, 0600);
    if (e)
        (void)unlinkat(dirfd, CERT_NAME, 0); /* ours: it was not there a moment ago */
    return err_wrap(e, "%s", dir);
}

/* ---- seal ---- */

/* SHA-256 in both ways a content key travels; the library's defaults are SHA-1 (ECDH) and PKCS#1 v1.5 (RSA).
 */
static bool recipient_tune(CMS_RecipientInfo *ri)
{
    EVP_PKEY_CTX *ctx = CMS_RecipientInfo_get0_pkey_ctx(ri);
    if (!ctx)
        return false;
    if (CMS_RecipientInfo_type(ri) == CMS_RECIPINFO_AGREE)
        return EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) == 1;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0;
}

static struct err *recipient_add(CMS_ContentInfo *cms, const char *cert_pem)
{
    OWN_X509 X509 *cert = NULL;
    TRY_CTX(err_as(crypt_cert_read(&cert, cert_pem), ERR_USAGE), "recipient");
    OWN_PKEY EVP_PKEY *pkey = X509_get_pubkey(cert);
    if (!pkey)
        return crypt_err(ERR_USAGE, "recipient: key of the certificate");
    TRY_CTX(err_as(crypt_key_check(pkey, false), ERR_USAGE), "recipient");
    if (EVP_PKEY_is_a(pkey, "ED25519"))
        return err_new(ERR_USAGE, "recipient: an Ed25519 key only signs; P-256 or RSA is needed");
    CMS_RecipientInfo *ri = CMS_add1_recipient_cert(cms, cert, CMS_KEY_PARAM);
    if (!ri || !recipient_tune(ri))
        return crypt_err(ERR_USAGE, "recipient");
    return NULL;
}

struct err *vault_seal(struct buf *out, const void *plain, size_t n, const char *const recipients[],
                       size_t n_recipients)
{
    OWN_BIO BIO *in = NULL, *pem = NULL;
    TRY_CTX(crypt_bio_read(&in, plain, n), "vault");
    TRY(crypt_bio_new(&pem));
    if (n_recipients == 0)
        return err_new(ERR_USAGE, "a vault needs a recipient");
    OWN(own_cms) CMS_ContentInfo *cms = CMS_encrypt(NULL, in, EVP_aes_256_gcm(), CMS_PARTIAL | CMS_BINARY);
    if (!cms)
        return crypt_err(ERR_FAILED, "vault");
    for (size_t i = 0; i < n_recipients; i++)
        TRY(recipient_add(cms, recipients[i]));
    if (CMS_final(cms, in, NULL, CMS_BINARY) != 1 || PEM_write_bio_CMS(pem, cms) != 1)
        return crypt_err(ERR_FAILED, "seal the vault");
    return crypt_bio_take(out, pem);
}

/* ---- open ---- */

/* One DER value at *at: tag and content; *at moves behind the header. False when it does not fit before
 * `end`. */
struct der {
    const unsigned char *at;
    long len;
    int tag, class;
};

static bool der_next(struct der *ret, const unsigned char **at, const unsigned char *end)
{
    int form = *at < end ? ASN1_get_object(at, &ret->len, &ret->tag, &ret->class, end - *at) : 0x80;
    if (form & 0x81) /* an error, or an indefinite length */
        return false;
    ret->at = *at;
    *at += ret->len;
    return true;
}

static bool der_is(const struct der *d, int class, int tag)
{
    return d->class == class && d->tag == tag;
}

/* Finds the next child with this class and tag behind *at. */
static bool der_find(struct der *ret, const unsigned char **at, const unsigned char *end, int class, int tag)
{
    while (der_next(ret, at, end))
        if (der_is(ret, class, tag))
            return true;
    return false;
}

/* The algorithm inside EncryptedContentInfo ::= SEQUENCE { type OID, algorithm SEQUENCE { OID, ... }, ... }.
 */
static bool algorithm_is_gcm(const struct der *content)
{
    static const unsigned char aes256_gcm[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2e};
    const unsigned char *at = content->at, *end = at + content->len;
    struct der d;
    if (!der_find(&d, &at, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE))
        return false;
    at = d.at;
    return der_next(&d, &at, d.at + d.len) && der_is(&d, V_ASN1_UNIVERSAL, V_ASN1_OBJECT) &&
           d.len == (long)sizeof aes256_gcm && memcmp(d.at, aes256_gcm, sizeof aes256_gcm) == 0;
}

/*
 * The library takes a tag of any length from the message, and a tag cut to one byte can be guessed; so the
 * structure is looked at here: ContentInfo { OID, [0] { AuthEnvelopedData { version, ..., recipients SET,
 * EncryptedContentInfo SEQUENCE, ..., tag OCTET STRING, ... } } }.
 */
static bool form_is_ours(const unsigned char *der, long len)
{
    const unsigned char *at = der, *end = der + len;
    struct der d;
    if (!der_find(&d, &at, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE))
        return false;
    at = d.at;
    if (!der_find(&d, &at, d.at + d.len, V_ASN1_CONTEXT_SPECIFIC, 0))
        return false;
    at = d.at;
    if (!der_find(&d, &at, d.at + d.len, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE))
        return false;
    at = d.at;
    end = d.at + d.len;
    if (!der_find(&d, &at, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE) || !algorithm_is_gcm(&d))
        return false;
    return der_find(&d, &at, end, V_ASN1_UNIVERSAL, V_ASN1_OCTET_STRING) && d.len == TAG_BYTES;
}

static struct err *cms_read(CMS_ContentInfo **ret, const void *sealed, size_t n)
{
    OWN_BIO BIO *bio = NULL;
    TRY_CTX(crypt_bio_read(&bio, sealed, n), "vault");
    OWN(own_cms) CMS_ContentInfo *cms = PEM_read_bio_CMS(bio, NULL, crypt_no_passphrase, NULL);
    if (!cms)
        return crypt_err(ERR_UNTRUSTED, "vault cannot be read");
    if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_id_smime_ct_authEnvelopedData)
        return err_new(ERR_UNTRUSTED, "vault is not authenticated encryption");
    unsigned char *der = NULL;
    int len = i2d_CMS_ContentInfo(cms, &der);
    bool good = len > 0 && form_is_ours(der, len);
    OPENSSL_free(der);
    if (!good)
        return crypt_err(ERR_UNTRUSTED, "vault is not AES-256-GCM with a full tag");
    *ret = TAKE(cms);
    return NULL;
}

struct err *vault_open(struct buf *out, const void *sealed, size_t n, const char *key_pem, const char *cert_pem,
                       const char *passphrase)
{
    OWN(own_cms) CMS_ContentInfo *cms = NULL;
    OWN_KEY struct key *k = NULL;
    OWN_X509 X509 *cert = NULL;
    OWN_BIO BIO *plain = NULL;
    TRY_CTX(err_as(key_from_pem(&k, key_pem, strlen(key_pem), passphrase), ERR_USAGE), "operator key");
    TRY_CTX(err_as(crypt_cert_read(&cert, cert_pem), ERR_USAGE), "operator certificate");
    if (X509_check_private_key(cert, k->pkey) != 1)
        return crypt_err(ERR_USAGE, "operator key and certificate do not belong together");
    TRY(cms_read(&cms, sealed, n));
    TRY(crypt_bio_new(&plain));
    if (CMS_decrypt(cms, k->pkey, cert, NULL, plain, CMS_BINARY) != 1)
        return crypt_err(ERR_UNTRUSTED, "vault was changed or is for other keys");
    return crypt_bio_take(out, plain);
}
