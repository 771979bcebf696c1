/* receipt: what was verified before it was used, who used it and when: one line of JSON each in
 * .caisson/receipts.jsonl. */
#pragma once
#include "ops/fleet.h"

/* Appends the receipt of a run that is about to change something, durably. `changes`: how many were found. */
struct err *receipt_write(const struct context *x, int64_t changes) ERR_MUST;
