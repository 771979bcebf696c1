/* show: what is in a bundle, as a tree for -o json and as text for people. */
#pragma once
#include "bundle/bundle.h"

#include <stdio.h>

/*
 * The release at a glance: path, digest, signers, threshold and all of release.json's predicate but the members;
 * components have `packages` for their artifacts, and packages and images their size.
 */
struct err *show_inspect(struct doc **ret, const struct bundle *b) ERR_MUST;
/* A list of {license, components}: every licence expression and the components under it. */
struct doc *show_licenses(const struct bundle *b);
/* All members: a list of {path, size, digest, use}; `use` says what the blob is ("package etcd", "image x, layer"). */
struct err *show_list(struct doc **ret, const struct bundle *b) ERR_MUST;
/* The same as aligned text. */
void show_inspect_text(FILE *out, const struct doc *inspect);
void show_licenses_text(FILE *out, const struct doc *licenses);
void show_list_text(FILE *out, const struct doc *list);
