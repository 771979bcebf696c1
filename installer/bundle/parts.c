#include "bundle/parts.h"

#include "base/str.h"
#include "bundle/format.h"

#include <string.h>

/* ---- the list's text ---- */

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *c, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return false;
    c->at += n;
    return true;
}

/* A decimal number from 1 to 2^53 - 1, written in one way. */
static bool take_number(struct cursor *c, uint64_t *ret)
{
    char digits[17] = {0};
    int64_t v;
    size_t n = 0;
    while (c->at + n < c->end && n < sizeof digits - 1 && c->at[n] >= '0' && c->at[n] <= '9') {
        digits[n] = c->at[n];
        n++;
    }
    if (digits[0] == '0' || !str_int(digits, 1, FORMAT_INT_MAX, &v))
        return false;
    c->at += n;
    *ret = (uint64_t)v;
    return true;
}

static bool take_hex(struct cursor *c, char ret[65])
{
    if (c->end - c->at < 64)
        return false;
    memcpy(ret, c->at, 64);
    ret[64] = '\0';
    if (!str_is_sha256(ret))
        return false;
    c->at += 64;
    return true;
}

static bool take_part(struct cursor *c, struct part *p)
{
    return take(c, "{\"sha256\":\"") && take_hex(c, p->hex) && take(c, "\",\"size\":") && take_number(c, &p->size) &&
           take(c, "}");
}

static bool take_list(struct cursor *c, struct parts *parts)
{
    if (!take(c, "{\"parts\":["))
        return false;
    do {
        if (parts->n == PARTS_MAX || !take_part(c, &parts->at[parts->n++]))
            return false;
    } while (take(c, ","));
    return take(c, "],\"schema\":1,\"size\":") && take_number(c, &parts->size) && take(c, "}") && c->at == c->end;
}

struct err *parts_parse(struct parts *ret, const char *what, const void *p, size_t n)
{
    struct cursor c = {.at = p, .end = (const char *)p + n};
    uint64_t sum = 0;
    *ret = (struct parts){0};
    if (!n || !take_list(&c, ret))
        return err_hint(err_new(ERR_UNTRUSTED, "%s: E_PART: not the list of a bundle's parts: wrong at byte %zu", what,
                                (size_t)(c.at - (const char *)p)),
                        "copy the list again");
    for (size_t i = 0; i < ret->n; i++)
        sum += ret->at[i].size; /* at most 2^8 times 2^53 */
    if (sum != ret->size)
        return err_hint(err_new(ERR_UNTRUSTED, "%s: E_PART: its %zu parts have %llu bytes, not the %llu of the whole",
                                what, ret->n, (unsigned long long)sum, (unsigned long long)ret->size),
                        "copy the list again");
    return NULL;
}

struct err *parts_write(struct buf *out, const struct parts *parts)
{
    TRY(buf_str(out, "{\"parts\":["));
    for (size_t i = 0; i < parts->n; i++)
        TRY(buf_fmt(out, "%s{\"sha256\":\"%s\",\"size\":%llu}", i ? "," : "", parts->at[i].hex,
                    (unsigned long long)parts->at[i].size));
    return buf_fmt(out, "],\"schema\":1,\"size\":%llu}", (unsigned long long)parts->size);
}

/* ---- names ---- */

bool parts_is_list(const char *path)
{
    return str_ends(path, PARTS_SUFFIX);
}

char *parts_path(const char *list, size_t i)
{
    return str_fmt("%.*s.%03zu", (int)(strlen(list) - strlen(PARTS_SUFFIX)), list, i);
}
