/* refs: image names in manifests and settings against the images that a release has. Private to supply/. */
#pragma once
#include "bundle/bundle.h"
#include "supply/recipe.h"

/*
 * Checks, before anything is made:
 * - every image that a container of a manifest or a definition names, and the default of every setting called `image`
 *   or `...Image`, is an image of one of these components or, for an add-on, of `base` (may be NULL);
 * - every image of these components is named so, or its definition says in `usedBy` who asks for it.
 * Names are compared as a container runtime completes them: docker.io/library/ and :latest. ERR_USAGE (E_REF) with
 * file, line and column.
 */
struct err *refs_check(const struct recipe *r, const struct bundle *base) ERR_MUST;
