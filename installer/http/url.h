/* url: the parts of a URL that decide where bytes come from. */
#pragma once
#include "base/err.h"
#include "base/own.h"

#include <stdbool.h>

struct http_url {
    char *host;   /* in lower case; an IPv6 address in brackets */
    char *origin; /* "https://host:port" */
    bool secure;  /* https */
};

/* True when `s` begins as a URL of http or https does: it is no path then. */
bool http_is_url(const char *s);
/*
 * Takes `url` apart. ERR_USAGE when it is no URL of http or https, or has a user's name or a password in it: those
 * would end up in logs.
 */
struct err *http_url_parse(struct http_url *ret, const char *url) ERR_MUST;
void http_url_done(struct http_url *u);
#define OWN_URL OWN(http_url_done)
