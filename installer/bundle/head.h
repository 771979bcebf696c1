/* head: the members before index.json, in their order, under their limits, unparsed. Private to bundle/. */
#pragma once
#include "bundle/root.h"
#include "bundle/walk.h"

/* A sigstore bundle, of which only this is kept until a signature holds. */
struct sigstore_raw {
    char hex[DIGEST_HEX];
    uint64_t at; /* offset of its header */
};

struct head {
    struct root_raw *roots; /* version 1 first */
    size_t n_roots;
    struct buf release;
    struct sigs sigs;
    struct sigstore_raw sigstores[FORMAT_SIGS_MAX]; /* the release's signatures for other tools */
    size_t n_sigstores;
    uint64_t release_at; /* offset of its header */
    uint64_t index_at;   /* offset of index.json's header: where release.json's member list begins */
    int64_t mtime;
    bool delta; /* some of the release's blobs are not in the file */
};

/* Reads the head. Nothing in it is interpreted beyond names and sizes. */
struct err *head_read(struct head *ret, const struct source *source) ERR_MUST;
/* For one that is trusted: each sigstore bundle repeats one of the release's signatures. E_SIG_BAD. */
struct err *head_check_sigstores(const struct head *h, const char *file) ERR_MUST;
void head_done(struct head *h);
