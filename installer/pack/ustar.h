/*
 * ustar: the one tar header that a bundle may hold, as strict as it is written: regular files only, one name of at
 * most 100 bytes, fixed mode and owner, every other byte decided. bundles/README.md, "Container".
 */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { USTAR_BLOCK = 512, USTAR_NAME_MAX = 100 };

struct ustar_entry {
    char name[USTAR_NAME_MAX + 1];
    uint64_t size; /* bytes of the body; below 2^63 */
    int64_t mtime; /* seconds since 1970; 0 up to 8^11 - 1 */
};

/*
 * Reads a header block. ERR_UNTRUSTED with one of these words in front of the text: E_HEADER (magic, checksum,
 * any field that is not as ustar_encode() writes it), E_TYPE (no regular file), E_NAME (no relative path of plain
 * ASCII parts), E_SIZE. A block that is accepted is byte for byte what ustar_encode() gives for *ret.
 */
struct err *ustar_decode(struct ustar_entry *ret, const unsigned char block[USTAR_BLOCK]) ERR_MUST;
/* Writes a header block. ERR_FAILED when name, size or mtime cannot be expressed. */
struct err *ustar_encode(unsigned char ret[USTAR_BLOCK], const struct ustar_entry *e) ERR_MUST;
/* True when every byte of the block is zero. */
bool ustar_is_zero(const unsigned char block[USTAR_BLOCK]);
/* Zero bytes that follow a body of `size` bytes, up to the next block: 0 to 511. */
size_t ustar_padding(uint64_t size);
/* Bytes that a member takes in the archive: header, body, padding. */
uint64_t ustar_span(uint64_t size);
