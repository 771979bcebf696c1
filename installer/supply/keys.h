/* keys: signing keys of releases. */
#pragma once
#include "base/err.h"
#include "crypt/key.h"

/*
 * Makes an ECDSA P-256 key pair: `name`.key (PKCS#8 PEM, 0600) and `name`.pub (SubjectPublicKeyInfo PEM). Existing
 * files are never overwritten: ERR_REFUSED. The key's id goes into `ret_id`.
 */
struct err *keys_generate(char ret_id[65], const char *name) ERR_MUST;
/* Reads a private key file. ERR_REFUSED when others than its owner may read it, ERR_USAGE when it cannot be read. */
struct err *keys_load(struct key **ret, const char *path) ERR_MUST;
