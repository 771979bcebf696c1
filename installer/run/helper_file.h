/* helper_file: the caisson-node that belongs to this build: a file next to the program, its digest compiled
 * in. */
#pragma once
#include "base/buf.h"

/* Reads it and checks the digest. ERR_FAILED with a hint when it is missing, ERR_UNTRUSTED when it is
 * another. */
struct err *helper_file_read(struct buf *out) ERR_MUST;
/* 64 hex digits. */
const char *helper_file_digest(void);
