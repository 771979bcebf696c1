/* used: the blobs that releases of a store use. Private to bundle/. */
#pragma once
#include "base/err.h"
#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>

/* Digests that releases use, sorted. */
struct used {
    char (*hex)[65];
    size_t n;
};

/* Those of every release in the folder `releases`. ERR_FAILED (E_STORE). */
struct err *used_read(struct used *u, int releases) ERR_MUST;
bool used_has(const struct used *u, const char *hex);
void used_done(struct used *u);
