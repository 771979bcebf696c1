#include "crypt/x509.h"

#include "base/str.h"
#include "crypt/x509_build.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

CRYPT_FREE(X509_STORE, X509_STORE_free, own_store)
CRYPT_FREE(X509_STORE_CTX, X509_STORE_CTX_free, own_store_ctx)

/* ---- requests ---- */

struct err *csr_make(struct buf *pem, const struct key *k, const char *cn)
{
    OWN_BIO BIO *bio = NULL;
    TRY(crypt_bio_new(&bio));
    if (!k->has_private)
        return err_new(ERR_USAGE, "a public key cannot sign a request");
    OWN(own_x509_req) X509_REQ *req = X509_REQ_new();
    if (!req)
        return crypt_err(ERR_FAILED, "certificate request");
    TRY(cert_name(X509_REQ_get_subject_name(req), NULL, 0, cn));
    if (X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 || X509_REQ_set_pubkey(req, k->pkey) != 1 ||
        X509_REQ_sign(req, k->pkey, crypt_sign_md(k->pkey)) <= 0 || PEM_write_bio_X509_REQ(bio, req) != 1)
        return crypt_err(ERR_FAILED, "certificate request");
    return crypt_bio_take(pem, bio);
}

/* The key of a request whose sender has proved to hold the private half. */
static struct err *csr_key(struct key **ret, const char *csr_pem)
{
    OWN_BIO BIO *bio = NULL;
    TRY_CTX(crypt_bio_read(&bio, csr_pem, strlen(csr_pem)), "certificate request");
    OWN(own_x509_req) X509_REQ *req = PEM_read_bio_X509_REQ(bio, NULL, crypt_no_passphrase, NULL);
    if (!req)
        return crypt_err(ERR_UNTRUSTED, "certificate request cannot be read");
    OWN_PKEY EVP_PKEY *pkey = X509_REQ_get_pubkey(req);
    if (!pkey)
        return crypt_err(ERR_UNTRUSTED, "key of the certificate request");
    TRY_CTX(crypt_key_check(pkey, false), "certificate request");
    if (X509_REQ_verify(req, pkey) != 1)
        return crypt_err(ERR_UNTRUSTED, "certificate request: no proof of possession");
    return crypt_key_wrap(ret, TAKE(pkey), false);
}

/* ---- times ---- */

static struct err *time_read(int64_t *ret, const ASN1_TIME *t)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return crypt_err(ERR_UNTRUSTED, "date of a certificate");
    *ret = (int64_t)timegm(&tm);
    return NULL;
}

/* ---- issue ---- */

struct err *ca_create(struct buf *cert_pem, const struct key *k, const char *cn, int64_t not_before, int64_t not_after)
{
    TRY(crypt_ready());
    if (!k->has_private)
        return err_new(ERR_USAGE, "a public key cannot sign a certificate");
    struct cert_spec spec = {.cn = cn, .ca = true, .not_before = not_before, .not_after = not_after};
    OWN_X509 X509 *cert = NULL;
    TRY(cert_begin(&cert, &spec, k->pkey, NULL));
    TRY(cert_add_basic(cert, true, 1));
    TRY(cert_add_usage(cert, 1U << USE_CERT_SIGN | 1U << USE_CRL_SIGN));
    return cert_finish(cert_pem, cert, k->pkey);
}

static struct err *spec_check(const struct cert_spec *spec)
{
    bool leaf_parts = spec->server || spec->client || spec->n_dns || spec->n_ips;
    if (spec->ca && leaf_parts)
        return err_new(ERR_USAGE, "an authority has no usages and no subject alternative names");
    if (!spec->ca && !spec->server && !spec->client)
        return err_new(ERR_USAGE, "a certificate must be for servers or clients");
    return NULL;
}

static struct err *issuer_check(X509 *ca, const struct key *ca_key, const struct cert_spec *spec)
{
    if (X509_check_ca(ca) != 1)
        return crypt_err(ERR_UNTRUSTED, "the issuer is no certificate authority");
    if (spec->ca && X509_get_pathlen(ca) == 0)
        return err_new(ERR_UNTRUSTED, "the issuer may not have authorities below it");
    if (!ca_key->has_private || X509_check_private_key(ca, ca_key->pkey) != 1)
        return crypt_err(ERR_UNTRUSTED, "the authority's key is not the one of its certificate");
    int64_t end = 0;
    TRY(time_read(&end, X509_get0_notAfter(ca)));
    if (spec->not_after > end)
        return err_new(ERR_REFUSED, "the certificate would outlive its authority");
    return NULL;
}

static unsigned usage_of(const struct cert_spec *spec, const EVP_PKEY *pkey)
{
    if (spec->ca)
        return 1U << USE_CERT_SIGN | 1U << USE_CRL_SIGN;
    return 1U << USE_SIGNATURE | (EVP_PKEY_is_a(pkey, "RSA") ? 1U << USE_ENCIPHER : 0U);
}

struct err *cert_issue_for_key(struct buf *cert_pem, const struct cert_spec *spec, const struct key *subject_key,
                               const char *ca_cert_pem, const struct key *ca_key)
{
    TRY(crypt_ready());
    OWN_X509 X509 *ca = NULL, *cert = NULL;
    TRY(spec_check(spec));
    TRY_CTX(crypt_cert_read(&ca, ca_cert_pem), "authority");
    TRY(issuer_check(ca, ca_key, spec));
    TRY(cert_begin(&cert, spec, subject_key->pkey, ca));
    TRY(cert_add_basic(cert, spec->ca, spec->ca ? 0 : -1));
    TRY(cert_add_usage(cert, usage_of(spec, subject_key->pkey)));
    if (!spec->ca)
        TRY(cert_add_leaf(cert, spec));
    return cert_finish(cert_pem, cert, ca_key->pkey);
}

struct err *cert_issue(struct buf *cert_pem, const struct cert_spec *spec, const char *csr_pem, const char *ca_cert_pem,
                       const struct key *ca_key)
{
    OWN_KEY struct key *subject_key = NULL;
    TRY(csr_key(&subject_key, csr_pem));
    return cert_issue_for_key(cert_pem, spec, subject_key, ca_cert_pem, ca_key);
}

/* ---- read ---- */

static struct err *serial_read(char *ret, size_t room, X509 *cert)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    unsigned char at[31];
    bool good = n && !BN_is_negative(n) && BN_num_bytes(n) <= (int)sizeof at && room > 2 * sizeof at;
    int len = good ? BN_bn2bin(n, at) : 0;
    BN_free(n);
    if (!good)
        return crypt_err(ERR_UNTRUSTED, "serial number of the certificate");
    str_hex(ret, at, (size_t)len);
    return NULL;
}

static struct err *fingerprint_read(char ret[DIGEST_HEX], X509 *cert)
{
    unsigned char *der = NULL;
    int n = i2d_X509(cert, &der);
    if (n <= 0)
        return crypt_err(ERR_FAILED, "encode the certificate");
    struct err *e = digest_hex(ret, der, (size_t)n);
    OPENSSL_free(der);
    return e;
}

/* The last CN of the subject as UTF-8; left empty when there is none or it holds a NUL. */
static void cn_read(char *ret, size_t room, const X509 *cert)
{
    const X509_NAME *name = X509_get_subject_name(cert);
    int last = -1;
    for (int i; (i = X509_NAME_get_index_by_NID(name, NID_commonName, last)) >= 0;)
        last = i;
    unsigned char *text = NULL;
    int n = last < 0 ? -1 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
    if (n > 0 && strlen((const char *)text) == (size_t)n)
        (void)snprintf(ret, room, "%s", (const char *)text);
    OPENSSL_free(text);
}

struct err *cert_info(const char *pem, struct cert_info *ret)
{
    OWN_X509 X509 *cert = NULL;
    TRY(crypt_cert_read(&cert, pem));
    *ret = (struct cert_info){.ca = X509_check_ca(cert) == 1};
    TRY(time_read(&ret->not_before, X509_get0_notBefore(cert)));
    TRY(time_read(&ret->not_after, X509_get0_notAfter(cert)));
    TRY(serial_read(ret->serial, sizeof ret->serial, cert));
    TRY(fingerprint_read(ret->fingerprint, cert));
    const EVP_PKEY *pkey = X509_get0_pubkey(cert);
    if (!pkey)
        return crypt_err(ERR_UNTRUSTED, "public key of the certificate");
    TRY(crypt_key_id(ret->key_id, pkey));
    cn_read(ret->cn, sizeof ret->cn, cert);
    return NULL;
}

/* ---- check ---- */

static struct err *store_fill(X509_STORE *store, const char *ca_pem)
{
    OWN_BIO BIO *bio = NULL;
    TRY_CTX(crypt_bio_read(&bio, ca_pem, strlen(ca_pem)), "authorities");
    size_t n = 0;
    for (X509 *ca; (ca = PEM_read_bio_X509(bio, NULL, crypt_no_passphrase, NULL)); n++) {
        int added = X509_STORE_add_cert(store, ca);
        X509_free(ca);
        if (added != 1)
            return crypt_err(ERR_FAILED, "authorities");
    }
    return n ? NULL : crypt_err(ERR_UNTRUSTED, "no authority can be read");
}

struct err *cert_check(const char *pem, const char *ca_pem, int64_t at_s)
{
    OWN_X509 X509 *cert = NULL;
    TRY(crypt_cert_read(&cert, pem));
    OWN(own_store) X509_STORE *store = X509_STORE_new();
    OWN(own_store_ctx) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (!store || !ctx)
        return crypt_err(ERR_FAILED, "certificate store");
    TRY(store_fill(store, ca_pem));
    if (X509_STORE_CTX_init(ctx, store, cert, NULL) != 1)
        return crypt_err(ERR_FAILED, "certificate store");
    X509_STORE_CTX_set_time(ctx, 0, (time_t)at_s);
    if (X509_verify_cert(ctx) == 1)
        return NULL;
    const char *why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
    return crypt_err(ERR_UNTRUSTED, "certificate: %s", why);
}
