/* ask: questions to the person at the terminal. */
#pragma once
#include "cli/cli.h"

/* True when standard input and standard error are a terminal. */
bool ask_can(void);
/*
 * Asks on standard error and reads one line, without its newline, into `ret`. The live lines make way meanwhile.
 * ERR_CANCELLED on Ctrl-C. The end of input gives an empty answer.
 */
struct err *ask_line(struct cli *x, char *ret, size_t n, const char *fmt, ...) ERR_MUST
    __attribute__((format(printf, 4, 5)));
/* The same, and what is typed is not shown. The caller wipes `ret`. */
struct err *ask_secret(struct cli *x, char *ret, size_t n, const char *fmt, ...) ERR_MUST
    __attribute__((format(printf, 4, 5)));
