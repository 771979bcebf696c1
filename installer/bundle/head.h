/* head: the members before index.json, in their order, under their limits, unparsed. Private to bundle/. */
#pragma once
#include "base/buf.h"
#include "bundle/format.h"
#include "bundle/walk.h"

struct head_sig {
    char keyid[65]; /* what the member's name says; never decides anything */
    unsigned char bytes[FORMAT_SIG_BYTES_MAX];
    size_t len;
};

struct head_sigs {
    struct head_sig at[FORMAT_SIGS_MAX];
    size_t n;
};

struct head {
    struct buf root; /* the first root document */
    struct head_sigs root_sigs;
    unsigned n_roots;
    struct buf release;
    struct head_sigs sigs;
    uint64_t root_at, release_at; /* offsets of their headers */
    uint64_t index_at;            /* offset of index.json's header: where release.json's member list begins */
    int64_t mtime;
    bool delta; /* some of the release's blobs are not in the file */
};

/* Reads the head. Nothing in it is interpreted beyond names and sizes. */
struct err *head_read(struct head *ret, const struct source *source) ERR_MUST;
void head_done(struct head *h);
