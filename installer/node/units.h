/*
 * units: the service manager of the machine behind one table: systemd, or on a simulated node a record that keeps
 * every unit's state in a file. Unit names were checked by the manifest.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct node;

struct unit_status {
    char active[24]; /* ActiveState: active, activating, inactive, failed, ... */
    char sub[24];
    char invocation[40];
    int64_t pid;      /* main process, or 0 */
    int64_t restarts; /* how often the manager started it again by itself since it was last asked to */
    int64_t since_ms; /* clock_ms() when it became active, or 0 */
};

struct unit_manager {
    bool real_probes; /* readiness is looked for on ports and paths; else "active" is enough */
    struct err *(*reload)(struct node *n);
    /* Begins to (re)start all of them, in this order, and does not wait. */
    struct err *(*restart)(struct node *n, const struct strs *units);
    /* Stops all of them and waits. Unknown units are fine. */
    struct err *(*stop)(struct node *n, const struct strs *units);
    /* One status for each unit into `ret` (units->n elements). */
    struct err *(*status)(struct node *n, const struct strs *units, struct unit_status *ret);
    /* Appends the last `lines` lines that the unit wrote. */
    struct err *(*log)(struct node *n, const char *unit, int lines, struct buf *out);
};

extern const struct unit_manager units_systemd;
extern const struct unit_manager units_record;
