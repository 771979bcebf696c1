/* collect: deletes what neither the current nor the previous generation names. */
#pragma once
#include "base/err.h"

#include <stdbool.h>

/* `dir` is NODE_BASE, and nobody else changes it meanwhile. Packages are looked at only `at_boot`, before units start.
 */
struct err *collect(int dir, bool at_boot) ERR_MUST;
