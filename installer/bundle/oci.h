/* oci: what an OCI index reaches: nested indexes, manifests, configs, layers. Private to bundle/. */
#pragma once
#include "bundle/bundle.h"
#include "bundle/release.h"

/* Called for each blob reached; `m` may come more than once. */
typedef struct err *(*oci_visit)(void *self, const struct member *m);

/*
 * Visits the blobs of one descriptor of index.json, itself included. Refused (ERR_UNTRUSTED): a blob that is no member
 * (E_OCI_CLOSURE), wrong sizes, foreign media types, descriptors with `urls` or `data`, more than 4 nested indexes
 * (E_OCI), a config for another platform than the release's (E_PLATFORM).
 */
struct err *oci_walk(const struct bundle *b, const struct doc *descriptor, oci_visit visit, void *self) ERR_MUST;
/* Name of the image that a descriptor of index.json stands for, or NULL: an artifact. Borrowed. */
const char *oci_image_name(const struct doc *descriptor);
/* Checks index.json itself: form, names, agreement with the images of the release. E_OCI, E_REF. */
struct err *oci_check_index(const struct doc *index, const struct doc *release) ERR_MUST;
/* The whole closure: everything complete, no blob without a use (E_OCI_ORPHAN). */
struct err *oci_check_closure(const struct bundle *b) ERR_MUST;
