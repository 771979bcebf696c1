/* fit: whether a release is the one that was asked for, and one for this cluster and its machines. ERR_UNTRUSTED. */
#pragma once
#include "ops/fleet.h"

/* E_PRODUCT: another product, profile or channel than cluster.yaml has. Add-ons have those of the release. */
struct err *fit_asked(const struct context *x) ERR_MUST;
/*
 * E_PRODUCT: another product or channel than the cluster had, unless cluster.yaml asks for it; E_REQUIRES: an upgrade
 * of Kubernetes over versions that the release does not name. Of what memory_ask() found.
 */
struct err *fit_cluster(const struct context *x) ERR_MUST;
/* E_PLATFORM: a host that the release has nothing for. */
struct err *fit_machines(const struct fleet *f) ERR_MUST;
/* Whether the Kubernetes of release `head` (the predicate) may follow that on record in `floors` (wire/floor.h). */
struct err *fit_upgrade(const struct doc *floors, const struct doc *head) ERR_MUST;
/* "linux/amd64" for what uname calls the machine. */
const char *fit_platform(const char *machine);
