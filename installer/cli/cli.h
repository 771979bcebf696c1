/* cli: one run of the program: what was typed, how it is shown, how it ends. */
#pragma once
#include "cli/args.h"
#include "cli/face.h"
#include "crypt/digest.h"
#include "ops/ops.h"

struct cli {
    const struct verb *verb;
    const struct verb *asked; /* VERB --help: that verb */
    struct args args;
    bool json;                 /* -o json */
    bool color;                /* progress and errors may be coloured */
    int exit;                  /* status of a success: 0, or 2 from `plan` */
    char unlocked[DIGEST_HEX]; /* of the path or URI that --passphrase-file was read for; or "" */
    bool partial;              /* the result is what was reached before an error */
    struct cancel cancel;
    struct face *face;
    struct run run; /* for ops_...() */
};

/* The whole program; the result is the exit status. */
int cli_main(int argc, char **argv);
