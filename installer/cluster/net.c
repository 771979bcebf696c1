#include "cluster/net.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool net_parse_address(const char *s, uint32_t *ret)
{
    struct in_addr a;
    char back[INET_ADDRSTRLEN];
    if (inet_pton(AF_INET, s, &a) != 1 || !inet_ntop(AF_INET, &a, back, sizeof back) || strcmp(back, s) != 0)
        return false;
    *ret = ntohl(a.s_addr);
    return true;
}

static uint32_t mask(int bits)
{
    return bits ? UINT32_MAX << (32 - bits) : 0;
}

bool net_parse_cidr(const char *s, struct cidr *ret)
{
    char address[INET_ADDRSTRLEN];
    const char *slash = strchr(s, '/');
    int64_t bits;
    if (!slash || (size_t)(slash - s) >= sizeof address || !str_int(slash + 1, 0, 32, &bits))
        return false;
    if (slash[1] == '-' || (slash[1] == '0' && slash[2])) /* "-0", "08": other readers refuse them or read octal */
        return false;
    memcpy(address, s, (size_t)(slash - s));
    address[slash - s] = '\0';
    ret->bits = (int)bits;
    return net_parse_address(address, &ret->base) && (ret->base & ~mask(ret->bits)) == 0;
}

bool net_contains(const struct cidr *c, uint32_t address)
{
    return (address & mask(c->bits)) == c->base;
}

bool net_overlap(const struct cidr *a, const struct cidr *b)
{
    return net_contains(a, b->base) || net_contains(b, a->base);
}

void net_nth(char ret[16], const struct cidr *c, uint32_t n)
{
    struct in_addr a = {.s_addr = htonl(c->base + n)};
    (void)inet_ntop(AF_INET, &a, ret, 16);
}
