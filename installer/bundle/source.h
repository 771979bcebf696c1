/*
 * source: a bundle's bytes by their offset, wherever they are: one file, parts in their order, which are read as one
 * file and never joined, or what else has a table of `source_ops` (a room above may bring its own). Whatever is not
 * `one_pass` is immutable once it is open: any thread may read.
 */
#pragma once
#include "base/cancel.h"
#include "base/err.h"
#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source;

/* Called for each block of a range, in order. */
typedef struct err *(*source_sink)(void *self, const void *p, size_t n);

/*
 * What a source is made of; `s` is the first thing in a struct of its own. Refusals of what the bytes are:
 * ERR_UNTRUSTED; a transport that fails: ERR_UNREACHABLE; both with a word E_... in the text. Only `close` and `read`
 * must be there.
 */
struct source_ops {
    /* Frees what the source has, but neither the path nor the source itself. */
    void (*close)(struct source *s);
    /* Some of the `n` bytes at `offset` into `p`, at least one; *ret = 0: there is none. */
    struct err *(*read)(size_t *ret, const struct source *s, void *p, size_t n, uint64_t offset);
    /* Gives exactly `n` bytes from `offset` on to `sink`, whose error it hands back. Absent: read() does it. */
    struct err *(*stream)(const struct source *s, uint64_t offset, uint64_t n, source_sink sink, void *self);
    /* Told that it will be read from front to back. */
    void (*sequential)(const struct source *s);
    /* Told that the head was read: what lies behind will be asked for once, in order. */
    void (*settle)(const struct source *s);
    /* True when it is the file at `path`, which then must not be written over. Absent: it is none. */
    bool (*is_file)(const struct source *s, const char *path);
    /* What of the source itself is wrong, found after a refusal of the bytes that it gave; NULL: nothing known. */
    struct err *(*blame)(const struct source *s);
};

#define SOURCE_SIZE_UNKNOWN UINT64_MAX

struct source {
    const struct source_ops *ops;
    char *path;       /* what people know it by */
    uint64_t size;    /* SOURCE_SIZE_UNKNOWN: not known before the end */
    bool one_pass;    /* offsets only grow, but for the head, which it keeps: a pipe */
    unsigned streams; /* ranges worth reading at once; 1: from front to back is best. Above 1: ask for what is needed */
    const char *cure; /* what helps when its bytes are wrong, after "fix:"; NULL: to copy the bundle again */
};

/*
 * Opens a bundle's file, its parts when `path` is their list (NAME.parts.json), or a release in a store (a folder).
 * ERR_USAGE when it cannot be opened; ERR_UNTRUSTED (E_PART) when a part is missing, has another size, or is one too
 * many.
 */
struct err *source_open(struct source **ret, const char *path) ERR_MUST;
/*
 * The same for who reads once from front to back: also standard input ("-"), a pipe, a socket. Such a source gives
 * ERR_CANCELLED when `c` (may be NULL), which it borrows, is set.
 */
struct err *source_open_once(struct source **ret, const char *path, const struct cancel *c) ERR_MUST;
void source_free(struct source *s);
OWN_DEFINE(source, source)
#define OWN_SOURCE OWN(source_freep)

/* The path it was opened with; borrowed. */
const char *source_path(const struct source *s);
/* Bytes in all, when it was opened, or SOURCE_SIZE_UNKNOWN. */
uint64_t source_size(const struct source *s);
/* Reads exactly `n` bytes at `offset`. ERR_UNTRUSTED: E_TRUNCATED when it ends before, E_PART when a part does. */
struct err *source_read(const struct source *s, void *p, size_t n, uint64_t offset) ERR_MUST;
/* Gives exactly `n` bytes from `offset` on to `sink`; errors as source_read(), or the sink's. */
struct err *source_stream(const struct source *s, uint64_t offset, uint64_t n, source_sink sink, void *self) ERR_MUST;
/* True into *ret when there is no byte at `offset` or behind it. */
struct err *source_ends(bool *ret, const struct source *s, uint64_t offset) ERR_MUST;
/* Tells it that it will be read from front to back. */
void source_sequential(const struct source *s);
/* Tells it that the head was read, which one with one pass keeps; all else will be asked for in order. */
void source_settle(const struct source *s);
/* What helps when its bytes are wrong; borrowed. */
const char *source_cure(const struct source *s);
/* True when it is the file at `path`, or its list is. */
bool source_is_file(const struct source *s, const char *path);
/*
 * For a refusal of what was read: when the source itself can say what is wrong (a part that is not as the list says),
 * that error instead. May read all of it. Takes `e` and returns an error; NULL stays NULL.
 */
struct err *source_blame(const struct source *s, struct err *e) ERR_MUST;
