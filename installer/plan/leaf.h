/* leaf: certificates by what they must be. Their description, never their bytes, is part of a generation. */
#pragma once
#include "doc/doc.h"

/*
 * Fills one entry of a component's `certificates`: the whole into `leafs` under its name, {name, description}
 * into the list `brief`. The description is a digest over authority (its certificate's), subject, names,
 * usages and owner.
 */
struct err *leaf_render(struct doc *leafs, struct doc *brief, const struct doc *entry, const struct doc *vars,
                        const struct doc *authorities) ERR_MUST;
