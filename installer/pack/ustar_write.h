/* ustar_write: writes strict ustar archives to a descriptor, a member at a time. The caller keeps the order. */
#pragma once
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* The header of a member; its `size` bytes and ustar_write_padding() must follow. */
struct err *ustar_write_header(int fd, const char *name, uint64_t size, int64_t mtime) ERR_MUST;
/* The zero bytes behind a body of `size` bytes. */
struct err *ustar_write_padding(int fd, uint64_t size) ERR_MUST;
/* A whole member from memory. */
struct err *ustar_write_member(int fd, const char *name, int64_t mtime, const void *p, size_t n) ERR_MUST;
/* The end mark: two zero blocks. */
struct err *ustar_write_end(int fd) ERR_MUST;
