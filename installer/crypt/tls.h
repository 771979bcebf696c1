/*
 * tls: one HTTPS GET, for readiness probes on a node. TLS 1.2 or newer, the server always verified against
 * the given authorities and name; the system's trust store plays no part. Numeric addresses only: nothing is
 * resolved.
 */
#pragma once
#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"

#include <stdint.h>

struct tls_call {
    const char *address; /* numeric IPv4 or IPv6 */
    uint16_t port;
    const char *name;      /* what the server's certificate must be for: DNS name or numeric address */
    const char *path;      /* "/readyz?verbose" */
    const char *ca_file;   /* PEM, one or more authorities */
    const char *cert_file; /* client certificate and key as PEM; NULL: none */
    const char *key_file;
    int64_t deadline_ms;         /* clock_ms() of the end of everything */
    const struct cancel *cancel; /* may be NULL */
};

#define TLS_BODY_MAX ((size_t)1 << 20)

/*
 * Sends the request, appends the answer's body (at most TLS_BODY_MAX) to `body` and its status to
 * *ret_status; any status is a success of this call. ERR_UNREACHABLE: no connection, deadline, broken or cut
 * answer; ERR_UNTRUSTED: certificate or name refused, also when the server refuses ours; ERR_FAILED: a file
 * cannot be read; ERR_USAGE: a bad address or path; ERR_CANCELLED.
 */
struct err *tls_get(struct buf *body, int *ret_status, const struct tls_call *call) ERR_MUST;
