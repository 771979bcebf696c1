/*
 * passphrase: of private keys, and PINs of tokens: out of --passphrase-file, else from the person at the terminal;
 * never an argument.
 */
#pragma once
#include "cli/cli.h"
#include "supply/keys.h"

/* What keys_load() asks; the providers of --provider with it. */
struct keys_ask passphrase_ask(struct cli *x);
/* For a new key file: out of the file, or typed twice. Nothing is appended when the key is to have none. */
struct err *passphrase_new(struct cli *x, struct buf *out, const char *path) ERR_MUST;
