/*
 * oci: what an OCI index reaches: nested indexes, manifests, configs, layers. One set of rules for who reads a bundle
 * and for who makes one.
 */
#pragma once
#include "bundle/bundle.h"

/* Media types of Docker and of OCI alike; NULL is none. */
bool oci_is_index(const char *type);
bool oci_is_manifest(const char *type);
bool oci_is_layer(const char *type);
/*
 * True when every machine of `platform` ("linux/amd64") runs what `d` is for: `os`, `architecture` and `variant` of a
 * config, or of a descriptor's `platform`. The variant is absent or the usual one (v8 of arm64, else v1), unless
 * `platform` names it.
 */
bool oci_is_for(const struct doc *d, const char *platform);
/* The descriptor in an index that a machine of the platform takes: the first that is for it, or NULL. Borrowed. */
const struct doc *oci_choose(const struct doc *index, const char *platform);

/* Where a walk finds blobs: a bundle, or what is to become one. */
struct oci_blobs {
    const void *self;
    const struct doc *platforms; /* list of "os/architecture": the release's */
    /* False when there is none with this digest (64 hex digits). */
    bool (*size)(const void *self, const char *hex, uint64_t *ret);
    /* Appends all of it, its digest checked. */
    struct err *(*read)(const void *self, struct buf *out, const char *hex);
};

/* The blobs of a bundle's release; of a delta, those that it lacks are known by their size, and cannot be read. */
struct oci_blobs oci_blobs_of(const struct bundle *b);

/*
 * Called for each blob reached, by its 64 hex digits, before it is read; one may come more than once. `is_read`: the
 * walk goes on by what it says (an index, a manifest or a config). NULL: nothing to do.
 */
typedef struct err *(*oci_visit)(void *self, const char *hex, bool is_read);

/*
 * Visits the blobs of one descriptor of index.json, itself included. Refused (ERR_UNTRUSTED), with the image's name and
 * the digest: a blob that is not there (E_OCI_CLOSURE), wrong sizes, foreign media types, descriptors with `urls` or
 * `data`, more than 4 nested indexes (E_OCI), a config for another platform than the release's (E_PLATFORM).
 */
struct err *oci_walk(const struct oci_blobs *blobs, const struct doc *descriptor, oci_visit visit, void *self) ERR_MUST;
/* Name of the image that a descriptor of index.json stands for, or NULL: an artifact. Borrowed. */
const char *oci_image_name(const struct doc *descriptor);
/* The descriptor of the image `name` in index.json, or NULL; borrowed. */
const struct doc *oci_find_image(const struct doc *index, const char *name);
/* Checks index.json itself: form, names, agreement with the images of the release. E_OCI, E_REF. */
struct err *oci_check_index(const struct doc *index, const struct doc *release) ERR_MUST;
/* The whole closure: everything complete, no blob without a use (E_OCI_ORPHAN). */
struct err *oci_check_closure(const struct bundle *b) ERR_MUST;
