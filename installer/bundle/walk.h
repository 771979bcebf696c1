/* walk: the strict reader of a bundle's container, header by header. Private to bundle/. */
#pragma once
#include "base/buf.h"
#include "bundle/source.h"
#include "crypt/digest.h"
#include "pack/ustar.h"

struct walk {
    const struct source *source;
    uint64_t at;              /* offset of the present member's header */
    uint64_t next;            /* offset of the header after it */
    int64_t mtime;            /* of the first header; all have the same; -1 before it */
    struct ustar_entry entry; /* the present member */
};

/* Goes to the next member. *ret_end: the end mark stands there instead, and the file ends behind it. */
struct err *walk_next(bool *ret_end, struct walk *w) ERR_MUST;
/* Appends the present member's body, of at most `max` bytes (E_LIMIT), and checks its padding. */
struct err *walk_body(struct buf *out, const struct walk *w, uint64_t max) ERR_MUST;
/* The digest of the present member's body, under the same rules. */
struct err *walk_digest(char ret[DIGEST_HEX], const struct walk *w, uint64_t max) ERR_MUST;
/* Checks that the bytes between the present body and the next header are zero. */
struct err *walk_padding(const struct walk *w) ERR_MUST;
/* Puts file, member and offset in front of `cause`; NULL stays NULL. */
struct err *walk_place(struct err *cause, const struct walk *w) ERR_MUST;
