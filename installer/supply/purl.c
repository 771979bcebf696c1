#include "supply/purl.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>

/* `n` bytes of `s`, percent-encoded but for what every part of a purl may hold as it is. */
static struct err *add_encoded(struct buf *out, const char *s, size_t n, bool lower)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    for (size_t i = 0; i < n; i++) {
        int c = lower ? tolower((unsigned char)s[i]) : (unsigned char)s[i];
        TRY(strchr(plain, c) ? buf_fmt(out, "%c", c) : buf_fmt(out, "%%%02X", (unsigned)c));
    }
    return NULL;
}

static struct err *add_version(struct buf *out, const char *version)
{
    TRY(buf_str(out, "@"));
    return add_encoded(out, version, strlen(version), false);
}

struct err *purl_golang(struct buf *out, const char *module, const char *version)
{
    TRY(buf_str(out, "pkg:golang/"));
    TRY(add_encoded(out, module, strlen(module), true));
    return add_version(out, version);
}

struct err *purl_generic(struct buf *out, const char *name, const char *version)
{
    TRY(buf_str(out, "pkg:generic/"));
    TRY(add_encoded(out, name, strlen(name), false));
    return add_version(out, version);
}

size_t purl_repository(const char *image)
{
    const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;
    return (size_t)(name - image) + strcspn(name, ":@");
}

struct err *purl_oci(struct buf *out, const char *image, const char *digest, const char *arch)
{
    size_t n = purl_repository(image), from = n;
    while (from && image[from - 1] != '/')
        from--;
    TRY(buf_str(out, "pkg:oci/"));
    TRY(add_encoded(out, image + from, n - from, true));
    TRY(add_version(out, digest));
    TRY(buf_fmt(out, "?arch=%s&repository_url=", arch));
    TRY(add_encoded(out, image, n, false));
    if (image[n] != ':')
        return NULL;
    TRY(buf_str(out, "&tag="));
    return add_encoded(out, image + n + 1, strlen(image + n + 1), false);
}
