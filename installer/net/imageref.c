#include "net/imageref.h"

#include "base/str.h"
#include "bundle/format.h"

#include <errno.h>
#include <string.h>

/* The first part of a name is a host when it cannot be a part of a path alone. */
static bool is_host(const char *s, size_t n)
{
    return memchr(s, '.', n) || memchr(s, ':', n) || (n == 9 && strncmp(s, "localhost", 9) == 0);
}

/* The only other name of Docker's registry that a kubelet and containerd take for the same. */
static char *host_of(const char *text, size_t n)
{
    static const char old[] = "index.docker.io";
    return n == sizeof old - 1 && strncmp(text, old, n) == 0 ? strdup("docker.io") : strndup(text, n);
}

/* Where the tag or digest begins: at its ':' or '@', or at the end. */
static const char *end_of_path(const char *rest)
{
    const char *at = strchr(rest, '@'), *slash = strrchr(rest, '/');
    const char *colon = strchr(slash ? slash : rest, ':');
    if (at && colon && colon > at) /* the one of "sha256:" */
        colon = NULL;
    return colon ? colon : at ? at : rest + strlen(rest);
}

static struct err *fill(struct imageref *r, const char *text)
{
    size_t n = strcspn(text, "/");
    bool host = text[n] && is_host(text, n);
    const char *rest = host ? text + n + 1 : text, *end = end_of_path(rest);
    r->host = host ? host_of(text, n) : strdup("docker.io");
    if (!r->host)
        return err_os(ENOMEM, "image name");
    bool library = strcmp(r->host, "docker.io") == 0 && !memchr(rest, '/', (size_t)(end - rest));
    r->path = str_fmt("%s%.*s", library ? "library/" : "", (int)(end - rest), rest);
    const char *digest = strchr(end, '@');
    r->tag = *end == ':' ? strndup(end + 1, strcspn(end + 1, "@")) : *end ? NULL : strdup("latest");
    r->sha256 = digest && format_hex(digest + 1) ? strdup(format_hex(digest + 1)) : NULL;
    r->name = str_fmt("%s/%s%s", r->host, r->path ? r->path : "", digest ? digest : *end ? end : ":latest");
    return r->path && r->name ? NULL : err_os(ENOMEM, "image name");
}

struct err *imageref_parse(struct imageref *ret, const char *text)
{
    *ret = (struct imageref){0};
    TRY(fill(ret, str_starts(text, "oci://") ? text + 6 : text));
    TRY(err_as(format_ref(ret->name), ERR_USAGE));
    if (ret->tag && ret->sha256)
        return err_new(ERR_USAGE, "E_REF: %s: a tag beside a digest", text);
    return ret->tag || ret->sha256 ? NULL : err_os(ENOMEM, "image name");
}

char *imageref_complete(const char *text)
{
    OWN_IMAGEREF struct imageref r = {0};
    struct err *e = fill(&r, text);
    char *name = e ? NULL : TAKE(r.name);
    err_free(e);
    return name;
}

void imageref_done(struct imageref *r)
{
    free(r->host);
    free(r->path);
    free(r->tag);
    free(r->sha256);
    free(r->name);
    *r = (struct imageref){0};
}
