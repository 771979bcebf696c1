/*
 * digest: SHA-256, SHA-512, HMAC-SHA-256 and random bytes. Digests are 64 lower-case hex digits (str_is_sha256()).
 * Every function may be called from any thread; one struct sha256 belongs to one thread at a time.
 */
#pragma once
#include "base/err.h"
#include "base/own.h"

#include <stddef.h>
#include <stdint.h>

#define DIGEST_HEX 65 /* bytes of a digest in hex with its NUL */
#define DIGEST512_HEX 129

struct sha256;

/* A running digest. ERR_FAILED when the library cannot start. */
struct err *sha256_new(struct sha256 **ret) ERR_MUST;
struct err *sha256_add(struct sha256 *h, const void *p, size_t n) ERR_MUST;
/* Finishes; afterwards only sha256_free() is allowed. */
struct err *sha256_hex(struct sha256 *h, char ret[DIGEST_HEX]) ERR_MUST;
void sha256_free(struct sha256 *h);
OWN_DEFINE(sha256, sha256)
#define OWN_SHA256 OWN(sha256_freep)

/* Digest of `n` bytes. */
struct err *digest_hex(char ret[DIGEST_HEX], const void *p, size_t n) ERR_MUST;
/* Digest of what read() gives from the present position to the end of file; *ret_size (may be NULL): bytes
 * read. */
struct err *digest_fd(char ret[DIGEST_HEX], int fd, uint64_t *ret_size) ERR_MUST;

/* Both digests of the same bytes: bills of materials state the two. */
struct digest_pair {
    char sha256[DIGEST_HEX];
    char sha512[DIGEST512_HEX];
    uint64_t size;
};

/* Of `n` bytes. */
struct err *digest_pair(struct digest_pair *ret, const void *p, size_t n) ERR_MUST;
/* Of what read() gives from the present position to the end of file. */
struct err *digest_pair_fd(struct digest_pair *ret, int fd) ERR_MUST;

/* HMAC-SHA-256 (RFC 2104) of `n` bytes with a key of any length. */
struct err *hmac_hex(char ret[DIGEST_HEX], const void *key, size_t key_len, const void *p, size_t n) ERR_MUST;
/* Fills `p` with random bytes fit for keys. */
struct err *random_bytes(void *p, size_t n) ERR_MUST;
