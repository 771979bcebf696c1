/* content: the blobs of a bundle to be, each once, small documents before data. Private to supply/. */
#pragma once
#include "base/err.h"
#include "doc/doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
    char hex[65];
    uint64_t size;
    char *path;  /* file with the bytes; NULL: they are in `bytes` */
    char *bytes; /* `size` of them */
    bool small;  /* manifest, config, definition: goes in front, so that a reader has all of them early */
};

struct content {
    struct blob *at;
    size_t n;
};

/* Adds bytes; digest "sha256:..." into `ret`. A blob that is there already is not added again. */
struct err *content_add_bytes(char ret[72], struct content *c, const void *p, size_t n) ERR_MUST;
/* Adds the canonical JSON of `d`. *ret_size may be NULL. */
struct err *content_add_doc(char ret[72], uint64_t *ret_size, struct content *c, const struct doc *d) ERR_MUST;
/* Adds a file whose digest and size are known; they are checked when the bytes are copied. */
struct err *content_add_file(struct content *c, const char *path, const char *hex, uint64_t size, bool small) ERR_MUST;
const struct blob *content_find(const struct content *c, const char *hex);
/* Small blobs first; else as they were added. */
struct err *content_sort(struct content *c) ERR_MUST;
/* Appends a blob's bytes; ERR_UNTRUSTED (E_DIGEST) when its file has others. */
struct err *content_read(struct buf *out, const struct blob *b) ERR_MUST;
/* Writes a blob's bytes; ERR_UNTRUSTED (E_DIGEST) when the file has others. */
struct err *content_copy(const struct blob *b, int out_fd) ERR_MUST;
void content_done(struct content *c);
