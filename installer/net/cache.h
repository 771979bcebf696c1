/* cache: bytes by their digest, CACHE/blobs/sha256/<hex>; a file there is whole. */
#pragma once
#include "net/net.h"

#define CACHE_BLOB_MAX (INT64_C(64) << 30) /* bytes */

struct payload {
    char sha256[65];
    uint64_t size;
};

/* Path of the blob, new memory; NULL without memory. */
char *cache_path(const char *cache, const char *hex);
/* Makes the folder of the blobs. */
struct err *cache_make(const char *cache) ERR_MUST;
/* ERR_FAILED (E_SPACE) unless there is room for `bytes` more. */
struct err *cache_space(const char *cache, uint64_t bytes) ERR_MUST;
/* True into *ret when the bytes are there; a file of that name with other ones is as good as none. */
struct err *cache_has(bool *ret, const char *cache, const char *hex, uint64_t size) ERR_MUST;
/* Keeps bytes whose digest is `hex`. */
struct err *cache_put(const char *cache, const char *hex, const void *p, size_t n) ERR_MUST;
/* Keeps what is at `url` (1 to `max` bytes), whatever it is, and says what. `progress` as download() has it. */
struct err *cache_download(struct payload *ret, const char *cache, const char *url, uint64_t max, struct net *net,
                           void (*progress)(void *self, int64_t bytes), void *self) ERR_MUST;
/*
 * Keeps the member of an archive that is in the cache, and says what it is; `want` is what it must be, or NULL.
 * E_ARCHIVE as member_extract(), E_DIGEST (ERR_UNTRUSTED).
 */
struct err *cache_extract(struct payload *ret, const char *cache, const char *archive, const char *member,
                          const struct payload *want) ERR_MUST;
