/* upstream: what a definition says of where a component's files and images are published. Private to supply/. */
#pragma once
#include "supply/recipe.h"

/* Checks all of `versions[].upstream[]` of the part's version. ERR_USAGE with file, line and column. */
struct err *upstream_check(const struct part *part) ERR_MUST;
/*
 * Where the file (kind "file") or image (kind "oci") `name` comes from: *ret is the element of `upstream`, *ret_member
 * the one of its `members`, or NULL when the element is the file itself. ERR_USAGE when it is nowhere; `at` is for the
 * place.
 */
struct err *upstream_find(const struct doc **ret, const struct doc **ret_member, const struct part *part,
                          const char *kind, const char *name, const struct doc *at) ERR_MUST;
