/* trust: from the operator's public keys along the chain of root documents to the release. Private to bundle/. */
#pragma once
#include "base/str.h"
#include "bundle/head.h"
#include "doc/doc.h"

struct trust_result {
    struct strs signers; /* key ids of the release role whose signatures of the release hold */
    struct strs chain;   /* digests (hex) of the root documents from the anchor to the last */
    struct doc *root;    /* the last root document */
    struct buf bytes;    /* of that */
};

/*
 * `trust` names files: public keys (PEM) and root documents. The anchor is the first root document of the bundle that
 * is one of the latter, byte for byte, or whose own root threshold is reached by signatures of the former; each
 * document behind it must satisfy root_follow(). The release keys of the last one must then have signed the release, as
 * many as it asks for (one, when `to_sign`: more are to come), and it must not deny the release.
 */
struct err *trust_check(struct trust_result *ret, const struct head *h, const char *file, const char *const trust[],
                        size_t n_trust, bool to_sign) ERR_MUST;
void trust_done(struct trust_result *t);
