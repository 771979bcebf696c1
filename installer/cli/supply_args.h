/* supply_args: the files that verbs on a profile's payloads name, with their defaults. */
#pragma once
#include "cli/args.h"

struct supply_args {
    char *profile; /* path */
    char *name;    /* of the profile */
    char *version; /* that it states, or NULL */
    char *cache, *lock;
};

/*
 * --profile NAME|FILE (minimal), --cache DIR ($CAISSON_CACHE, else a folder of the user), and the lock: the option
 * `lock_option`, else CACHE/lock/NAME.lock.json. ERR_USAGE.
 */
struct err *supply_args_read(struct supply_args *ret, const struct args *a, const char *lock_option) ERR_MUST;
void supply_args_done(struct supply_args *s);
#define OWN_SUPPLY_ARGS OWN(supply_args_done)
