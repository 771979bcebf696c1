/* evidence: what the bytes themselves say of a file. Costly once, kept in the cache by digest. Private to supply/. */
#pragma once
#include "supply/content.h"
#include "supply/recipe.h"

/*
 * Of the file `path`, whose sha256 must be `hex` (ERR_UNTRUSTED, E_DIGEST): {sha256, sha512, size, elf: true for an
 * ELF file, go: what goinfo_read() says}. `what` names it to the progress function and in errors.
 */
struct err *evidence_file(struct doc **ret, const struct recipe *r, const char *path, const char *hex, const char *what)
    ERR_MUST;
/* Called for each file: what evidence_file() would say of it, with `path` and `mode`; for links {path, link}. */
typedef struct err *(*evidence_visit)(void *self, const struct doc *file);
/*
 * Visits what is in an image's layer, a blob that lies in a file, sorted by path. ERR_UNTRUSTED (E_LAYER, E_LIMIT) for
 * what is no layer.
 */
struct err *evidence_layer(const struct recipe *r, const struct blob *b, const char *what, evidence_visit visit,
                           void *self) ERR_MUST;
/* What evidence_file() says, of a blob of the bundle, wherever its bytes are. */
struct err *evidence_blob(struct doc **ret, const struct recipe *r, const struct blob *b, const char *what) ERR_MUST;
