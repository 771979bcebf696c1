#include "net/credentials.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum {
    FILE_MAX = 1 << 20,
    VALUE_MAX = 8192,   /* of a header, a name, a password, a token */
    TOKEN_SECONDS = 60, /* how long one holds at least, whoever says less (distribution's token specification) */
    TOKEN_SECONDS_MAX = 86400,
};

/* ---- the file ---- */

static const char hint_file[] = "like {\"auths\":{\"registry.example\":{\"username\":\"...\",\"password\":\"...\"}}}";

static struct err *read_private(struct buf *out, const char *path)
{
    struct stat st;
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_hint(err_as(err_os(errno, "--auth %s", path), ERR_USAGE), "%s", hint_file);
    if (!S_ISREG(st.st_mode))
        return err_new(ERR_USAGE, "--auth %s: no regular file", path);
    if (st.st_mode & 077)
        return err_hint(err_new(ERR_REFUSED, "--auth %s: others may read it", path), "chmod 0600 %s", path);
    return err_wrap(fd_read_all(fd, out), "--auth %s", path);
}

struct err *credentials_load(struct doc **ret, const char *path)
{
    OWN_SECRET_BUF struct buf text = {.max = FILE_MAX};
    OWN_DOC struct doc *all = NULL;
    TRY(read_private(&text, path));
    struct err *e = doc_json(&all, path, text.at, text.len);
    const struct doc *auths = doc_get(all, "auths");
    if (e || !auths || auths->kind != DOC_MAP) {
        bool read = !e;
        err_free(e); /* its words could show a part of a password */
        return err_hint(err_new(ERR_USAGE, "--auth %s: %s", path, read ? "`auths` is missing" : "it is no JSON"), "%s",
                        hint_file);
    }
    *ret = TAKE(all);
    return NULL;
}

/* Keys are hosts or, from older days, URLs. */
static bool is_key_of(const char *key, const char *host)
{
    static const char *const ends[] = {"", "/", "/v1/", "/v2/"};
    size_t n = strlen(host);
    key += str_starts(key, "https://") ? 8 : 0;
    bool same = strncmp(key, host, n) == 0, whole = false;
    for (size_t i = 0; same && i < ARRAY_LEN(ends); i++)
        whole = whole || strcmp(key + n, ends[i]) == 0;
    return whole;
}

static const struct doc *entry_of(const struct doc *all, const char *host)
{
    DOC_EACH (v, doc_get(all, "auths"))
        if (is_key_of(v->key, host) || (strcmp(host, "docker.io") == 0 && is_key_of(v->key, "index.docker.io")))
            return v;
    return NULL;
}

/* Nothing that could end a header line. */
static bool is_plain(const char *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++)
        if (s[i] <= ' ' || s[i] > '~')
            return false;
    return n > 0 && n <= VALUE_MAX;
}

struct err *credentials_basic(struct buf *out, const struct doc *all, const char *host)
{
    const struct doc *v = entry_of(all, host);
    const char *auth = doc_text(v, "auth"), *name = doc_text(v, "username"), *password = doc_text(v, "password");
    OWN_SECRET_BUF struct buf both = {0};
    if (!v)
        return NULL;
    if (auth && *auth && is_plain(auth))
        return buf_fmt(out, "Basic %s", auth);
    if (!name || !password || strchr(name, ':'))
        return err_hint(err_new(ERR_USAGE, "--auth: %s has neither `auth` nor `username` and `password`", host),
                        "helpers for passwords (credsStore) are not asked");
    TRY(buf_fmt(&both, "%s:%s", name, password));
    TRY(buf_str(out, "Basic "));
    return buf_base64(out, both.at, both.len);
}

/* ---- challenges ---- */

static struct err *unreadable(void)
{
    return err_new(ERR_FAILED, "E_REG_AUTH: the registry asks for a login in a way that cannot be read");
}

/* A token or "text" in which \ takes the next character as it is; steps *p over it. */
static struct err *read_value(struct buf *out, const char **p)
{
    bool quoted = **p == '"';
    for (*p += quoted; **p && (quoted ? **p != '"' : !strchr(", ", **p)); (*p)++) {
        *p += quoted && **p == '\\' && (*p)[1];
        TRY(buf_add(out, *p, 1));
    }
    if (quoted && **p != '"')
        return unreadable();
    *p += quoted;
    return NULL;
}

/* key=value, and a comma behind it: steps *p over it. The value is new memory. */
static struct err *read_param(const char **p, char ret_key[16], char **ret_value)
{
    OWN_BUF struct buf value = {.max = VALUE_MAX};
    size_t n = strcspn(*p, "= ,");
    if (!n || n >= 16 || (*p)[n] != '=')
        return unreadable();
    memcpy(ret_key, *p, n);
    ret_key[n] = '\0';
    *p += n + 1;
    TRY(read_value(&value, p));
    *p += strspn(*p, ", ");
    *ret_value = value.at ? buf_take(&value) : strdup("");
    return *ret_value ? NULL : err_os(ENOMEM, "login");
}

static struct err *read_params(struct challenge *c, const char *p)
{
    while (*p) {
        OWN_FREE char *value = NULL;
        char key[16];
        TRY(read_param(&p, key, &value));
        char **to = strcasecmp(key, "realm") == 0     ? &c->realm
                    : strcasecmp(key, "service") == 0 ? &c->service
                    : strcasecmp(key, "scope") == 0   ? &c->scope
                                                      : NULL;
        if (to && !*to)
            *to = TAKE(value);
    }
    return NULL;
}

struct err *challenge_parse(struct challenge *ret, const char *text)
{
    *ret = (struct challenge){.bearer = strncasecmp(text, "Bearer ", 7) == 0};
    if (strlen(text) > VALUE_MAX || (!ret->bearer && strncasecmp(text, "Basic", 5) != 0))
        return err_new(ERR_FAILED, "E_REG_AUTH: the registry asks for a login of an unknown kind");
    if (!ret->bearer)
        return NULL;
    TRY(read_params(ret, text + 7 + strspn(text + 7, " ")));
    if (!ret->realm || !str_starts(ret->realm, "https://") || !is_plain(ret->realm))
        return err_new(ERR_FAILED, "E_REG_AUTH: the registry sends to a place for tokens that is not https");
    return NULL;
}

void challenge_done(struct challenge *c)
{
    free(c->realm);
    free(c->service);
    free(c->scope);
    *c = (struct challenge){0};
}

static struct err *add_escaped(struct buf *out, const char *s)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *s; s++)
        TRY(strchr(plain, *s) ? buf_add(out, s, 1) : buf_fmt(out, "%%%02X", (unsigned char)*s));
    return NULL;
}

struct err *challenge_url(char **ret, const struct challenge *c, const char *path)
{
    OWN_BUF struct buf url = {0};
    OWN_FREE char *own = str_fmt("repository:%s:pull", path);
    bool theirs = c->scope && str_starts(c->scope, "repository:") && str_ends(c->scope, ":pull");
    if (!own)
        return err_os(ENOMEM, "login");
    TRY(buf_fmt(&url, "%s%cscope=", c->realm, strchr(c->realm, '?') ? '&' : '?'));
    TRY(add_escaped(&url, theirs ? c->scope : own)); /* behind a redirect only the registry knows its name */
    if (c->service) {
        TRY(buf_str(&url, "&service="));
        TRY(add_escaped(&url, c->service));
    }
    *ret = buf_take(&url);
    return *ret ? NULL : err_os(ENOMEM, "login");
}

struct err *challenge_token(struct buf *out, int64_t *ret_seconds, const struct buf *answer)
{
    OWN_DOC struct doc *d = NULL;
    struct err *e = doc_json(&d, "token", answer->at, answer->len);
    const char *token = doc_text(d, "token") ? doc_text(d, "token") : doc_text(d, "access_token");
    int64_t seconds = doc_int(d, "expires_in", TOKEN_SECONDS);
    if (e || !token || !is_plain(token)) {
        err_free(e); /* its words could show a part of the token */
        return err_new(ERR_FAILED, "E_REG_AUTH: the answer to the login has no token");
    }
    *ret_seconds = seconds < TOKEN_SECONDS || seconds > TOKEN_SECONDS_MAX ? TOKEN_SECONDS : seconds;
    return buf_fmt(out, "Bearer %s", token);
}
