/* sbom_private: what the files of the bill of materials share. */
#pragma once
#include "supply/sbom.h"

/* Lists that grow with what a release holds: each goes to a file, and together these make the document. */
enum sbom_list {
    SBOM_COMPONENTS,
    SBOM_BLOBS,     /* of images, which share them */
    SBOM_LIBRARIES, /* in programs, which share them */
    SBOM_DEPENDENCIES,
    SBOM_COMPLETE, /* programs by what is known of their dependencies */
    SBOM_INCOMPLETE,
    SBOM_UNKNOWN,
    SBOM_LISTS,
};

struct sbom {
    const struct recipe *r;
    const struct assembly *a;
    struct {
        struct spool *text;
        bool more; /* a comma comes before the next element */
    } lists[SBOM_LISTS];
    struct doc *blobs; /* of images, that are there already, by reference */
    struct doc *sums;  /* of Go modules that are there already, by reference */
};

/* What a thing has from the component that it belongs to. */
struct owner {
    const char *supplier, *version;
};

/* ---- lists (sbom_list.c) ---- */

/* Adds an element; `v` passes over, also when there is an error. */
struct err *sbom_add(struct sbom *s, enum sbom_list list, struct doc *v) ERR_MUST;
/* Adds a text. */
struct err *sbom_add_text(struct sbom *s, enum sbom_list list, const char *text) ERR_MUST;
/* Begins an element with `components` of its own: those are what is added next, up to sbom_end(). */
struct err *sbom_begin(struct sbom *s, enum sbom_list list, const char *ref) ERR_MUST;
/* Ends it with all else that it has, which passes over. */
struct err *sbom_end(struct sbom *s, enum sbom_list list, struct doc *thing) ERR_MUST;

/* An element of components. */
struct doc *sbom_thing(const char *type, const char *ref, const char *name, const struct owner *owner);
void sbom_property(struct doc *thing, const char *name, const char *value);
/* Digests and size. */
void sbom_evidence(struct doc *thing, const struct doc *evidence);
/* An element of dependencies, and its list, to be filled. */
struct doc *sbom_depends(const char *ref);
struct doc *sbom_depends_on(const struct doc *depends);

/* ---- programs (sbom_go.c) ---- */

/* What is known of a program's dependencies, or that nothing is. `depends` are those of what holds it. */
struct err *sbom_program(struct sbom *s, struct doc *thing, struct doc *depends, const struct doc *evidence) ERR_MUST;

/* ---- components (sbom_parts.c) ---- */

/* All components of the release, the profile, and what the release depends on. */
struct err *sbom_components(struct sbom *s) ERR_MUST;
