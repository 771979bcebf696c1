/* segments: the rest of a large file over several connections at once. Private to net/. */
#pragma once
#include "net/download.h"
#include "net/partial.h"

/* A download that runs. */
struct job {
    const struct download *want;
    struct net *net;
    const char *url;     /* the source that is tried */
    bool elsewhere;      /* the bytes that are there came from another one: what it says of them is another ETag */
    struct http_way way; /* the net's; with one try alone for a benched host */
    struct partial partial;
    uint64_t at; /* from front to back: where the next byte goes */
};

void job_done(struct job *j);
/* The ETag that the source's file must have, so that what is there is of it too; NULL: any. Borrowed. */
const char *job_etag(const struct job *j);
/* Writes at `at`, and tells. Any thread. */
struct err *job_write(const struct job *j, const void *p, size_t n, uint64_t at) ERR_MUST;
void job_progress(const struct job *j, int64_t bytes);

/*
 * Fetches the segments that `partial` does not have. `found` is what the server said of the file, when it was asked in
 * this run; its `changed` is set when all was in vain. `ask` is the request without its range.
 */
struct err *segments_fetch(struct job *j, const struct http_range *ask, struct http_found *found) ERR_MUST;
