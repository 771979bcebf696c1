/*
 * args: verbs and options are rows of tables; parsing, --help and shell completion all read the same rows, so that none
 * of them can forget one.
 */
#pragma once
#include "base/err.h"
#include "doc/doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cli;

/* What a word is, for completion. */
enum word { WORD_NONE, WORD_FILE, WORD_FOLDER, WORD_HOST, WORD_SHELL, WORD_VERB, WORD_FORMAT, WORD_SBOM, WORD_SCHEME };

struct opt {
    const char *name; /* without the dashes; NULL ends a table */
    char letter;      /* short form, or 0 */
    const char *arg;  /* name of its value; NULL: a switch */
    enum word word;   /* what the value is */
    bool many;        /* each use counts; else the last one wins */
    const char *help;
};

struct verb {
    const char *name;     /* "plan", "bundle build"; NULL ends the table */
    const char *operands; /* as shown: "FILE", "[HOST]", "" */
    int least, most;      /* number of operands */
    enum word word;       /* what they are */
    const char *summary;  /* one line */
    const struct opt *opts;
    bool keep;         /* the live lines stay when it is over: what a run did is worth reading */
    const char *notes; /* what --help says below the options, or NULL; whole lines */
    /* Does the work. *ret is the result (NULL: none), also beside an error when there is a part of it. */
    struct err *(*run)(struct cli *x, struct doc **ret);
    /* Prints the result for people. */
    void (*show)(FILE *out, const struct cli *x, const struct doc *result);
};

enum { ARGS_MAX = 64 }; /* options on one command line */

extern const struct verb verbs[];
/* Options that every verb takes. */
extern const struct opt global_opts[];

struct args {
    struct {
        const struct opt *opt;
        const char *value;
    } given[ARGS_MAX];
    size_t n;
    char *const *operands;
    int n_operands;
};

/*
 * Reads the command line. Options may stand before the verb (the global ones) and anywhere behind it. *ret_verb is NULL
 * when there is none: `caisson --help`, `caisson --version`. ERR_USAGE with the nearest word as the way out.
 */
struct err *args_parse(struct args *a, const struct verb **ret_verb, int argc, char **argv) ERR_MUST;
/* True when -o json stands anywhere: the face for errors of the command line itself. */
bool args_want_json(int argc, char **argv);

/* The option's value, the last one, or `otherwise`. */
const char *args_text(const struct args *a, const char *name, const char *otherwise);
bool args_has(const struct args *a, const char *name);
/* All values of an option that counts each use, in order, into `ret`, which has room for all; returns their number. */
size_t args_all(const struct args *a, const char *name, const char *ret[ARGS_MAX]);
/* Whole number in [min, max] into *ret, which is left alone when the option is not given. ERR_USAGE. */
struct err *args_int(const struct args *a, const char *name, int64_t min, int64_t max, int64_t *ret) ERR_MUST;
/* A size from 1 byte, as 4000000000, 4GB (powers of ten) or 4GiB, into *ret, which is left alone when it is not given.
 */
struct err *args_size(const struct args *a, const char *name, uint64_t *ret) ERR_MUST;
/* "2027-12-31" or a whole RFC 3339 time, as the latter, into `ret`; "" when the option is not given. ERR_USAGE. */
struct err *args_date(const struct args *a, const char *name, char ret[32]) ERR_MUST;
/*
 * All EPOCH.SEQUENCE of an option, as in 0.12, appended to `list` as {epoch, sequence}. ERR_USAGE.
 */
struct err *args_positions(const struct args *a, const char *name, struct doc *list) ERR_MUST;
/* The i-th operand, or NULL. */
const char *args_operand(const struct args *a, int i);

/* Help of one verb, or the list of all (NULL). */
struct err *help_text(struct buf *out, const struct verb *v) ERR_MUST;
/* The lines of the list for verbs whose first word is `first`, if there are any. */
struct err *help_group(struct buf *out, const char *first) ERR_MUST;
/* The verb of that whole name, or NULL. */
const struct verb *verb_named(const char *name);
/* Completion script for "bash", "zsh" or "fish". ERR_USAGE for another one. */
struct err *complete_text(struct buf *out, const char *shell) ERR_MUST;
