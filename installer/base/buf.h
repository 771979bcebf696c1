/* buf: a growing byte buffer with a ceiling. Always NUL-terminated once something was added; its length
 * rules. */
#pragma once
#include "base/err.h"
#include "base/own.h"

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *at;
    size_t len;
    size_t cap;
    size_t max; /* most bytes it may hold; 0 means BUF_MAX */
};

#define BUF_MAX ((size_t)256 << 20)

/* Makes room for `n` bytes in all (and the NUL). ERR_FAILED above the ceiling. */
struct err *buf_reserve(struct buf *b, size_t n) ERR_MUST;
/* Appends `n` bytes of `p`. */
struct err *buf_add(struct buf *b, const void *p, size_t n) ERR_MUST;
/* Appends a string. */
struct err *buf_str(struct buf *b, const char *s) ERR_MUST;
/* Appends formatted text. */
struct err *buf_fmt(struct buf *b, const char *fmt, ...) ERR_MUST __attribute__((format(printf, 2, 3)));
/* Appends `n` bytes of `p` in base64 (RFC 4648, section 4), padded. */
struct err *buf_base64(struct buf *b, const void *p, size_t n) ERR_MUST;
/* The text, "" when empty; borrowed. */
const char *buf_text(const struct buf *b);
/* Hands the memory over (NUL-terminated, never NULL unless out of memory); the buffer is empty afterwards. */
char *buf_take(struct buf *b);
/* Overwrites with zeros and frees: for secrets. */
void buf_wipe(struct buf *b);
/* Frees; the buffer may be used again. */
void buf_done(struct buf *b);

#define OWN_BUF OWN(buf_done)
#define OWN_SECRET_BUF OWN(buf_wipe)
