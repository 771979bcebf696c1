/*
 * libFuzzer target: the whole file, header to end mark. The input is a list of changes to a good bundle: 4 bytes place,
 * 1 byte kind and count, then bytes. Whatever is not the good bundle itself must be refused as untrusted, or be a delta
 * of it.
 */
#include "bundle/format.h"
#include "crypt/digest.h"
#include "forge.h"
#include "memory.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* ---- what crypt/ said of keys and signatures before: most inputs have the good bundle's ---- */

struct err *__wrap_key_public_from_pem(struct key **ret, const char *pem, size_t len);
struct err *__real_key_public_from_pem(struct key **ret, const char *pem, size_t len);
struct err *__wrap_key_id(char ret[DIGEST_HEX], const struct key *k);
struct err *__real_key_id(char ret[DIGEST_HEX], const struct key *k);
struct err *__wrap_key_public_pem(struct buf *out, const struct key *k);
struct err *__real_key_public_pem(struct buf *out, const struct key *k);
struct err *__wrap_key_verify(const struct key *k, const void *sig, size_t sig_len, const void *msg, size_t n);
struct err *__real_key_verify(const struct key *k, const void *sig, size_t sig_len, const void *msg, size_t n);
void __wrap_key_free(struct key *k);
void __real_key_free(struct key *k);

enum { MEMORY = 16 };

struct known {
    char asked[256]; /* what it was read from */
    struct key *key; /* given to whoever asks, for the life of the process */
    struct buf pem;
    char id[DIGEST_HEX];
};
static struct known keys[MEMORY];
static char verified[MEMORY][DIGEST_HEX]; /* by key, message and signature */
static size_t n_keys, n_verified;

static struct known *find_known(const struct key *k)
{
    for (size_t i = 0; i < n_keys; i++)
        if (keys[i].key == k)
            return &keys[i];
    return NULL;
}

struct err *__wrap_key_public_from_pem(struct key **ret, const char *pem, size_t len)
{
    for (size_t i = 0; i < n_keys; i++)
        if (strlen(keys[i].asked) == len && memcmp(keys[i].asked, pem, len) == 0) {
            *ret = keys[i].key;
            return NULL;
        }
    TRY(__real_key_public_from_pem(ret, pem, len));
    if (n_keys == MEMORY || len >= sizeof keys->asked)
        return NULL;
    struct known *new = &keys[n_keys++];
    memcpy(new->asked, pem, len);
    new->key = *ret;
    OK(__real_key_id(new->id, *ret));
    OK(__real_key_public_pem(&new->pem, *ret));
    return NULL;
}

struct err *__wrap_key_id(char ret[DIGEST_HEX], const struct key *k)
{
    const struct known *known = find_known(k);
    if (!known)
        return __real_key_id(ret, k);
    memcpy(ret, known->id, DIGEST_HEX);
    return NULL;
}

struct err *__wrap_key_public_pem(struct buf *out, const struct key *k)
{
    const struct known *known = find_known(k);
    return known ? buf_add(out, known->pem.at, known->pem.len) : __real_key_public_pem(out, k);
}

void __wrap_key_free(struct key *k)
{
    if (!find_known(k))
        __real_key_free(k);
}

static void name_question(char ret[DIGEST_HEX], const struct key *k, const void *sig, size_t sig_len, const void *msg,
                          size_t n)
{
    OWN_SHA256 struct sha256 *hash = NULL;
    OK(sha256_new(&hash));
    OK(sha256_add(hash, &k, sizeof k));
    OK(sha256_add(hash, &sig_len, sizeof sig_len));
    OK(sha256_add(hash, sig, sig_len));
    OK(sha256_add(hash, msg, n));
    OK(sha256_hex(hash, ret));
}

struct err *__wrap_key_verify(const struct key *k, const void *sig, size_t sig_len, const void *msg, size_t n)
{
    char name[DIGEST_HEX];
    name_question(name, k, sig, sig_len, msg, n);
    for (size_t i = 0; i < n_verified; i++)
        if (memcmp(verified[i], name, sizeof name) == 0)
            return NULL;
    TRY(__real_key_verify(k, sig, sig_len, msg, n));
    if (n_verified < MEMORY)
        memcpy(verified[n_verified++], name, sizeof name);
    return NULL;
}

/* ---- the target ---- */

enum change { OVERWRITE, OVERWRITE_HEADER, CUT, APPEND };

static struct forge *good; /* one for the life of the process */

/* Every byte of it counts: its second root document has another root key, or it could do without the first one. */
static void good_make(void)
{
    OWN_KEY struct key *next = NULL;
    OK(key_new_ed25519(&next));
    good = forge_new();
    struct doc *second = forge_next_root(good, (struct forge_more){{good->key, next}});
    forge_role(second, "root", 1, (const struct key *const[]){next, NULL});
    forge_seal(good);
    forge_write(good);
}

/* A fuzzer need not guess checksums. */
static void mend_checksum(unsigned char *block)
{
    unsigned sum = 0;
    memset(block + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += block[i];
    for (int i = 5; i >= 0; i--, sum >>= 3)
        block[148 + i] = (unsigned char)('0' + (sum & 7));
    block[154] = '\0';
}

static void overwrite(struct buf *file, size_t at, const uint8_t *p, size_t n, bool header)
{
    n = n < file->len - at ? n : file->len - at;
    memcpy(file->at + at, p, n);
    if (header && at / 512 * 512 + 512 <= file->len)
        mend_checksum((unsigned char *)file->at + at / 512 * 512);
}

/* The good file with the input's changes. */
static void changed(struct buf *file, const uint8_t *p, size_t n)
{
    OK(buf_add(file, good->file.at, good->file.len));
    while (n >= 5 && file->len) {
        size_t at = ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]) % file->len;
        enum change change = p[4] >> 6;
        size_t count = p[4] & 63u;
        p += 5;
        n -= 5;
        count = count < n ? count : n;
        if (change == CUT)
            file->len = at;
        else if (change == APPEND)
            OK(buf_add(file, p, count));
        else
            overwrite(file, at, p, count, change == OVERWRITE_HEADER);
        p += count;
        n -= count;
    }
}

static struct err *check(const struct buf *file, bool take_delta)
{
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = good->pub_path;
    TRY(bundle_open_source(&b, memory_source(file->at, file->len), take_delta, &trust, 1));
    return bundle_verify(b, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    OWN_BUF struct buf file = {0};
    if (!good)
        good_make();
    changed(&file, p, n);
    bool same = file.len == good->file.len && memcmp(file.at, good->file.at, file.len) == 0;
    bool delta = memmem(buf_text(&file), file.len < 2048 ? file.len : 2048, FORMAT_DELTA, strlen(FORMAT_DELTA)) != NULL;
    struct err *e = check(&file, delta);
    if (e ? same || err_kind(e) != ERR_UNTRUSTED : !same && !delta)
        abort();
    err_free(e);
    return 0;
}
