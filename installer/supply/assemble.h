/* assemble: what a recipe puts into a bundle: blobs, index.json, the `components` of release.json. Private to supply/.
 */
#pragma once
#include "supply/content.h"
#include "supply/recipe.h"

struct spool; /* supply/spool.h */

struct assembly {
    struct content content;
    struct doc *index;      /* index.json */
    struct doc *components; /* list for release.json */
    struct doc *trees;      /* what is in each package, by its digest; as package_make() gives it */
    char profile_digest[72], sbom_digest[72];
    struct spool *sbom; /* the bill of materials */
    uint64_t raw_extra; /* bytes that packages gain when unpacked */
};

struct err *assemble(struct assembly *ret, const struct recipe *r) ERR_MUST;
void assemble_done(struct assembly *a);
