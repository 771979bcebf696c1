#include "crypt/digest.h"

#include "base/str.h"
#include "crypt/openssl.h"

#include <errno.h>
#include <openssl/rand.h>

enum { SHA256_BYTES = 32, READ_BYTES = 256 << 10 };

struct sha256 {
    EVP_MD_CTX *ctx;
};

struct err *sha256_new(struct sha256 **ret)
{
    TRY(crypt_ready());
    struct sha256 *h = calloc(1, sizeof *h);
    if (!h)
        return err_os(ENOMEM, "start a digest");
    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1) {
        sha256_free(h);
        return crypt_err(ERR_FAILED, "start a digest");
    }
    *ret = h;
    return NULL;
}

struct err *sha256_add(struct sha256 *h, const void *p, size_t n)
{
    return EVP_DigestUpdate(h->ctx, p, n) == 1 ? NULL : crypt_err(ERR_FAILED, "digest");
}

struct err *sha256_hex(struct sha256 *h, char ret[DIGEST_HEX])
{
    unsigned char md[SHA256_BYTES];
    if (EVP_DigestFinal_ex(h->ctx, md, NULL) != 1)
        return crypt_err(ERR_FAILED, "digest");
    str_hex(ret, md, sizeof md);
    return NULL;
}

void sha256_free(struct sha256 *h)
{
    if (h)
        EVP_MD_CTX_free(h->ctx);
    free(h);
}

struct err *digest_hex(char ret[DIGEST_HEX], const void *p, size_t n)
{
    OWN_SHA256 struct sha256 *h = NULL;
    TRY(sha256_new(&h));
    TRY(sha256_add(h, p, n));
    return sha256_hex(h, ret);
}

struct err *digest_fd(char ret[DIGEST_HEX], int fd, uint64_t *ret_size)
{
    OWN_SHA256 struct sha256 *h = NULL;
    TRY(sha256_new(&h));
    OWN_FREE char *chunk = malloc(READ_BYTES);
    if (!chunk)
        return err_os(ENOMEM, "digest");
    uint64_t size = 0;
    for (;;) {
        ssize_t r = read(fd, chunk, READ_BYTES);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_os(errno, "read");
        if (r == 0)
            break;
        TRY(sha256_add(h, chunk, (size_t)r));
        size += (uint64_t)r;
    }
    if (ret_size)
        *ret_size = size;
    return sha256_hex(h, ret);
}

struct err *hmac_hex(char ret[DIGEST_HEX], const void *key, size_t key_len, const void *p, size_t n)
{
    TRY(crypt_ready());
    unsigned char md[SHA256_BYTES];
    size_t len = 0;
    /* an empty key must not be NULL: that would mean "the key of the last call" */
    const void *k = key_len ? key : "";
    if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, k, key_len, p, n, md, sizeof md, &len) || len != sizeof md)
        return crypt_err(ERR_FAILED, "HMAC");
    str_hex(ret, md, sizeof md);
    return NULL;
}

struct err *random_bytes(void *p, size_t n)
{
    TRY(crypt_ready());
    for (unsigned char *at = p; n;) {
        size_t part = n < READ_BYTES ? n : READ_BYTES;
        if (RAND_priv_bytes(at, (int)part) != 1)
            return crypt_err(ERR_FAILED, "random bytes");
        at += part;
        n -= part;
    }
    return NULL;
}
