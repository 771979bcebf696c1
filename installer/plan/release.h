/* release: what verified bundles (a release's and its add-ons') say about components, as values. No file is read here.
 */
#pragma once
#include "doc/doc.h"

struct release {
    struct doc *head;       /* release.json's predicate; components and totals are those of the add-ons too */
    struct doc *components; /* list of definitions (bundles/<name>.yaml), each with "version" and
                               "manifestObjects" set */
};

/* Takes copies: `head` is release.json's predicate. */
void release_init(struct release *r, const struct doc *head);
/*
 * Adds what an add-on's release.json says (`head`: its predicate). `digest` (hex) is the identity of the release
 * itself. ERR_UNTRUSTED when the add-on was built for another one (E_REQUIRES), is of another product or channel
 * (E_PRODUCT), or has a component, package or image that is there already.
 */
struct err *release_extend(struct release *r, const struct doc *head, const char *digest) ERR_MUST;
/* Adds a definition (ownership passes); ERR_USAGE when head does not know it. `objects`: its manifests'
 * documents. */
struct err *release_add(struct release *r, struct doc *definition, struct doc *objects) ERR_MUST;
/* Digest (hex) of the node package `name`, or NULL; borrowed. */
const char *release_package(const struct release *r, const char *name);
/* The artifact entry of the package with that hex digest, or NULL; borrowed. */
const struct doc *release_artifact(const struct release *r, const char *digest);
/* The first component that has `key`, for keys that one component has ("imageStore"); NULL when none. */
const struct doc *release_find(const struct release *r, const char *key);
void release_done(struct release *r);
#define OWN_RELEASE OWN(release_done)
