/* spdx: a bill of materials in the other language: SPDX 2.3 out of CycloneDX. */
#pragma once
#include "base/err.h"
#include "doc/doc.h"

/*
 * Everything becomes an SPDX package (files too: SPDX wants SHA-1 of what it calls a file). What is nested is
 * CONTAINED; dependencies stay, and one on NOASSERTION says that there may be more. ERR_UNTRUSTED (E_SCHEMA) for a
 * document that is not as sbom_make() writes it.
 */
struct err *spdx_from(struct doc **ret, const struct doc *sbom) ERR_MUST;
