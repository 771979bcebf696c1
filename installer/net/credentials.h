/*
 * credentials: who we are to a registry: names and passwords from a file, what a refusal asks for, and tokens. Private
 * to supply/.
 */
#pragma once
#include "base/buf.h"
#include "doc/doc.h"

/* What "WWW-Authenticate" asks for (RFC 9110, 11.6.1; distribution's token authentication). */
struct challenge {
    bool bearer; /* a token from `realm`; else a name and a password (Basic) */
    char *realm; /* https:// */
    char *service;
    char *scope;
};

/*
 * Reads a file as Docker's config.json is: `auths`, by host, with `auth` (name:password in base64) or `username` and
 * `password`. ERR_USAGE when it is no such file, ERR_REFUSED when others may read it.
 */
struct err *credentials_load(struct doc **ret, const char *path) ERR_MUST;
/* Appends "Basic ..." for the host (docker.io by each of its names), or nothing when the file has none. */
struct err *credentials_basic(struct buf *out, const struct doc *auths, const char *host) ERR_MUST;

/* Reads the header's value. ERR_FAILED (E_REG_AUTH) for another scheme, a realm that is not https, or no such value. */
struct err *challenge_parse(struct challenge *ret, const char *text) ERR_MUST;
void challenge_done(struct challenge *c);
#define OWN_CHALLENGE OWN(challenge_done)
/* The URL to ask for a token to pull `path`; new memory in *ret. */
struct err *challenge_url(char **ret, const struct challenge *c, const char *path) ERR_MUST;
/* Appends "Bearer ..." out of the realm's answer. *ret_seconds: how long it holds. ERR_FAILED (E_REG_AUTH). */
struct err *challenge_token(struct buf *out, int64_t *ret_seconds, const struct buf *answer) ERR_MUST;
