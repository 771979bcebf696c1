/* compare: what is different between two releases. */
#pragma once
#include "bundle/bundle.h"

#include <stdio.h>

/*
 * Compares what show_inspect() says of both, but not where they lie and whose signature held. The result: `from` and
 * `to` ({path, digest, version}), `changes` (0: the same release), `newBytes` (of blobs that only `b` has), and
 * - `values`: [{key, from, to}], keys of maps inside with a dot; null where there is no value;
 * - a list of named things that differ under its own key (`components`, and in those `packages`, `images`, `files`):
 *   {name, change: "added"|"removed"|"changed"}, with `thing` (all of it) or its own `values` and lists.
 */
struct err *compare_releases(struct doc **ret, const struct bundle *a, const struct bundle *b) ERR_MUST;
/* The same as text; sizes for people, digests short. */
void compare_text(FILE *out, const struct doc *difference);
