/* imageref: an image's name, taken apart as Docker's tools understand it. */
#pragma once
#include "base/err.h"
#include "base/own.h"

struct imageref {
    char *host;   /* "docker.io" when the name has none */
    char *path;   /* "library/busybox" */
    char *tag;    /* or NULL: a digest */
    char *sha256; /* 64 hex digits, or NULL: a tag */
    char *name;   /* all of it: "docker.io/library/busybox:latest" */
};

/*
 * Reads "busybox", "oci://host:5000/path:tag", "host/path@sha256:...". What is left out gets Docker's defaults:
 * docker.io, library/, latest. ERR_USAGE (E_REF) for anything else, and for a tag beside a digest.
 */
struct err *imageref_parse(struct imageref *ret, const char *text) ERR_MUST;
/*
 * The name that a container runtime looks for when a manifest says `text`, whatever that is: with the same defaults,
 * and of a tag beside a digest the digest alone. New memory; NULL without memory.
 */
char *imageref_complete(const char *text);
void imageref_done(struct imageref *r);
#define OWN_IMAGEREF OWN(imageref_done)
