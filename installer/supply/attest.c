#include "supply/attest.h"

#include "base/child.h"
#include "base/file.h"
#include "crypt/digest.h"
#include "net/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

enum { EVIDENCE_MAX = 1 << 20, GPGV_MS = 60000 };

/* ---- lists ---- */

/* "<64 hex>  name", "<64 hex> *name", with or without "./"; the hex into `ret`. */
static bool read_line(char ret[65], const char *line, size_t n, const char *name)
{
    size_t m = strlen(name);
    if (n < 66 || line[64] != ' ')
        return false;
    (void)snprintf(ret, 65, "%.64s", line);
    const char *rest = line + 65, *end = line + n;
    rest += rest < end && (*rest == ' ' || *rest == '*');
    rest += end - rest > 2 && strncmp(rest, "./", 2) == 0 ? 2 : 0;
    return str_is_sha256(ret) && (size_t)(end - rest) == m && strncmp(rest, name, m) == 0;
}

static bool is_alone(char ret[65], const char *list, size_t n)
{
    while (n && strchr("\r\n ", list[n - 1]))
        n--;
    (void)snprintf(ret, 65, "%.*s", n == 64 ? 64 : 0, list);
    return str_is_sha256(ret);
}

struct err *attest_sum(char ret[65], const char *list, size_t n, const char *name)
{
    char hex[65];
    bool found = false;
    if (is_alone(ret, list, n))
        return NULL;
    for (const char *p = list, *end = list + n, *next; p < end; p = next + 1) {
        next = memchr(p, '\n', (size_t)(end - p));
        next = next ? next : end;
        size_t len = (size_t)(next - p);
        len -= len && p[len - 1] == '\r';
        if (!read_line(hex, p, len, name))
            continue;
        if (found && strcmp(hex, ret) != 0)
            return err_new(ERR_UNTRUSTED, "E_LOCK: %s stands twice in the list, with two digests", name);
        memcpy(ret, hex, sizeof hex);
        found = true;
    }
    return found ? NULL : err_new(ERR_UNTRUSTED, "E_LOCK: %s is not in the list", name);
}

/* ---- evidence out of the net ---- */

/* Keeps what is at `url` in the cache; its path is new memory. */
static struct err *fetch(char **ret_path, char ret_hex[65], const struct attest *a, const char *url)
{
    struct payload got = {0};
    TRY(cache_download(&got, a->cache, url, EVIDENCE_MAX, a->net, NULL, NULL));
    memcpy(ret_hex, got.sha256, sizeof got.sha256);
    *ret_path = cache_path(a->cache, got.sha256);
    return *ret_path ? NULL : err_os(ENOMEM, "evidence");
}

static const char *name_of(const char *url)
{
    return strrchr(url, '/') + 1;
}

/* The list of digests at `path` has the file. */
static struct err *check_list(const struct attest *a, const char *path)
{
    OWN_BUF struct buf list = {.max = EVIDENCE_MAX};
    char hex[65];
    TRY(file_read(&list, AT_FDCWD, path));
    TRY(attest_sum(hex, buf_text(&list), list.len, name_of(a->url)));
    if (strcmp(hex, a->sha256) == 0)
        return NULL;
    return err_new(ERR_UNTRUSTED, "E_LOCK: the list says sha256 %s, the file has %s", hex, a->sha256);
}

/* ---- signatures ---- */

/* The fingerprint behind VALIDSIG: of the primary key, its last word. */
static bool read_key(char ret[65], const char *status)
{
    const char *p = strstr(status, "[GNUPG:] VALIDSIG "), *last = p;
    if (!p || !strstr(status, "[GNUPG:] GOODSIG "))
        return false;
    size_t n = strcspn(p, "\r\n");
    for (const char *q = p; q < p + n; q++)
        last = *q == ' ' ? q + 1 : last;
    size_t len = (size_t)(p + n - last);
    (void)snprintf(ret, 65, "%.*s", len > 64 ? 0 : (int)len, last);
    return len == 40 || len == 64;
}

/* gpgv knows no keys but those of the keyring, and asks nobody. */
static struct err *run_gpgv(char ret_key[65], const char *keyring, const char *signature, const char *path)
{
    OWN_BUF struct buf status = {.max = EVIDENCE_MAX};
    const char *const argv[] = {"gpgv",    "--status-fd", "1", "--weak-digest", "SHA1", "--keyring", keyring, "--",
                                signature, path,          NULL};
    const struct child_opts o = {.output = &status, .timeout_ms = GPGV_MS};
    struct err *e = child_run(argv, &o, NULL);
    if (e && err_errno(e) == ENOENT)
        return err_hint(err_as(e, ERR_USAGE), "install gpgv, which checks signatures");
    if (e)
        return err_as(err_wrap(e, "E_LOCK: the signature is not good"), ERR_UNTRUSTED);
    if (!read_key(ret_key, buf_text(&status)))
        return err_new(ERR_UNTRUSTED, "E_LOCK: the signature is not good: its key has expired or was revoked");
    return NULL;
}

static struct err *check_signature(char ret_key[65], const struct attest *a, const char *signature, const char *path)
{
    const struct doc *keyring = doc_get(a->evidence, "keyring");
    OWN_FREE char *file = str_fmt("%s/%s", a->bundles_dir, keyring->text);
    char whole[PATH_MAX]; /* gpgv looks for a name without a slash in its own folder */
    if (!file)
        return err_os(ENOMEM, "keyring");
    if (!realpath(file, whole))
        return doc_err(ERR_USAGE, keyring, "%s: %s", file, strerror(errno));
    return run_gpgv(ret_key, whole, signature, path);
}

/* ---- all of it ---- */

static struct err *by_list(struct doc *d, const struct attest *a, const char *url)
{
    OWN_FREE char *list = NULL;
    char hex[65];
    TRY(fetch(&list, hex, a, url));
    TRY_CTX(check_list(a, list), "%s", url);
    doc_set_text(d, "sha256", hex);
    return NULL;
}

/* The signature is that of the file, or of the list of digests that has it. */
static struct err *by_signature(struct doc *d, const struct attest *a, const char *url)
{
    OWN_FREE char *signature = NULL, *list = NULL;
    const char *sums = doc_text(a->evidence, "sums");
    char hex[65], other[65], key[65];
    TRY(fetch(&signature, hex, a, url));
    if (sums)
        TRY(fetch(&list, other, a, sums));
    TRY_CTX(check_signature(key, a, signature, sums ? list : a->path), "%s", url);
    if (sums)
        TRY_CTX(check_list(a, list), "%s", sums);
    doc_set_text(d, "sha256", hex);
    doc_set_text(d, "key", key);
    return NULL;
}

struct err *attest(struct doc **ret, const struct attest *a)
{
    OWN_DOC struct doc *d = doc_new_map();
    const char *type = doc_text(a->evidence, "type"), *url = doc_text(a->evidence, "url");
    doc_set_text(d, "type", type ? type : "none");
    doc_set_text(d, "ref", url ? url : a->url);
    if (type)
        TRY(strcmp(type, "gpg") == 0 ? by_signature(d, a, url) : by_list(d, a, url));
    *ret = TAKE(d);
    return NULL;
}
