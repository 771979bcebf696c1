/* Signatures of key.h: what may be signed and what counts as a signature. */
#include "crypt/openssl.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <string.h>

enum { ED25519_SIG = 64 };

CRYPT_FREE(ECDSA_SIG, ECDSA_SIG_free, own_ecdsa_sig)
CRYPT_FREE(BIGNUM, BN_free, own_bn)

/* What comes from outside is believed when it holds: a key and a public half that are no pair show here, and faults. */
static struct err *sign_remote(struct buf *out, const struct key *k, const void *msg, size_t n)
{
    OWN_BUF struct buf sig = {0};
    TRY(k->remote->sign(k->remote, &sig, msg, n));
    struct err *e = key_verify(k, sig.at, sig.len, msg, n);
    if (e)
        return err_as(err_wrap(e, "the signature does not fit the public half of the key"), ERR_FAILED);
    return buf_add(out, sig.at, sig.len);
}

struct err *key_sign(struct buf *out, const struct key *k, const void *msg, size_t n)
{
    TRY(crypt_ready());
    if (!k->has_private || EVP_PKEY_is_a(k->pkey, "RSA"))
        return err_new(ERR_USAGE, k->has_private ? "RSA keys do not sign here" : "a public key cannot sign");
    if (k->remote)
        return sign_remote(out, k, msg, n);
    OWN(own_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char sig[KEY_SIG_MAX];
    size_t len = sizeof sig;
    if (!ctx || EVP_DigestSignInit(ctx, NULL, crypt_sign_md(k->pkey), NULL, k->pkey) != 1 ||
        EVP_DigestSign(ctx, sig, &len, msg, n) != 1)
        return crypt_err(ERR_FAILED, "sign");
    return buf_add(out, sig, len);
}

static bool in_range(const BIGNUM *v, const BIGNUM *order)
{
    return !BN_is_negative(v) && !BN_is_zero(v) && BN_cmp(v, order) < 0;
}

/* True when `sig` is byte for byte what DER makes of its two numbers. */
static bool der_is_strict(const ECDSA_SIG *parsed, const unsigned char *sig, size_t len)
{
    unsigned char again[KEY_SIG_MAX + 8], *at = again;
    int n = i2d_ECDSA_SIG(parsed, NULL);
    if (n <= 0 || (size_t)n > sizeof again || (size_t)n != len)
        return false;
    return i2d_ECDSA_SIG(parsed, &at) == n && memcmp(again, sig, len) == 0;
}

static struct err *ecdsa_check(const struct key *k, const unsigned char *sig, size_t len)
{
    const unsigned char *at = sig;
    OWN(own_ecdsa_sig) ECDSA_SIG *parsed = len <= KEY_SIG_MAX ? d2i_ECDSA_SIG(NULL, &at, (long)len) : NULL;
    if (!parsed || !der_is_strict(parsed, sig, len))
        return crypt_err(ERR_UNTRUSTED, "signature is not strict DER");
    OWN(own_bn) BIGNUM *order = NULL;
    if (EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_EC_ORDER, &order) != 1)
        return crypt_err(ERR_FAILED, "order of the curve");
    if (!in_range(ECDSA_SIG_get0_r(parsed), order) || !in_range(ECDSA_SIG_get0_s(parsed), order))
        return err_new(ERR_UNTRUSTED, "signature number out of range");
    return NULL;
}

static struct err *form_check(const struct key *k, const void *sig, size_t len)
{
    if (EVP_PKEY_is_a(k->pkey, "EC"))
        return ecdsa_check(k, sig, len);
    if (!EVP_PKEY_is_a(k->pkey, "ED25519"))
        return err_new(ERR_UNTRUSTED, "RSA signatures are not accepted");
    return len == ED25519_SIG ? NULL : err_new(ERR_UNTRUSTED, "signature of %zu bytes", len);
}

struct err *key_verify(const struct key *k, const void *sig, size_t sig_len, const void *msg, size_t n)
{
    TRY(crypt_ready());
    TRY(form_check(k, sig, sig_len));
    OWN(own_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestVerifyInit(ctx, NULL, crypt_sign_md(k->pkey), NULL, k->pkey) != 1)
        return crypt_err(ERR_FAILED, "verify a signature");
    if (EVP_DigestVerify(ctx, sig, sig_len, msg, n) != 1)
        return crypt_err(ERR_UNTRUSTED, "signature does not match");
    return NULL;
}
