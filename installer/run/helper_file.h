/* helper_file: the caisson-node that belongs to this build: a file next to the program, its digest compiled
 * in. */
#pragma once
#include "base/err.h"

#include <stdint.h>

/*
 * Opens it at its start, its digest checked; *ret_size: its bytes. The caller closes *ret_fd. ERR_FAILED with a hint
 * when it is missing, ERR_UNTRUSTED when it is another. What is read later is checked by the machine that gets it.
 */
struct err *helper_file_open(int *ret_fd, uint64_t *ret_size) ERR_MUST;
/* 64 hex digits. */
const char *helper_file_digest(void);
