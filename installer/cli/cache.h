/* cache: where the bytes that a lock names lie, for the verbs that use it. */
#pragma once
#include "cli/args.h"

/* --cache, else $CAISSON_CACHE, else caisson in the user's cache folder; in new memory. ERR_USAGE. */
struct err *cache_choose(char **ret, const struct args *a) ERR_MUST;
