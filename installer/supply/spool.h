/*
 * spool: text that may be larger than memory should be, in a file without a name: whatever happens, nothing is left of
 * it. Private to supply/.
 */
#pragma once
#include "base/buf.h"
#include "base/own.h"
#include "crypt/digest.h"
#include "doc/doc.h"

/* Opens a file without a name in the folder `dir`, for reading and writing. */
struct err *spool_file(int *ret_fd, const char *dir) ERR_MUST;

struct spool {
    int fd;
    uint64_t size;   /* of all of it */
    struct buf tail; /* not written yet */
};

struct err *spool_new(struct spool **ret, const char *dir) ERR_MUST;
void spool_free(struct spool *s);
OWN_DEFINE(spool, spool)
#define OWN_SPOOL OWN(spool_freep)

/* Appends `n` bytes. */
struct err *spool_add(struct spool *s, const void *p, size_t n) ERR_MUST;
struct err *spool_str(struct spool *s, const char *text) ERR_MUST;
/* Appends canonical JSON. */
struct err *spool_json(struct spool *s, const struct doc *d) ERR_MUST;
/* Reads `n` bytes from `at` on, all of which are in the file: after spool_flush(). */
struct err *spool_read(const struct spool *s, void *p, size_t n, uint64_t at) ERR_MUST;
/* Writes out what is in memory: the file has all of it now. */
struct err *spool_flush(struct spool *s) ERR_MUST;
/* Writes all of it to a descriptor. */
struct err *spool_copy(struct spool *s, int out_fd) ERR_MUST;
/* Appends all of `from`. */
struct err *spool_append(struct spool *s, struct spool *from) ERR_MUST;
/* Digest of all of it. */
struct err *spool_digest(char ret[DIGEST_HEX], struct spool *s) ERR_MUST;
/* Takes away what is behind the first `size` bytes. */
struct err *spool_cut(struct spool *s, uint64_t size) ERR_MUST;
