/* openssl: what the files of this room share about the library. Private to crypt/. */
#pragma once
#include "base/err.h"
#include "base/own.h"
#include "crypt/key.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define CRYPT_TEXT_MAX (64 << 20) /* most bytes of PEM or DER that are looked at */

/* A private key that is somewhere else: the first thing in a struct of whoever reaches it. */
struct crypt_remote {
    struct err *(*sign)(struct crypt_remote *r, struct buf *out, const void *msg, size_t n);
    void (*close)(struct crypt_remote *r);
};

struct key {
    EVP_PKEY *pkey;
    bool has_private;
    struct crypt_remote *remote; /* NULL: `pkey` is the whole key, else its public half */
};

/* Sets the library up once, without reading a configuration file: a machine's openssl.cnf changes nothing
 * here. */
struct err *crypt_ready(void) ERR_MUST;
/* An error with the library's oldest queued reason behind the text; empties the queue. */
struct err *crypt_err(enum err_kind kind, const char *fmt, ...) ERR_MUST __attribute__((format(printf, 2, 3)));
/* Refuses (ERR_UNTRUSTED) every type, curve and size that key.h does not name, and keys that are wrong in
 * themselves. */
struct err *crypt_key_check(EVP_PKEY *pkey, bool has_private) ERR_MUST;
/* SHA-256 of the SubjectPublicKeyInfo. */
struct err *crypt_key_id(char ret[DIGEST_HEX], const EVP_PKEY *pkey) ERR_MUST;
/* Wraps `pkey` (ownership passes, also on error). */
struct err *crypt_key_wrap(struct key **ret, EVP_PKEY *pkey, bool has_private) ERR_MUST;
/* A password callback that has none: without it the library would ask at the terminal. */
int crypt_no_passphrase(char *room, int size, int writing, void *arg);
/* A BIO over borrowed bytes, ERR_USAGE above CRYPT_TEXT_MAX; an empty memory BIO, wiped when it is freed. */
struct err *crypt_bio_read(BIO **ret, const void *p, size_t n) ERR_MUST;
struct err *crypt_bio_new(BIO **ret) ERR_MUST;
/* The first certificate in `pem`. ERR_UNTRUSTED. */
struct err *crypt_cert_read(X509 **ret, const char *pem) ERR_MUST;
/* Appends what a memory BIO holds. */
struct err *crypt_bio_take(struct buf *out, BIO *bio) ERR_MUST;
/* Digest to sign with: SHA-256, or NULL for Ed25519. */
const EVP_MD *crypt_sign_md(const EVP_PKEY *pkey);

#define CRYPT_FREE(type, fn, name)                                                                                     \
    static inline void name(type *const *p)                                                                            \
    {                                                                                                                  \
        fn(*p);                                                                                                        \
    }

CRYPT_FREE(BIO, BIO_free_all, own_bio)
CRYPT_FREE(EVP_PKEY, EVP_PKEY_free, own_pkey)
CRYPT_FREE(X509, X509_free, own_x509)
CRYPT_FREE(EVP_MD_CTX, EVP_MD_CTX_free, own_md_ctx)

#define OWN_BIO OWN(own_bio)
#define OWN_PKEY OWN(own_pkey)
#define OWN_X509 OWN(own_x509)
