/*
 * root: root documents, which say whose signatures count for what, and how many of them it takes. Shared with supply/,
 * which writes them.
 */
#pragma once
#include "base/str.h"
#include "bundle/sigs.h"
#include "doc/doc.h"

/* As it came: bytes and signatures, of which nothing is known yet. */
struct root_raw {
    struct buf bytes;
    struct sigs sigs;
    uint64_t at; /* offset of its member in the bundle */
};

#define ROOT_ANY_VERSION 0

/*
 * Parses root document `version` (or ROOT_ANY_VERSION, for one that stands alone): canonical JSON, schema, each key
 * under its id and fit for its scheme, each role's threshold within reach of its keys, which are listed once each.
 * ERR_UNTRUSTED: E_JSON, E_ROOT_SCHEMA, E_ROOT_CHAIN (another version), E_KEY_ID, E_KEY_SCHEME. The signatures are not
 * looked at.
 */
struct err *root_parse(struct doc **ret, unsigned version, const struct buf *bytes) ERR_MUST;
/*
 * Appends the ids of those keys of `role` whose signature of `body` is in `sigs`, each once. Signatures by others are
 * passed over. ERR_UNTRUSTED (E_SIG_BAD) when one of the role's keys has a signature there that does not hold.
 */
struct err *root_signers(struct strs *ret, const struct doc *root, const char *role, const struct sigs *sigs,
                         const char *type, const struct buf *body) ERR_MUST;
/* How many signatures the role asks for; 0 when there is no such role. */
size_t root_threshold(const struct doc *root, const char *role);
bool root_has(const struct doc *root, const char *role, const char *keyid);
/* Whether `deny` lists the release of these bytes. */
struct err *root_denies(bool *ret, const struct doc *root, const struct buf *release) ERR_MUST;
/* ERR_UNTRUSTED (E_ROOT_CHAIN) unless its product is that of `before` and its epoch not lower. */
struct err *root_continues(const struct doc *root, const struct doc *before) ERR_MUST;
/*
 * The document behind `before`: signed by the root keys of both, its version one higher, its product the same, its
 * epoch not lower. It is parsed when enough of the older keys signed it. ERR_UNTRUSTED: E_ROOT_CHAIN and those of
 * root_parse().
 */
struct err *root_follow(struct doc **ret, const struct doc *before, const struct root_raw *raw) ERR_MUST;
