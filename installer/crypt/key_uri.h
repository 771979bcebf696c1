/*
 * key_uri: private keys that stay where they are, in a token, a TPM or a file of some provider's own format, and sign
 * there. What a URI means is up to OpenSSL's providers: `pkcs11:token=...;object=...` (RFC 7512; pkcs11-provider),
 * `handle:0x81000001?pass` (tpm2), `file:...` (OpenSSL itself).
 */
#pragma once
#include "crypt/key.h"

/* True when `text` names a key by URI rather than by a file's path: two or more letters, digits, '+', '-' or '.', then
 * ':'. A file of such a name is written ./NAME. */
bool key_is_uri(const char *text);

/* Who is asked for the PIN, or the passphrase of a `file:`: appended to `out`. `uri` is what it is for. */
struct key_pin {
    struct err *(*ask)(void *self, struct buf *out, const char *uri);
    void *self;
};

enum { KEY_PROVIDERS_MAX = 64 };

/*
 * The private key at `uri`, through the `providers` (n of them) and those of the machine's openssl.cnf, which is read
 * for this alone. `pin` (ask NULL: nobody) is asked once, since a token counts wrong ones, and again for each signature
 * where the token wants that; what it points at outlives the key. ERR_USAGE: a PIN inside the URI, no token named, a
 * provider that is not there, no such token or object, more than one, a wrong PIN. ERR_UNTRUSTED as key_from_pem().
 */
struct err *key_from_uri(struct key **ret, const char *uri, const char *const providers[], size_t n, struct key_pin pin)
    ERR_MUST;
