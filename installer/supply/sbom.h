/* sbom: the bill of materials of a release, CycloneDX 1.6. Private to supply/. */
#pragma once
#include "supply/assemble.h"
#include "supply/spool.h"

/*
 * Says of everything in the assembly what it is, whose, of which version, under which licence and with which digests:
 * components, packages and every file in them, manifests, images with config and layers. bundles/README.md describes
 * it. Equal inputs give an equal document. The result is as large as images have files, so it is written to a spool.
 */
struct err *sbom_make(struct spool **ret, const struct recipe *r, const struct assembly *a) ERR_MUST;
