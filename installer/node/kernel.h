/* kernel: settings and modules that a generation asks for. */
#pragma once
#include "doc/doc.h"

struct node;

/*
 * Loads the modules, then writes the settings, of a manifest. A module that is built in or already there is fine even
 * without modprobe. ERR_FAILED naming the module or setting that cannot be had.
 */
struct err *kernel_apply(const struct node *n, const struct doc *manifest) ERR_MUST;
