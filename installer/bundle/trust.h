/* trust: whose word counts. Raw signatures first, then the root document and the roles in it. Private to bundle/. */
#pragma once
#include "bundle/head.h"

struct trust_result {
    char signer[65]; /* key id of the release's signer */
    char *product;   /* that the root document speaks for; owned */
    int64_t epoch;   /* of the root document */
};

/*
 * Checks the head's two signatures against the public keys in the PEM files `keys`, and then, in the root document,
 * that the one key has the release role and the other the root role.
 */
struct err *trust_check(struct trust_result *ret, const struct head *h, const char *file, const char *const keys[],
                        size_t n_keys) ERR_MUST;
