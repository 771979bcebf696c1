#include "crypt/openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <string.h>

struct err *crypt_ready(void)
{
    /* The library keeps its own once-flag: a second call is a few instructions. */
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        return err_new(ERR_FAILED, "the cryptographic library does not start");
    ERR_clear_error();
    return NULL;
}

static const char *reason_text(char *room, size_t n)
{
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (!code)
        return NULL;
    if (ERR_SYSTEM_ERROR(code))
        return strerror_r(ERR_GET_REASON(code), room, n);
    const char *why = ERR_reason_error_string(code);
    return why ? why : ERR_lib_error_string(code);
}

struct err *crypt_err(enum err_kind kind, const char *fmt, ...)
{
    va_list ap;
    char *what = NULL;
    va_start(ap, fmt);
    if (vasprintf(&what, fmt, ap) < 0)
        what = NULL;
    va_end(ap);
    char room[128];
    const char *why = reason_text(room, sizeof room);
    struct err *e = err_new(kind, "%s%s%s", what ? what : "", why ? ": " : "", why ? why : "");
    free(what);
    return e;
}

int crypt_no_passphrase(char *room, int size, int writing, void *arg)
{
    (void)room;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

struct err *crypt_bio_read(BIO **ret, const void *p, size_t n)
{
    TRY(crypt_ready());
    if (n > CRYPT_TEXT_MAX)
        return err_new(ERR_USAGE, "more than %d bytes", CRYPT_TEXT_MAX);
    *ret = BIO_new_mem_buf(p, (int)n);
    return *ret ? NULL : crypt_err(ERR_FAILED, "memory for %zu bytes", n);
}

struct err *crypt_bio_new(BIO **ret)
{
    TRY(crypt_ready());
    *ret = BIO_new(BIO_s_mem());
    return *ret ? NULL : crypt_err(ERR_FAILED, "memory");
}

struct err *crypt_bio_take(struct buf *out, BIO *bio)
{
    char *at = NULL;
    long n = BIO_get_mem_data(bio, &at);
    if (n < 0)
        return crypt_err(ERR_FAILED, "memory");
    return buf_add(out, at, (size_t)n);
}

struct err *crypt_cert_read(X509 **ret, const char *pem)
{
    OWN_BIO BIO *bio = NULL;
    TRY_CTX(crypt_bio_read(&bio, pem, strlen(pem)), "certificate");
    *ret = PEM_read_bio_X509(bio, NULL, crypt_no_passphrase, NULL);
    return *ret ? NULL : crypt_err(ERR_UNTRUSTED, "certificate cannot be read");
}

const EVP_MD *crypt_sign_md(const EVP_PKEY *pkey)
{
    return EVP_PKEY_is_a(pkey, "ED25519") ? NULL : EVP_sha256();
}
