#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct err *buf_reserve(struct buf *b, size_t n)
{
    size_t max = b->max ? b->max : BUF_MAX;
    if (n > max)
        return err_new(ERR_FAILED, "more than %zu bytes", max);
    if (n + 1 <= b->cap)
        return NULL;
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < n + 1)
        cap *= 2;
    /* Not realloc(): a secret's old copy must not be left behind in freed memory. */
    char *at = malloc(cap);
    if (!at)
        return err_os(ENOMEM, "buffer of %zu bytes", cap);
    if (b->len)
        memcpy(at, b->at, b->len);
    if (b->at)
        explicit_bzero(b->at, b->len);
    free(b->at);
    b->at = at;
    b->cap = cap;
    b->at[b->len] = '\0';
    return NULL;
}

struct err *buf_add(struct buf *b, const void *p, size_t n)
{
    TRY(buf_reserve(b, b->len + n));
    if (n)
        memcpy(b->at + b->len, p, n);
    b->len += n;
    b->at[b->len] = '\0';
    return NULL;
}

struct err *buf_str(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

struct err *buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return err_os(ENOMEM, "format text");
    struct err *e = buf_add(b, text, (size_t)n);
    free(text);
    return e;
}

struct err *buf_base64(struct buf *b, const void *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = p;
    for (size_t i = 0; i < n; i += 3) {
        bool two = i + 1 < n, three = i + 2 < n;
        unsigned v = (unsigned)at[i] << 16 | (two ? (unsigned)at[i + 1] << 8 : 0) | (three ? at[i + 2] : 0);
        char four[] = {digits[v >> 18], digits[v >> 12 & 63], two ? digits[v >> 6 & 63] : '=',
                       three ? digits[v & 63] : '='};
        TRY(buf_add(b, four, sizeof four));
    }
    return NULL;
}

const char *buf_text(const struct buf *b)
{
    return b->at ? b->at : "";
}

char *buf_take(struct buf *b)
{
    char *at = b->at ? b->at : strdup("");
    *b = (struct buf){.max = b->max};
    return at;
}

void buf_wipe(struct buf *b)
{
    if (b->at)
        explicit_bzero(b->at, b->cap);
    buf_done(b);
}

void buf_done(struct buf *b)
{
    free(b->at);
    *b = (struct buf){.max = b->max};
}
