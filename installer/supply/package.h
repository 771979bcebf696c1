/* package: node packages out of locked files, kept in the cache by their inputs. Private to supply/. */
#pragma once
#include "pack/tree.h"
#include "supply/recipe.h"

/*
 * Makes (or finds) the package that `def`, an element of a definition's `packages`, describes. *ret_path is its file
 * in the cache, new memory; *ret_files a list of what is inside: {path, mode, sha256} or, for a link, {path, link}.
 */
struct err *package_make(struct tree_info *ret, char **ret_path, struct doc **ret_files, const struct recipe *r,
                         const struct part *part, const struct doc *def) ERR_MUST;
