/* output: the result on standard output, the error on standard error. */
#pragma once
#include "cli/cli.h"

/* Prints the result for people (the verb's show) or as one line of JSON. ERR_FAILED when it could not be written. */
struct err *output_result(const struct cli *x, const struct doc *result) ERR_MUST;
/* Prints "error: ..." and "  fix: ...", or {"error":{"code","hint","kind","text"}}; code: "E_DIGEST" and its like. */
void output_error(const struct cli *x, const struct err *e);
