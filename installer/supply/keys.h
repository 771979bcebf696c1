/* keys: signing keys of releases and root documents. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "bundle/sigs.h"
#include "crypt/key_uri.h"

enum keys_scheme { KEYS_P256, KEYS_ED25519 };

/*
 * Makes a key pair: `name`.key (PKCS#8 PEM, 0600, encrypted unless `passphrase` is NULL) and `name`.pub
 * (SubjectPublicKeyInfo PEM). Existing files are never overwritten: ERR_REFUSED. The key's id goes into `ret_id`.
 */
struct err *keys_generate(char ret_id[65], const char *name, enum keys_scheme scheme, const char *passphrase) ERR_MUST;

/* What else private keys need. */
struct keys_ask {
    /* The passphrase of a key file, or the PIN of what a URI names, appended to `out`. */
    struct err *(*passphrase)(void *self, struct buf *out, const char *path);
    void *self;
    const char *providers[KEY_PROVIDERS_MAX]; /* OpenSSL's, for URIs */
    size_t n_providers;
};

/*
 * A private key: a file, or a URI (crypt/key_uri.h). `ask` (NULL: nobody) is asked when it is protected, and outlives
 * the key. ERR_REFUSED when others than its owner may read the file, ERR_USAGE when it cannot be read or used, or is of
 * a kind that signs no releases.
 */
struct err *keys_load(struct key **ret, const char *path, const struct keys_ask *ask) ERR_MUST;
/* Reads a public key file. ERR_USAGE when it cannot be read or is none that can sign releases. */
struct err *keys_load_public(struct key **ret, const char *path) ERR_MUST;
/* A key of which only the public half is needed: the file may be either half. */
struct err *keys_load_any(struct key **ret, const char *path, const struct keys_ask *ask) ERR_MUST;
/* "p256" or "ed25519". */
const char *keys_scheme_name(const struct key *key);
/* Writes the public half into a new file, as keys_generate() does. ERR_REFUSED when there is one. */
struct err *keys_write_public(const char *path, const struct key *key) ERR_MUST;
/* Signs `body` as a document of `type` (FORMAT_..._PAYLOAD); the signature goes where it sorts. */
struct err *keys_sign(struct sigs *to, const struct key *key, const char *type, const struct buf *body) ERR_MUST;
/* What is to be trusted as a file that bundle_open() can read: *ret_fd, which the caller closes, and its path. */
struct err *keys_memory_file(int *ret_fd, char ret_path[64], const void *p, size_t n) ERR_MUST;
/* Reads a secret file: at most `max` bytes, and nobody but its owner may read it (ERR_REFUSED). `what` names it. */
struct err *keys_read_secret(struct buf *out, const char *what, const char *path, size_t max) ERR_MUST;
