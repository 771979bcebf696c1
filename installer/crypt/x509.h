/*
 * x509: certificate requests, authorities and certificates. The issuer decides everything in a certificate;
 * of a request only the public key is used, after its proof of possession. Times are seconds since 1970; who
 * wants a certificate to hold for clocks that are behind passes an earlier not_before.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "crypt/digest.h"
#include "crypt/key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends a PKCS#10 request as PEM, with subject CN=`cn`, signed by `k`. */
struct err *csr_make(struct buf *pem, const struct key *k, const char *cn) ERR_MUST;

/* Longest common name: "system:node:" and a full DNS name; X.520's 64 is too short for node names, and Go and
   OpenSSL read longer ones. */
#define CERT_CN_MAX 300

struct cert_spec {
    const char *cn;          /* 1..CERT_CN_MAX bytes, no control characters */
    const char *const *orgs; /* O= of the subject: groups in Kubernetes */
    size_t n_orgs;
    const char *const *dns; /* names and addresses of the subjectAltName */
    size_t n_dns;
    const char *const *ips; /* numeric IPv4 or IPv6 */
    size_t n_ips;
    bool server, client; /* extended key usages; at least one unless `ca` */
    bool ca;             /* an intermediate authority (pathlen 0): no SAN, no extended usage */
    int64_t not_before, not_after;
};

/*
 * Appends a self-signed authority (P-256 or Ed25519 key, or RSA): basicConstraints critical CA:TRUE
 * pathlen:1, keyUsage critical keyCertSign+cRLSign, SKI and AKI.
 */
struct err *ca_create(struct buf *cert_pem, const struct key *k, const char *cn, int64_t not_before, int64_t not_after)
    ERR_MUST;
/*
 * Appends a certificate for the key of the first request in `csr_pem`, whose signature is checked
 * (ERR_UNTRUSTED). ERR_UNTRUSTED when ca_cert_pem is no authority or not the certificate of `ca_key`;
 * ERR_REFUSED when the certificate would outlive the authority; ERR_USAGE for a spec that makes no sense (no
 * name, bad address or DNS name, times the wrong way round). A leaf has basicConstraints critical CA:FALSE,
 * keyUsage critical digitalSignature (RSA: and keyEncipherment), extKeyUsage, subjectAltName when there is
 * one, SKI and AKI; the serial has 128 random bits (RFC 5280, CA/B BR 7.1 asks for 64).
 */
struct err *cert_issue(struct buf *cert_pem, const struct cert_spec *spec, const char *csr_pem, const char *ca_cert_pem,
                       const struct key *ca_key) ERR_MUST;
/* The same for a key that is here; only its public half is used. */
struct err *cert_issue_for_key(struct buf *cert_pem, const struct cert_spec *spec, const struct key *subject_key,
                               const char *ca_cert_pem, const struct key *ca_key) ERR_MUST;

struct cert_info {
    int64_t not_before, not_after;
    char serial[64];              /* lower-case hex without leading zero octets */
    char cn[CERT_CN_MAX + 1];     /* "" when the subject has none, cut when longer */
    char fingerprint[DIGEST_HEX]; /* SHA-256 of the DER */
    char key_id[DIGEST_HEX];      /* SHA-256 of its SubjectPublicKeyInfo, as key_id() */
    bool ca;
};

/* Reads the first certificate of the text; it is not checked against any authority. ERR_UNTRUSTED when
 * unreadable. */
struct err *cert_info(const char *pem, struct cert_info *ret) ERR_MUST;
/*
 * NULL when the first certificate of `pem` was issued by one of the authorities in `ca_pem` (a list) and
 * holds at `at_s`. No names or usages are checked. ERR_UNTRUSTED with the reason.
 */
struct err *cert_check(const char *pem, const char *ca_pem, int64_t at_s) ERR_MUST;
