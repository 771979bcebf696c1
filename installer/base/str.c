#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

char *str_fmt(const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : text;
}

bool str_eq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

bool str_int(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    size_t digits = strspn(*s == '-' ? s + 1 : s, "0123456789");
    const char *end = s + (*s == '-') + digits;
    if (!digits || *end)
        return false;
    errno = 0;
    long long v = strtoll(s, NULL, 10);
    if (errno || v < min || v > max)
        return false;
    *ret = v;
    return true;
}

void str_lower(char *s)
{
    for (; *s; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
}

void str_hex(char *ret, const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = p;
    for (size_t i = 0; i < n; i++) {
        ret[2 * i] = digits[at[i] >> 4];
        ret[2 * i + 1] = digits[at[i] & 15];
    }
    ret[2 * n] = '\0';
}

bool str_is_sha256(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

void str_size(char ret[24], uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double v = (double)bytes;
    size_t u = 0;
    for (; v >= 1000 && u + 1 < ARRAY_LEN(units); u++)
        v /= 1000;
    (void)snprintf(ret, 24, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

struct err *strs_add(struct strs *l, const char *s)
{
    char **at = reallocarray(l->at, l->n + 1, sizeof *at);
    if (!at)
        return err_os(ENOMEM, "list of %zu strings", l->n + 1);
    l->at = at;
    at[l->n] = strdup(s);
    if (!at[l->n])
        return err_os(ENOMEM, "copy of a string");
    l->n++;
    return NULL;
}

bool strs_has(const struct strs *l, const char *s)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->at[i], s) == 0)
            return true;
    return false;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strs_sort(struct strs *l)
{
    if (l->n)
        qsort(l->at, l->n, sizeof *l->at, compare);
}

void strs_done(struct strs *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i]);
    free(l->at);
    *l = (struct strs){0};
}
