/*
 * stored: a release in a store (bundles/README.md, "Store") as a source: its head, and the members behind it out of
 * their headers and files, are the published file, byte for byte. Private to bundle/.
 */
#pragma once
#include "bundle/source.h"
#include "pack/ustar.h"

/* Names in a store. */
#define STORE_FORMAT_FILE "format"
#define STORE_FORMAT "caisson-store 1\n"
#define STORE_BLOBS "blobs/sha256"
#define STORE_RELEASES "releases"
#define STORE_TMP "tmp"

/* The headers of a release's members from index.json on, in their order. */
struct headers {
    unsigned char *at; /* USTAR_BLOCK bytes each */
    size_t n;
};

/* Reads and checks those of the release folder `fd`. ERR_FAILED (E_STORE). */
struct err *headers_read(struct headers *ret, int fd) ERR_MUST;
/* The i-th. */
void headers_entry(struct ustar_entry *ret, const struct headers *h, size_t i);
/* The digest of a blob's name, 64 digits; NULL: it is index.json. */
const char *headers_hex(const struct ustar_entry *e);
void headers_done(struct headers *h);

/* Opens the release folder at `path`; `name` is what people know it by. ERR_USAGE when it is none. */
struct err *stored_open(struct source **ret, const char *path, const char *name) ERR_MUST;
