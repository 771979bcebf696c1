/* registry_api: requests to a registry, with logins, redirects and patience. Private to net/. */
#pragma once
#include "net/net.h"
#include "net/registry.h"

/* A token or login that a registry took. */
struct grant {
    char *origin, *path; /* of the registry and the image */
    char *value;         /* of the header Authorization */
    int64_t until_ms;    /* clock_ms() */
};

struct registry {
    struct net *net; /* borrowed */
    struct http *conn;
    struct doc *auths; /* or NULL */
    struct grant *grants;
    size_t n;
};

/* The image `path` at one place: the registry itself or a mirror. */
struct site {
    const char *base; /* "https://host/v2/path" */
    const char *path;
};

struct reply {
    struct buf body;
    char type[128];   /* of the body, without parameters */
    char digest[128]; /* what the registry says it is, or "" */
};

/* GETs site->base + `rest` with a body of at most `max` bytes. Errors as registry.h has them. */
struct err *registry_get(struct reply *ret, struct registry *r, const struct site *site, const char *rest,
                         const char *accept, size_t max) ERR_MUST;
void reply_done(struct reply *reply);
#define OWN_REPLY OWN(reply_done)
/*
 * What to send along as Authorization to the site, or NULL for nothing; borrowed until the next request. Logins run
 * out: true is the result when there was one, and the site must be asked for something small first.
 */
bool registry_grant(const char **ret, const struct registry *r, const struct site *site);
/* The login for the site was refused, whenever it was to run out: it has. */
void registry_expire(struct registry *r, const struct site *site);
