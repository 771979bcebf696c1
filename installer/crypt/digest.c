#include "crypt/digest.h"

#include "base/str.h"
#include "crypt/openssl.h"

#include <errno.h>
#include <openssl/rand.h>

enum { SHA256_BYTES = 32, READ_BYTES = 256 << 10 };

/* The second half of a pair is one of SHA-512. */
struct sha256 {
    EVP_MD_CTX *ctx;
};

static struct err *start(struct sha256 **ret, const EVP_MD *kind)
{
    TRY(crypt_ready());
    struct sha256 *h = calloc(1, sizeof *h);
    if (!h)
        return err_os(ENOMEM, "start a digest");
    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || EVP_DigestInit_ex(h->ctx, kind, NULL) != 1) {
        sha256_free(h);
        return crypt_err(ERR_FAILED, "start a digest");
    }
    *ret = h;
    return NULL;
}

/* `ret` has room for the digest's kind. */
static struct err *finish(struct sha256 *h, char *ret)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n;
    if (EVP_DigestFinal_ex(h->ctx, md, &n) != 1)
        return crypt_err(ERR_FAILED, "digest");
    str_hex(ret, md, n);
    return NULL;
}

struct err *sha256_new(struct sha256 **ret)
{
    return start(ret, EVP_sha256());
}

struct err *sha256_add(struct sha256 *h, const void *p, size_t n)
{
    return EVP_DigestUpdate(h->ctx, p, n) == 1 ? NULL : crypt_err(ERR_FAILED, "digest");
}

struct err *sha256_hex(struct sha256 *h, char ret[DIGEST_HEX])
{
    return finish(h, ret);
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

typedef struct err *(*chunk_sink)(void *self, const void *p, size_t n);

/* Hands what is left of the file to `sink`, piece by piece. */
static struct err *read_chunks(int fd, uint64_t *ret_size, chunk_sink sink, void *self)
{
    OWN_FREE char *chunk = malloc(READ_BYTES);
    if (!chunk)
        return err_os(ENOMEM, "digest");
    *ret_size = 0;
    for (;;) {
        ssize_t r = read(fd, chunk, READ_BYTES);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_os(errno, "read");
        if (r == 0)
            return NULL;
        TRY(sink(self, chunk, (size_t)r));
        *ret_size += (uint64_t)r;
    }
}

static struct err *add_one(void *self, const void *p, size_t n)
{
    return sha256_add(self, p, n);
}

struct err *digest_fd(char ret[DIGEST_HEX], int fd, uint64_t *ret_size)
{
    OWN_SHA256 struct sha256 *h = NULL;
    uint64_t size = 0;
    TRY(sha256_new(&h));
    TRY(read_chunks(fd, &size, add_one, h));
    if (ret_size)
        *ret_size = size;
    return sha256_hex(h, ret);
}

/* ---- both ---- */

struct pair {
    struct sha256 *one, *two;
};

static void pair_done(struct pair *p)
{
    sha256_free(p->one);
    sha256_free(p->two);
}

static struct err *pair_start(struct pair *p)
{
    TRY(sha256_new(&p->one));
    return start(&p->two, EVP_sha512());
}

static struct err *pair_add(void *self, const void *p, size_t n)
{
    const struct pair *pair = self;
    TRY(sha256_add(pair->one, p, n));
    return sha256_add(pair->two, p, n);
}

static struct err *pair_end(struct digest_pair *ret, const struct pair *p)
{
    TRY(sha256_hex(p->one, ret->sha256));
    return finish(p->two, ret->sha512);
}

struct err *digest_pair(struct digest_pair *ret, const void *p, size_t n)
{
    OWN(pair_done) struct pair pair = {0};
    TRY(pair_start(&pair));
    TRY(pair_add(&pair, p, n));
    ret->size = n;
    return pair_end(ret, &pair);
}

struct err *digest_pair_fd(struct digest_pair *ret, int fd)
{
    OWN(pair_done) struct pair pair = {0};
    TRY(pair_start(&pair));
    TRY(read_chunks(fd, &ret->size, pair_add, &pair));
    return pair_end(ret, &pair);
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
