/* release: release.json after its signature held: its schema, its member list. Private to bundle/. */
#pragma once
#include "base/buf.h"
#include "doc/doc.h"

/* A member as release.json states it. Strings are borrowed from the parsed document. */
struct member {
    const char *path;
    const char *hex; /* of its sha256 */
    uint64_t size;
    uint64_t at; /* offset of its header in the file; 0: a delta without it */
};

struct members {
    struct member *at;
    size_t n;
    const struct member **by_hex; /* sorted by digest */
    uint64_t end_at;              /* offset of the end mark */
};

/* Parses and checks the document. ERR_UNTRUSTED: E_JSON, E_SCHEMA, E_CRIT, E_FORMAT, E_PATH, E_REF. */
struct err *release_parse(struct doc **ret, const struct buf *bytes) ERR_MUST;
/* The member list of a parsed release; the first one's header is at `index_at`. E_LIMIT, E_SCHEMA. */
struct err *release_members(struct members *ret, const struct doc *release, uint64_t index_at) ERR_MUST;
/* Checks that what the components name is there. E_MISSING. */
struct err *release_check_digests(const struct doc *release, const struct members *m) ERR_MUST;
void members_done(struct members *m);
/* The member with that digest, or NULL. */
const struct member *members_find(const struct members *m, const char *hex);
