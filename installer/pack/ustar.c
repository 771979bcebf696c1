#include "pack/ustar.h"

#include <string.h>

/* Where the fields of POSIX ustar lie. */
enum {
    AT_NAME = 0,
    AT_MODE = 100,
    AT_UID = 108,
    AT_GID = 116,
    AT_SIZE = 124,
    AT_MTIME = 136,
    AT_CHECKSUM = 148,
    AT_TYPE = 156,
    AT_MAGIC = 257,
    AT_PREFIX = 345,
    LEN_NAME = 100,
    LEN_SHORT = 8,
    LEN_LONG = 12,
    LEN_PREFIX = 155,
};

static const uint64_t OCTAL_LIMIT = UINT64_C(1) << 33; /* 11 octal digits: 8 GiB */

static unsigned checksum_of(const unsigned char block[USTAR_BLOCK])
{
    unsigned sum = 0;
    for (unsigned i = 0; i < USTAR_BLOCK; i++)
        sum += i >= AT_CHECKSUM && i < AT_CHECKSUM + LEN_SHORT ? ' ' : block[i];
    return sum;
}

/* `digits` octal digits; `field` has room for them, and what follows stays as it is. */
static void put_octal(unsigned char *field, unsigned digits, uint64_t v)
{
    for (unsigned i = digits; i-- > 0; v >>= 3)
        field[i] = (unsigned char)('0' + (v & 7));
}

/* Sizes from 8 GiB on are binary, big-endian, marked by the top bit: every present tar reads that. */
static void put_size(unsigned char *field, uint64_t v)
{
    if (v < OCTAL_LIMIT) {
        put_octal(field, LEN_LONG - 1, v);
        return;
    }
    field[0] = 0x80;
    for (unsigned i = LEN_LONG; i-- > LEN_LONG - 8; v >>= 8)
        field[i] = (unsigned char)v;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("._-+", c) != NULL);
}

/* Relative, parts of plain characters, none of them empty, "." or "..". */
static bool name_is_good(const char *name)
{
    for (const char *part = name;; part++) {
        size_t n = 0;
        while (is_plain(part[n]))
            n++;
        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += n;
        if (*part != '/')
            return *part == '\0';
    }
}

static struct err *get_name(char ret[USTAR_NAME_MAX + 1], const unsigned char block[USTAR_BLOCK])
{
    memcpy(ret, block + AT_NAME, LEN_NAME);
    ret[LEN_NAME] = '\0';
    for (size_t i = strlen(ret); i < LEN_NAME; i++)
        if (block[AT_NAME + i])
            return err_new(ERR_UNTRUSTED, "E_NAME: a NUL byte inside a name");
    for (size_t i = 0; i < LEN_PREFIX; i++)
        if (block[AT_PREFIX + i])
            return err_new(ERR_UNTRUSTED, "E_NAME: a name longer than 100 bytes (prefix field)");
    if (!name_is_good(ret))
        return err_new(ERR_UNTRUSTED, "E_NAME: not a relative path of plain ASCII parts");
    return NULL;
}

/* Exactly 11 octal digits and a NUL. */
static bool get_octal(uint64_t *ret, const unsigned char *field)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < LEN_LONG - 1; i++) {
        if (field[i] < '0' || field[i] > '7')
            return false;
        v = v << 3 | (uint64_t)(field[i] - '0');
    }
    *ret = v;
    return field[LEN_LONG - 1] == '\0';
}

static struct err *get_size(uint64_t *ret, const unsigned char *field)
{
    if (get_octal(ret, field))
        return NULL;
    if (field[0] != 0x80 || field[1] || field[2] || field[3])
        return err_new(ERR_UNTRUSTED, "E_SIZE: neither 11 octal digits nor a positive binary number");
    uint64_t v = 0;
    for (unsigned i = LEN_LONG - 8; i < LEN_LONG; i++)
        v = v << 8 | field[i];
    if (v < OCTAL_LIMIT || v > INT64_MAX)
        return err_new(ERR_UNTRUSTED, "E_SIZE: binary number below 8 GiB or above 2^63 - 1");
    *ret = v;
    return NULL;
}

static struct err *check_frame(const unsigned char block[USTAR_BLOCK])
{
    unsigned char sum[LEN_SHORT] = {0};
    put_octal(sum, 6, checksum_of(block));
    sum[7] = ' ';
    if (memcmp(block + AT_CHECKSUM, sum, sizeof sum) != 0)
        return err_new(ERR_UNTRUSTED, "E_HEADER: header checksum does not fit");
    if (memcmp(block + AT_MAGIC, "ustar\00000", 8) != 0)
        return err_new(ERR_UNTRUSTED, "E_HEADER: not POSIX ustar (magic and version)");
    if (block[AT_TYPE] != '0')
        return err_new(ERR_UNTRUSTED, "E_TYPE: entry of type 0x%02x; only regular files ('0') are accepted",
                       block[AT_TYPE]);
    return NULL;
}

struct err *ustar_decode(struct ustar_entry *ret, const unsigned char block[USTAR_BLOCK])
{
    struct ustar_entry e;
    unsigned char again[USTAR_BLOCK];
    uint64_t mtime;
    TRY(check_frame(block));
    TRY(get_name(e.name, block));
    TRY(get_size(&e.size, block + AT_SIZE));
    if (!get_octal(&mtime, block + AT_MTIME))
        return err_new(ERR_UNTRUSTED, "E_HEADER: time is not 11 octal digits");
    e.mtime = (int64_t)mtime;
    /* Whatever else could differ (mode, owner, link name, devices, rest) is fixed: write it again and compare. */
    TRY(ustar_encode(again, &e));
    for (unsigned i = 0; i < USTAR_BLOCK; i++)
        if (block[i] != again[i])
            return err_new(ERR_UNTRUSTED, "E_HEADER: byte %u of the header is 0x%02x, not 0x%02x", i, block[i],
                           again[i]);
    *ret = e;
    return NULL;
}

struct err *ustar_encode(unsigned char ret[USTAR_BLOCK], const struct ustar_entry *e)
{
    size_t n = strlen(e->name);
    if (n > LEN_NAME || !name_is_good(e->name))
        return err_new(ERR_FAILED, "\"%s\" cannot be the name of a member", e->name);
    if (e->size > INT64_MAX || e->mtime < 0 || (uint64_t)e->mtime >= OCTAL_LIMIT)
        return err_new(ERR_FAILED, "%s: size or time cannot be written in a tar header", e->name);
    memset(ret, 0, USTAR_BLOCK);
    memcpy(ret + AT_NAME, e->name, n);
    put_octal(ret + AT_MODE, LEN_SHORT - 1, 0644);
    put_octal(ret + AT_UID, LEN_SHORT - 1, 0);
    put_octal(ret + AT_GID, LEN_SHORT - 1, 0);
    put_size(ret + AT_SIZE, e->size);
    put_octal(ret + AT_MTIME, LEN_LONG - 1, (uint64_t)e->mtime);
    ret[AT_TYPE] = '0';
    memcpy(ret + AT_MAGIC, "ustar\00000", 8);
    put_octal(ret + AT_CHECKSUM, 6, checksum_of(ret));
    ret[AT_CHECKSUM + 7] = ' ';
    return NULL;
}

bool ustar_is_zero(const unsigned char block[USTAR_BLOCK])
{
    for (unsigned i = 0; i < USTAR_BLOCK; i++)
        if (block[i])
            return false;
    return true;
}

size_t ustar_padding(uint64_t size)
{
    return (size_t)(-size & (USTAR_BLOCK - 1));
}

uint64_t ustar_span(uint64_t size)
{
    return USTAR_BLOCK + size + ustar_padding(size);
}
