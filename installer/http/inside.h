/* inside: the struct behind http.h, for the files of this room. Private to http/. */
#pragma once
#include "http/range.h"

#include <curl/curl.h>

struct http {
    CURL *easy;
    CURLM *multi; /* a private one, only because its poll also watches the cancel descriptor */
    char reason[CURL_ERROR_SIZE];
};

/* curl_easy_setopt() takes its value by type; the helper stops after the first failure. */
#define SET(h, rc, option, value)                                                                                      \
    do {                                                                                                               \
        if ((rc) == CURLE_OK)                                                                                          \
            (rc) = curl_easy_setopt((h)->easy, (option), (value));                                                     \
    } while (0)

/* Sets an option to the PEM text, which may be NULL: then the option is left alone. */
CURLcode http_set_pem(struct http *h, CURLoption option, const char *pem);
/* Only these trust anchors, not the system's; NULL: the system's. TLS 1.2 at least. */
CURLcode http_set_trust(struct http *h, const char *ca_pem);
/* The trust anchors for the URL's host, or NULL: the system's. Borrowed. */
const char *http_ca_of(const struct http_way *way, const char *url);
/* Runs the transfer that is set up; how it ended into *ret. ERR_CANCELLED, ERR_FAILED. */
struct err *http_perform(struct http *h, const struct cancel *cancel, CURLcode *ret) ERR_MUST;
void http_slist_free(struct curl_slist **l);
/* Appends a header line, which must have no line end in it. */
struct err *http_header_add(struct curl_slist **l, const char *line) ERR_MUST;
