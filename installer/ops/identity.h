/*
 * identity: what makes a cluster this cluster: authorities, service-account key, encryption key. They live in
 * the vault file alone; here they are in memory for the time of a run.
 */
#pragma once
#include "base/err.h"
#include "doc/doc.h"
#include "plan/diff.h"

struct vault {
    struct doc *secrets;     /* {schema, authorities: {name: {certificate, key}}, serviceAccountKey,
                                encryptionKey, digestKey} */
    struct doc *authorities; /* map: name -> certificate PEM */
    struct doc *shared;      /* what nodes get */
    char *service_account_public;
    struct identity identity; /* points into the above */
};

/* Folder of the operator's key pair: $XDG_CONFIG_HOME/caisson/keys, in new memory. */
char *vault_keys_folder(void);
/* Makes the operator's key pair unless there is one; *ret_made tells. */
struct err *vault_operator_key(bool *ret_made) ERR_MUST;
/* Makes a new cluster's secrets and seals them into `path`. ERR_REFUSED when the file exists. */
struct err *vault_create(const char *path) ERR_MUST;
/* Opens `path` with the operator's key. */
struct err *vault_load(struct vault **ret, const char *path) ERR_MUST;
void vault_free(struct vault *v);
OWN_DEFINE(vault, vault)

/* PEM of an authority's certificate; borrowed. NULL when there is none of that name. */
const char *vault_authority(const struct vault *v, const char *name);
/*
 * Issues a certificate for a CSR after the description `leaf` ({ca, cn, orgs, dns, ips, usages}), one year
 * long, valid from an hour ago (PKI-2).
 */
struct err *vault_issue_leaf(struct buf *cert, const struct vault *v, const struct doc *leaf, const char *csr) ERR_MUST;
/* A client certificate of authority `ca` with its new key, both PEM, `seconds` long: for this run, or for a
 * person. */
struct err *vault_issue_client(struct buf *cert, struct buf *key, const struct vault *v, const char *ca, const char *cn,
                               const char *org, int64_t seconds) ERR_MUST;
