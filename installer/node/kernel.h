/* kernel: settings and modules that a generation asks for. */
#pragma once
#include "doc/doc.h"

struct node;

/*
 * True when the module is there, built in or can be loaded (modprobe's dry run); nothing is loaded. `shows` as in a
 * manifest, or NULL.
 */
bool kernel_offers(const struct node *n, const char *name, const char *shows);
/*
 * Loads the modules, then writes the settings, of a manifest. A module that is built in or already there is fine even
 * without modprobe. The values of before the first change stay recorded. ERR_FAILED naming the module or setting that
 * cannot be had.
 */
struct err *kernel_apply(const struct node *n, const struct doc *manifest) ERR_MUST;
/* Gives the settings the values they had before the first kernel_apply(). Modules stay loaded. */
struct err *kernel_restore(const struct node *n) ERR_MUST;
