/* fetch_list: what of a lock is there and what is not. Private to supply/. */
#pragma once
#include "supply/fetch.h"

enum fetch_how {
    FETCH_PRESENT,  /* nothing to do */
    FETCH_TWIN,     /* another entry has the same bytes: they are fetched once */
    FETCH_DOWNLOAD, /* it has addresses */
    FETCH_EXTRACT,  /* out of an archive of the lock */
    FETCH_IMAGE,    /* out of a registry */
    FETCH_NOWHERE,  /* somebody must make it */
};

struct fetch_item {
    const struct doc *entry; /* borrowed from the lock */
    char *path;              /* its blob in the cache */
    enum fetch_how how;
};

struct fetch_list {
    struct fetch_item *at;
    size_t n;
    uint64_t bytes; /* to be fetched; of images, whose size nobody knows yet, none */
    uint64_t room;  /* that they need on the disk: halves are there already */
};

/* Looks into the cache; bytes that are there are read through their digests. ERR_CANCELLED. */
struct err *fetch_list_make(struct fetch_list *ret, const struct doc *lock, const struct fetch_opts *o, fetch_says says,
                            void *self) ERR_MUST;
void fetch_list_done(struct fetch_list *l);

const char *fetch_id(const struct fetch_item *item);
uint64_t fetch_size(const struct fetch_item *item);
const char *fetch_sha256(const struct fetch_item *item);
