/* inside: the struct behind bundle.h, for the files of this room. Private to bundle/. */
#pragma once
#include "bundle/bundle.h"
#include "bundle/release.h"
#include "bundle/source.h"
#include "bundle/trust.h"

struct bundle {
    struct source *source;
    const char *path; /* the source's */
    struct doc *release, *index;
    char digest[65];         /* of release.json */
    struct trust_result who; /* signed it, and may */
    int64_t mtime;           /* of every member */
    bool delta;
    struct members members;
    struct buf *docs; /* of one that is read once: what may be a document, by member, kept while it was verified */
};

/* Says where a file or folder lies, for those who read the receipt from elsewhere: its absolute path without links. */
void receipt_place(struct doc *receipt, const char *key, const char *path);
/* What every reader says who needs more than a delta has: how it becomes a bundle. Takes and returns `e`. */
struct err *join_first(struct err *e, const struct bundle *b) ERR_MUST;
/* Every refusal has a way out: gives `e` one when it has none yet. NULL stays NULL. */
struct err *bundle_way_out(struct err *e) ERR_MUST;
/* Reads a member's body through its digest; an error names member and offset. `sink` may be NULL. */
struct err *blob_stream(const struct bundle *b, const struct member *m, bundle_sink sink, void *self) ERR_MUST;
