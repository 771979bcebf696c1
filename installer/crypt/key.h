/*
 * key: private and public keys, signatures. Three types only: EC on the named curve P-256, Ed25519, RSA of
 * 2048 to 8192 bits (RSA for what Kubernetes wants as RSA; it neither signs nor verifies here).
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "crypt/digest.h"

#include <stdbool.h>
#include <stddef.h>

struct key;

/* New random keys. ERR_USAGE for an RSA size outside 2048..8192. */
struct err *key_new_ec(struct key **ret) ERR_MUST;
struct err *key_new_ed25519(struct key **ret) ERR_MUST;
struct err *key_new_rsa(struct key **ret, unsigned bits) ERR_MUST;

/* True when the PEM text holds a private key that only a passphrase opens: ask the operator, then
 * key_from_pem(). */
bool key_pem_is_protected(const char *pem, size_t len);
/*
 * A private key out of PEM. `passphrase` may be NULL; nobody is ever asked from here. ERR_USAGE when a
 * passphrase is missing or wrong or the text is no private key, ERR_UNTRUSTED for another type, curve or
 * size, or a key that is mathematically wrong.
 */
struct err *key_from_pem(struct key **ret, const char *pem, size_t len, const char *passphrase) ERR_MUST;
/* A public key out of PEM ("BEGIN PUBLIC KEY"). ERR_UNTRUSTED for anything else. */
struct err *key_public_from_pem(struct key **ret, const char *pem, size_t len) ERR_MUST;
/* The public key of a certificate. ERR_UNTRUSTED as above. */
struct err *key_from_cert(struct key **ret, const char *cert_pem) ERR_MUST;

/* Appends PKCS#8 PEM, without a passphrase: hold it in OWN_SECRET_BUF. ERR_USAGE for a public key. */
struct err *key_private_pem(struct buf *out, const struct key *k) ERR_MUST;
#define PASSPHRASE_MAX 1000 /* bytes; the library reads them back into 1024 */
/* Appends encrypted PKCS#8 PEM (PBES2, PBKDF2 with 600 000 rounds, AES-256-CBC). ERR_USAGE for an empty or longer
 * passphrase. */
struct err *key_private_pem_protected(struct buf *out, const struct key *k, const char *passphrase) ERR_MUST;
/* Appends the SubjectPublicKeyInfo as PEM. */
struct err *key_public_pem(struct buf *out, const struct key *k) ERR_MUST;
/* Name of the key: SHA-256 of its SubjectPublicKeyInfo in DER (`openssl pkey -pubin -outform DER |
 * sha256sum`). */
struct err *key_id(char ret[DIGEST_HEX], const struct key *k) ERR_MUST;
bool key_has_private(const struct key *k);
void key_free(struct key *k);
OWN_DEFINE(key, key)
#define OWN_KEY OWN(key_freep)

#define KEY_SIG_MAX 72 /* longest signature: ECDSA P-256 in DER; Ed25519 has 64 bytes */

/*
 * Appends a signature over `n` bytes: ECDSA with SHA-256 in DER for P-256, pure Ed25519 (RFC 8032) for
 * Ed25519. ERR_USAGE for RSA or a public key.
 */
struct err *key_sign(struct buf *out, const struct key *k, const void *msg, size_t n) ERR_MUST;
/*
 * NULL when `sig` is a signature of `k` over the `n` bytes. The scheme is the key's own type, never what the
 * data says. ECDSA signatures must be strict DER (as re-encoding gives it), 0 < r < n and 0 < s < n. High s
 * is accepted: ECDSA allows (r, s) and (r, n-s), and signers outside (openssl, hardware) do not normalise; so
 * bytes of a signature must never be used as an identity. Everything else, RSA keys included: ERR_UNTRUSTED.
 */
struct err *key_verify(const struct key *k, const void *sig, size_t sig_len, const void *msg, size_t n) ERR_MUST;
