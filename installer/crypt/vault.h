/*
 * vault: the operator's secrets file. CMS AuthEnvelopedData (RFC 5083) with AES-256-GCM for one or more
 * recipients, as PEM; opens without caisson: openssl cms -decrypt -inform PEM -in secrets.vault -inkey
 * operator.key -recip operator.crt Who has a recipient's certificate can make a new vault: it keeps secrets
 * and shows changed bytes, but does not say who wrote it.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

/*
 * Makes the operator's key pair in folder `dir` (which exists): operator.key (P-256, PKCS#8, 0600, encrypted
 * when `passphrase` is not NULL) and operator.crt (self-signed, only there because CMS names recipients by
 * certificate; its dates do not matter). ERR_REFUSED when one of them exists: nothing is ever overwritten.
 */
struct err *vault_key_create(const char *dir, const char *passphrase) ERR_MUST;
/*
 * Appends the vault to `out` as PEM. `recipients`: `n_recipients` (1 or more) texts with one certificate each
 * (P-256, or RSA); each of their keys opens it. ERR_USAGE for a recipient that cannot be used.
 */
struct err *vault_seal(struct buf *out, const void *plain, size_t n, const char *const recipients[],
                       size_t n_recipients) ERR_MUST;
/*
 * Appends what `sealed` holds; nothing is added unless the whole text was authentic: use OWN_SECRET_BUF.
 * `passphrase` opens the key and may be NULL (key_pem_is_protected() tells whether to ask). ERR_UNTRUSTED
 * when a byte was changed, it is for other recipients, or is not AES-256-GCM with a full 16-byte tag;
 * ERR_USAGE for a key that cannot be read.
 */
struct err *vault_open(struct buf *out, const void *sealed, size_t n, const char *key_pem, const char *cert_pem,
                       const char *passphrase) ERR_MUST;
