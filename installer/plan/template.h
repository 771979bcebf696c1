/* template: ${group.name} in definitions. No loops, no conditions, no shell; an unknown name is an error. */
#pragma once
#include "doc/doc.h"

/*
 * Fills text. Values are scalars; a list of them is joined with ','; "$${" stands for a plain "${". `at` gives
 * the place for errors. ERR_USAGE for a name that `vars` does not have and for a "${" that is no reference.
 */
struct err *template_text(struct buf *out, const char *text, const struct doc *vars, const struct doc *at) ERR_MUST;
/*
 * A filled copy of a tree. A text that is exactly one ${name} takes the value with its type: a missing value
 * drops the key or element, a list inside a list is spliced in.
 */
struct err *template_tree(struct doc **ret, const struct doc *tree, const struct doc *vars) ERR_MUST;
