/* pipe: a source that is read once, from front to back: standard input, a pipe, a socket. Private to bundle/. */
#pragma once
#include "bundle/source.h"

/* Reads from a copy of `fd`; `name` is what people know it by. Waiting ends when `c` (may be NULL) is set. */
struct err *pipe_open(struct source **ret, int fd, const char *name, const struct cancel *c) ERR_MUST;
