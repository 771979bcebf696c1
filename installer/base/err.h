/* err: errors as values. NULL is success; every frame on the way up may add what it was doing. */
#pragma once
#include <stdbool.h>

/* Decides the exit code (err_exit_code) and whether trying again can help. */
enum err_kind {
    ERR_FAILED,      /* something did not work here or on a node: 1 */
    ERR_UNREACHABLE, /* a machine or a transport: 3 */
    ERR_UNTRUSTED,   /* any refusal of a bundle, signature, digest, host key or certificate: 4 */
    ERR_PARTIAL,     /* some hosts done, some not: 5 */
    ERR_REFUSED,     /* preflight, policy, fence, gate: 6 */
    ERR_USAGE,       /* command line or input file: 64 */
    ERR_CANCELLED,   /* Ctrl-C: 130 */
};

struct err;

#define ERR_MUST __attribute__((warn_unused_result))

/* A new error with a formatted text. Never NULL: without memory a static error is returned. */
struct err *err_new(enum err_kind kind, const char *fmt, ...) ERR_MUST __attribute__((format(printf, 2, 3)));

/* ERR_FAILED with the text of `sys` (an errno value) behind the formatted one: "open x: No such file". */
struct err *err_os(int sys, const char *fmt, ...) ERR_MUST __attribute__((format(printf, 2, 3)));

/* Puts "text: " before `cause`; keeps its kind. Takes ownership of `cause`; NULL stays NULL. */
struct err *err_wrap(struct err *cause, const char *fmt, ...) ERR_MUST __attribute__((format(printf, 2, 3)));

/* Sets what the operator can do next; shown on a line of its own. Takes and returns `e`; NULL stays NULL. */
struct err *err_hint(struct err *e, const char *fmt, ...) ERR_MUST __attribute__((format(printf, 2, 3)));

/* Changes the kind of `e`, for a frame that knows better than the lowest one; returns `e`. */
struct err *err_as(struct err *e, enum err_kind kind) ERR_MUST;

/* Whole text, "a: b: c"; borrowed from `e`. */
const char *err_text(const struct err *e);
/* The hint, or NULL; borrowed. */
const char *err_hint_text(const struct err *e);
enum err_kind err_kind(const struct err *e);
/* The stable word that the text names the refusal by ("E_DIGEST"), into `ret`; "" when it has none. */
void err_code(char ret[32], const struct err *e);
/* The errno value it was made from, or 0. */
int err_errno(const struct err *e);
/* Exit status of the process for `e` (design: exit codes); 0 for NULL. */
int err_exit_code(const struct err *e);
/* Name of a kind for machines: "failed", "unreachable", ... */
const char *err_kind_name(enum err_kind kind);
/* Frees `e`; NULL is fine. */
void err_free(struct err *e);

static inline void err_freep(struct err **e)
{
    err_free(*e);
}

/* Drops an error that changes nothing for the caller (say why at the call). */
static inline void err_ignore(struct err *e)
{
    err_free(e);
}

#define TRY(x)                                                                                                         \
    do {                                                                                                               \
        struct err *e_ = (x);                                                                                          \
        if (e_)                                                                                                        \
            return e_;                                                                                                 \
    } while (0)

#define TRY_CTX(x, ...)                                                                                                \
    do {                                                                                                               \
        struct err *e_ = (x);                                                                                          \
        if (e_)                                                                                                        \
            return err_wrap(e_, __VA_ARGS__);                                                                          \
    } while (0)
