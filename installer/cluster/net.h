/* net: IPv4 addresses and CIDR blocks as numbers, for checking and for choosing service addresses. */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct cidr {
    uint32_t base; /* host byte order, host bits zero */
    int bits;
};

/* "10.0.0.1" in host byte order; false for anything else (also leading zeros and missing parts). */
bool net_parse_address(const char *s, uint32_t *ret);
/* "10.244.0.0/16"; false when not a block or when bits beyond the mask are set. */
bool net_parse_cidr(const char *s, struct cidr *ret);
bool net_overlap(const struct cidr *a, const struct cidr *b);
bool net_contains(const struct cidr *c, uint32_t address);
/* Address number `n` of the block as text: 1 is the API service, 10 cluster DNS. */
void net_nth(char ret[16], const struct cidr *c, uint32_t n);
