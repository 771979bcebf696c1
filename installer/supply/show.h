/* show: what is in a bundle, as a tree for -o json and as text for people. */
#pragma once
#include "bundle/bundle.h"

#include <stdio.h>

/*
 * The release at a glance: product, profile, version, channel, epoch, sequence, issued, platforms, kubernetes,
 * requires, digest, signer, totals, and components with version, licence, packages and images.
 */
struct doc *show_inspect(const struct bundle *b);
/* All members: a list of {path, size, digest, use}; `use` says what the blob is ("package etcd", "image x, layer"). */
struct err *show_list(struct doc **ret, const struct bundle *b) ERR_MUST;
/* The same two as aligned text. */
void show_inspect_text(FILE *out, const struct doc *inspect);
void show_list_text(FILE *out, const struct doc *list);
