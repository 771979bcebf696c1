/* sbom_read: the bill of materials that a bundle carries. */
#pragma once
#include "bundle/bundle.h"

/* The CycloneDX document, its digest checked. ERR_FAILED when the bundle has none, ERR_UNTRUSTED for bytes that are
 * none. */
struct err *sbom_read(struct doc **ret, const struct bundle *b) ERR_MUST;
