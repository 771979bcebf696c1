/* license: SPDX licence expressions (SPDX 2.3, annex D). Private to supply/. */
#pragma once
#include <stdbool.h>

/*
 * True for an expression of well-formed identifiers: "MIT", "GPL-2.0-or-later WITH x", "A AND (B OR C)". Which
 * identifiers exist is not known here: the list grows every few months.
 */
bool license_is_valid(const char *expression);
