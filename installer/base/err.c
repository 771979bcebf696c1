#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct err {
    enum err_kind kind;
    int sys;
    char *text;
    char *hint;
};

/* Returned when there is no memory for a real one; err_free() knows it. */
static struct err no_memory = {.kind = ERR_FAILED, .sys = 12, .text = (char *)"out of memory"};

static struct err *err_make(enum err_kind kind, int sys, char *text)
{
    struct err *e = text ? calloc(1, sizeof *e) : NULL;
    if (!e) {
        free(text);
        return &no_memory;
    }
    *e = (struct err){.kind = kind, .sys = sys, .text = text};
    return e;
}

__attribute__((format(printf, 1, 0))) static char *text_format(const char *fmt, va_list ap)
{
    char *text = NULL;
    return vasprintf(&text, fmt, ap) < 0 ? NULL : text;
}

struct err *err_new(enum err_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = text_format(fmt, ap);
    va_end(ap);
    return err_make(kind, 0, text);
}

struct err *err_os(int sys, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *what = text_format(fmt, ap);
    va_end(ap);
    char why[128];
    char *text = NULL;
    if (what && asprintf(&text, "%s: %s", what, strerror_r(sys, why, sizeof why)) < 0)
        text = NULL;
    free(what);
    return err_make(ERR_FAILED, sys, text);
}

struct err *err_wrap(struct err *cause, const char *fmt, ...)
{
    if (!cause || cause == &no_memory)
        return cause;
    va_list ap;
    va_start(ap, fmt);
    char *what = text_format(fmt, ap);
    va_end(ap);
    char *text = NULL;
    if (what && asprintf(&text, "%s: %s", what, cause->text) >= 0) {
        free(cause->text);
        cause->text = text;
    }
    free(what);
    return cause;
}

struct err *err_hint(struct err *e, const char *fmt, ...)
{
    if (!e || e == &no_memory)
        return e;
    va_list ap;
    va_start(ap, fmt);
    char *hint = text_format(fmt, ap);
    va_end(ap);
    free(e->hint);
    e->hint = hint;
    return e;
}

struct err *err_as(struct err *e, enum err_kind kind)
{
    if (e && e != &no_memory)
        e->kind = kind;
    return e;
}

const char *err_text(const struct err *e)
{
    return e->text;
}

const char *err_hint_text(const struct err *e)
{
    return e->hint;
}

/* Length of the word at `s` when it is "E_" and capitals, with ':' behind it; else 0. */
static size_t code_length(const char *s)
{
    size_t n = strncmp(s, "E_", 2) == 0 ? 2 + strspn(s + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;
    return n > 2 && n < 32 && s[n] == ':' ? n : 0;
}

void err_code(char ret[32], const struct err *e)
{
    size_t n = code_length(e->text);
    const char *at = e->text;
    while (!n && (at = strpbrk(at, " \n"))) /* a file's name has no blank before it */
        n = code_length(++at);
    memcpy(ret, n ? at : "", n);
    ret[n] = '\0';
}

enum err_kind err_kind(const struct err *e)
{
    return e->kind;
}

int err_errno(const struct err *e)
{
    return e->sys;
}

static const struct {
    const char *name;
    int exit_code;
} kinds[] = {
    [ERR_FAILED] = {"failed", 1},         [ERR_UNREACHABLE] = {"unreachable", 3}, [ERR_UNTRUSTED] = {"untrusted", 4},
    [ERR_PARTIAL] = {"partial", 5},       [ERR_REFUSED] = {"refused", 6},         [ERR_USAGE] = {"usage", 64},
    [ERR_CANCELLED] = {"cancelled", 130},
};

int err_exit_code(const struct err *e)
{
    return e ? kinds[e->kind].exit_code : 0;
}

const char *err_kind_name(enum err_kind kind)
{
    return kinds[kind].name;
}

void err_free(struct err *e)
{
    if (!e || e == &no_memory)
        return;
    free(e->text);
    free(e->hint);
    free(e);
}
