/*
 * libFuzzer target: the whole file, header to end mark. The input is a list of changes to a good bundle: 4 bytes place,
 * 1 byte kind and count, then bytes. Whatever is not the good bundle itself must be refused as untrusted; a delta may
 * come out where one is looked for.
 */
#include "forge.h"

#include <stdlib.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum change { OVERWRITE, OVERWRITE_HEADER, CUT, APPEND };

static struct forge *good; /* one for the life of the process */
static int fd;

static void good_make(void)
{
    good = forge_new();
    (void)forge_next_root(good, (struct forge_more){{good->key}});
    forge_seal(good);
    forge_write(good);
    fd = memfd_create("bundle", MFD_CLOEXEC);
    if (fd < 0)
        abort();
}

/* A fuzzer need not guess checksums. */
static void mend_checksum(unsigned char *block)
{
    unsigned sum = 0;
    memset(block + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += block[i];
    for (int i = 5; i >= 0; i--, sum >>= 3)
        block[148 + i] = (unsigned char)('0' + (sum & 7));
    block[154] = '\0';
}

static void overwrite(struct buf *file, size_t at, const uint8_t *p, size_t n, bool header)
{
    n = n < file->len - at ? n : file->len - at;
    memcpy(file->at + at, p, n);
    if (header && at / 512 * 512 + 512 <= file->len)
        mend_checksum((unsigned char *)file->at + at / 512 * 512);
}

/* The good file with the input's changes. */
static void changed(struct buf *file, const uint8_t *p, size_t n)
{
    OK(buf_add(file, good->file.at, good->file.len));
    while (n >= 5 && file->len) {
        size_t at = ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]) % file->len;
        enum change change = p[4] >> 6;
        size_t count = p[4] & 63u;
        p += 5;
        n -= 5;
        count = count < n ? count : n;
        if (change == CUT)
            file->len = at;
        else if (change == APPEND)
            OK(buf_add(file, p, count));
        else
            overwrite(file, at, p, count, change == OVERWRITE_HEADER);
        p += count;
        n -= count;
    }
}

/* Whoever takes deltas too meets the same refusals. */
static struct err *check_delta(bool *ret_delta, const char *path)
{
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = good->pub_path;
    TRY(bundle_open_delta(&b, path, &trust, 1));
    *ret_delta = bundle_is_delta(b);
    return bundle_verify(b, NULL, NULL);
}

static struct err *check(const char *path)
{
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = good->pub_path;
    TRY(bundle_open(&b, path, &trust, 1));
    return bundle_verify(b, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    OWN_BUF struct buf file = {0};
    if (!good)
        good_make();
    changed(&file, p, n);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, buf_text(&file), file.len, 0) != (ssize_t)file.len)
        abort();
    bool same = file.len == good->file.len && memcmp(file.at, good->file.at, file.len) == 0;
    bool delta = false;
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct err *e = check(path), *d = check_delta(&delta, path);
    if (same ? e != NULL : !e || err_kind(e) != ERR_UNTRUSTED)
        abort();
    if (d ? same || err_kind(d) != ERR_UNTRUSTED : !same && !delta)
        abort();
    err_free(e);
    err_free(d);
    return 0;
}
