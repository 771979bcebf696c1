/*
 * partial: a file that is being downloaded: NAME.part with its bytes, NAME.part.json with what the server said of them,
 * so that a later run can go on. It has its name when its digest was checked. Private to net/.
 */
#pragma once
#include "base/err.h"
#include "base/own.h"
#include "http/range.h"

#include <stdbool.h>
#include <stdint.h>

struct partial {
    int fd; /* of NAME.part; locked, so that two runs do not write one file */
    char *path, *part, *state;
    bool known;               /* its digest is: it will tell whether all bytes belong together */
    char etag[HTTP_ETAG_MAX]; /* of the file on the server; "": it has none that says enough */
    uint64_t total;           /* bytes of it; 0: nobody said yet */
    uint64_t segment;         /* 0: the bytes come from front to back */
    char *have;               /* with segments: '1' for each that is there, '0' else */
};

/*
 * Opens NAME.part, or makes it, and reads what an earlier run noted. What does not fit (another size, other segments)
 * is thrown away; all of it is when the digest is not `known`, and then nothing is left for a later run either: nobody
 * would see that a half is of another file, or was damaged by a power cut. ERR_REFUSED when another run has it.
 */
struct err *partial_open(struct partial *p, const char *path, uint64_t size, uint64_t segment, bool known) ERR_MUST;
/* Bytes that are there from the front on; with segments: in all of them. */
uint64_t partial_size(const struct partial *p);
/* What the half of `path` that an earlier run left takes of the disk, in bytes. */
uint64_t partial_room(const char *path);
size_t partial_segments(const struct partial *p);
/* The end of the i-th segment; its begin is i times `segment`. */
uint64_t partial_end(const struct partial *p, size_t i);
/* Throws all bytes away. */
struct err *partial_reset(struct partial *p) ERR_MUST;
/* Notes what the server says, before the first byte; `segment` 0: they will come from front to back. */
struct err *partial_begin(struct partial *p, const struct http_found *found, uint64_t segment) ERR_MUST;
/* Notes that the i-th segment is there. */
struct err *partial_note(struct partial *p, size_t i) ERR_MUST;
/* Makes it durable, takes the notes away and gives it its name. */
struct err *partial_commit(struct partial *p) ERR_MUST;
/* Takes away what is beside a file that is complete, unless another run is at it. */
void partial_clean(const char *path);
/* Closes it. Bytes that nobody could go on with go away. */
void partial_done(struct partial *p);
