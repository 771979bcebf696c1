#include "bundle/format.h"

#include "base/str.h"

#include <string.h>

struct err *format_pae(struct buf *out, const char *type, const void *p, size_t n)
{
    TRY(buf_fmt(out, "DSSEv1 %zu %s %zu ", strlen(type), type, n));
    return buf_add(out, p, n);
}

const char *format_hex(const char *digest)
{
    if (!digest || !str_starts(digest, "sha256:") || !str_is_sha256(digest + 7))
        return NULL;
    return digest + 7;
}

/* Both types of key have one fixed beginning in DER, and so in PEM. */
const char *format_scheme(const char *spki_pem)
{
    if (str_starts(spki_pem, "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"))
        return FORMAT_SCHEME_P256;
    if (str_starts(spki_pem, "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA"))
        return FORMAT_SCHEME_ED25519;
    return NULL;
}

const char *format_key_scheme(const struct key *key)
{
    OWN_BUF struct buf pem = {0};
    struct err *e = key_public_pem(&pem, key);
    const char *scheme = e ? NULL : format_scheme(buf_text(&pem));
    err_free(e);
    return scheme;
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

struct err *format_name(const char *s)
{
    size_t n = strlen(s);
    bool good = n > 0 && n <= 63 && is_lower_or_digit(s[0]) && is_lower_or_digit(s[n - 1]);
    for (size_t i = 0; i < n; i++)
        good = good && (is_lower_or_digit(s[i]) || s[i] == '-' || s[i] == '.');
    return good ? NULL
                : err_new(ERR_UNTRUSTED, "E_PATH: \"%s\" is not a plain name (a-z, 0-9, inside also - and .)", s);
}

/* host[:port] with a dot, a port, or "localhost": what tells a host from a first part of a path. */
static bool host_is_good(const char *s, size_t n)
{
    bool marked = n == 9 && strncmp(s, "localhost", 9) == 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_lower_or_digit(s[i]) && !strchr(".-:", s[i]))
            return false;
        marked = marked || s[i] == '.' || s[i] == ':';
    }
    return marked && is_lower_or_digit(s[0]) && is_lower_or_digit(s[n - 1]);
}

/* Parts of lower-case letters and digits, joined inside by one of ._- (or more dashes, or two underscores). */
static bool path_is_good(const char *s, size_t n)
{
    bool inner = false; /* the last byte was a letter or digit */
    for (size_t i = 0; i < n; i++) {
        if (is_lower_or_digit(s[i])) {
            inner = true;
            continue;
        }
        bool again = i && s[i] == s[i - 1] && (s[i] == '-' || (s[i] == '_' && i > 1 && is_lower_or_digit(s[i - 2])));
        if (!strchr("._-/", s[i]) || (!inner && !again))
            return false;
        inner = false;
    }
    return inner;
}

static bool tag_is_good(const char *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++) {
        bool word = is_lower_or_digit(s[i]) || (s[i] >= 'A' && s[i] <= 'Z') || s[i] == '_';
        if (!word && (i == 0 || (s[i] != '.' && s[i] != '-')))
            return false;
    }
    return n > 0 && n <= 128;
}

struct err *format_ref(const char *ref)
{
    size_t host = strcspn(ref, "/");
    const char *path = ref + host + (ref[host] == '/');
    size_t n = strcspn(path, ":@");
    bool good = strlen(ref) <= 255 && host > 0 && ref[host] && host_is_good(ref, host) && path_is_good(path, n);
    good = good && (path[n] == ':' ? tag_is_good(path + n + 1) : path[n] == '@' && format_hex(path + n + 1));
    /* Docker's short names are written out: docker.io/library/busybox. */
    if (good && host == 9 && strncmp(ref, "docker.io", 9) == 0)
        good = memchr(path, '/', n) != NULL;
    return good ? NULL : err_new(ERR_UNTRUSTED, "E_REF: \"%s\" is not a full image name (host/path:tag)", ref);
}
