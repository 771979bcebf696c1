/* links: what systemd sees of the current generation: links and caisson.target in /run, the boot unit in /etc. */
#pragma once
#include "doc/doc.h"

struct node;

/*
 * Makes /run/systemd/system hold exactly the units of `manifest` (NULL: none) as links through `current`, and a
 * caisson.target that pulls the enabled ones. *ret_changed tells whether something was different.
 */
struct err *links_derive(bool *ret_changed, const struct node *n, const struct doc *manifest) ERR_MUST;
/* Puts the boot unit into /etc/systemd/system and enables it; durable. */
struct err *links_boot_install(const struct node *n) ERR_MUST;
/* Takes it away. */
struct err *links_boot_remove(const struct node *n) ERR_MUST;
