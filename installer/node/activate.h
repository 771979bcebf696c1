/* activate: makes the machine be what a generation says; the steps are in activate.c. */
#pragma once
#include "base/str.h"
#include "doc/doc.h"
#include "wire/stream.h"

struct node;

/* Units to start, each behind those that its After= names. `folder` holds the unit files. */
struct err *order_units(struct strs *ret, const struct doc *manifest, int dir, const char *folder) ERR_MUST;

/* What a change of the machine did, for the answer. */
struct change {
    struct strs restarted, started, stopped, failed;
};

void change_done(struct change *c);

/*
 * Brings the services into line with `current`, whose manifest is `m` (NULL: nothing shall run), and waits until
 * those it (re)started are ready. `s` gets an event per unit; NULL: none.
 */
struct err *converge(struct change *ret, struct node *n, int dir, const struct doc *m, struct stream *s) ERR_MUST;
/* True when no service has to be touched; settings and links that had drifted are put right here. */
struct err *converge_is_done(bool *ret, struct node *n, const struct doc *m) ERR_MUST;
/* Notes, before the units are started at boot, with what inputs that is; notes that are there are kept. */
struct err *started_note_all(const struct node *n, const struct doc *m) ERR_MUST;
