/*
 * pass: once over a bundle's members behind the head, in the order of the file, with every check of the container. It
 * asks the source only for what lies ahead. Private to bundle/.
 */
#pragma once
#include "bundle/inside.h"
#include "bundle/walk.h"

struct pass {
    const struct bundle *b;
    struct walk w;
    size_t next;        /* where in the release's list the next member is looked for */
    size_t index;       /* the present member's place in that list */
    struct member here; /* the present member, at its offset in this file */
};

/* Before the first member, index.json. */
void pass_start(struct pass *p, const struct bundle *b);
/*
 * Goes to the next member, which is the one that release.json has there; a delta may leave members out. *ret_end: there
 * is none any more, and the file ends as it must.
 */
struct err *pass_next(bool *ret_end, struct pass *p) ERR_MUST;
/* Checks the padding behind the present member. */
struct err *pass_padding(const struct pass *p) ERR_MUST;
