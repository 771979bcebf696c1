/* x509_build: certificates put together from typed values, never from extension text. Private to crypt/. */
#pragma once
#include "crypt/openssl.h"
#include "crypt/x509.h"

/*
 * A certificate with version, random serial, dates, subject, issuer (the subject of `issuer`, or its own when
 * NULL), public key, SKI and AKI. `pkey` is only read. ERR_USAGE for wrong names or times.
 */
struct err *cert_begin(X509 **ret, const struct cert_spec *spec, EVP_PKEY *pkey, const X509 *issuer) ERR_MUST;
/* basicConstraints, critical; `pathlen` below 0: none. */
struct err *cert_add_basic(X509 *cert, bool ca, long pathlen) ERR_MUST;

/* Bit numbers of keyUsage (RFC 5280, 4.2.1.3). */
enum { USE_SIGNATURE = 0, USE_ENCIPHER = 2, USE_AGREEMENT = 4, USE_CERT_SIGN = 5, USE_CRL_SIGN = 6 };
/* keyUsage, critical, with the bits whose (1 << number) is in `bits`. */
struct err *cert_add_usage(X509 *cert, unsigned bits) ERR_MUST;
/* extKeyUsage and subjectAltName as `spec` says; ERR_USAGE for a wrong name or address. */
struct err *cert_add_leaf(X509 *cert, const struct cert_spec *spec) ERR_MUST;
/* Signs and appends the PEM. */
struct err *cert_finish(struct buf *pem, X509 *cert, EVP_PKEY *issuer_key) ERR_MUST;
/* The subject of a certificate or request: O=..., CN=... */
struct err *cert_name(X509_NAME *name, const char *const orgs[], size_t n_orgs, const char *cn) ERR_MUST;

CRYPT_FREE(X509_REQ, X509_REQ_free, own_x509_req)
