/* canon: canonical JSON only: the documents that a bundle's signatures cover. Private to bundle/. */
#pragma once
#include "base/buf.h"
#include "doc/doc.h"

/*
 * Parses a document whose bytes must be exactly what doc_json_write() makes of it: keys sorted, no white space, one
 * form for every string and number, no fractions, integers within 2^53, at most 64 levels, keys up to 256 bytes.
 * ERR_UNTRUSTED with E_JSON. `what` names it in errors.
 */
struct err *canon_parse(struct doc **ret, const char *what, const struct buf *bytes) ERR_MUST;
