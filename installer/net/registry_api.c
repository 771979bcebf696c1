#include "net/registry_api.h"

#include "base/clock.h"
#include "base/text.h"
#include "http/url.h"
#include "net/credentials.h"

#include <errno.h>
#include <string.h>

enum {
    REDIRECTS_MAX = 5,
    TOKEN_MAX = 64 << 10,
    WAIT_MAX_S = 120, /* who wants us to wait longer gets no further try */
    TOKEN_MARGIN_MS = 5000,
};

static const char docker_host[] = "docker.io";

/* ---- logins ---- */

static void grant_wipe(struct grant *g)
{
    if (g->value)
        explicit_bzero(g->value, strlen(g->value));
    free(g->origin);
    free(g->path);
    free(g->value);
    *g = (struct grant){0};
}

static struct grant *grant_find(const struct registry *r, const char *origin, const char *path)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->grants[i].origin, origin) == 0 && strcmp(r->grants[i].path, path) == 0)
            return &r->grants[i];
    return NULL;
}

static const char *grant_value(const struct registry *r, const char *origin, const char *path)
{
    const struct grant *g = grant_find(r, origin, path);
    return g && g->value && clock_ms() < g->until_ms ? g->value : NULL;
}

/* Room for a login, in place of an older one. */
static struct err *grant_room(struct grant **ret, struct registry *r, const char *origin, const char *path)
{
    struct grant *g = grant_find(r, origin, path);
    if (!g) {
        struct grant *more = reallocarray(r->grants, r->n + 1, sizeof *more);
        if (!more)
            return err_os(ENOMEM, "login");
        r->grants = more;
        g = &r->grants[r->n++];
        *g = (struct grant){0};
    }
    grant_wipe(g);
    g->origin = strdup(origin);
    g->path = strdup(path);
    *ret = g;
    return g->origin && g->path ? NULL : err_os(ENOMEM, "login");
}

/* The key of its logins: "registry.example", "registry.example:5000". */
static char *host_of(const char *origin)
{
    const char *host = strstr(origin, "://") + 3;
    size_t n = strlen(host) - (str_ends(host, ":443") ? 4 : 0);
    return n == 20 && strncmp(host, "registry-1.docker.io", n) == 0 ? strdup(docker_host) : strndup(host, n);
}

/* ---- one request ---- */

static struct err *send_once(struct buf *body, long *ret_status, struct registry *r, const char *url,
                             const char *accept, const char *authorization, size_t max)
{
    OWN_SECRET_BUF struct buf login = {0};
    OWN_FREE char *accepts = str_fmt("Accept: %s", accept);
    if (!accepts)
        return err_os(ENOMEM, "registry");
    TRY(buf_fmt(&login, "Authorization: %s", authorization ? authorization : ""));
    const char *const headers[] = {accepts, authorization ? login.at : NULL, NULL};
    const struct http_call call = {
        .url = url, .headers = headers, .max_body = max, .way = &r->net->way, .cancel = r->net->way.cancel};
    return http_do(body, ret_status, &call, r->conn);
}

/* What may be otherwise when it is asked again. */
static bool may_pass(const struct err *e, long status)
{
    return e ? err_kind(e) == ERR_UNREACHABLE : status == 429 || status == 408 || status >= 500;
}

/* Seconds that the server asks for, else a pause that doubles, a little different for everybody. */
static struct err *pause_for(const struct registry *r, int tried, int64_t asked_s)
{
    int64_t first = r->net->way.wait_ms ? r->net->way.wait_ms : HTTP_WAIT_MS, ms = first << tried;
    return cancel_sleep(r->net->way.cancel, asked_s ? asked_s * 1000 : ms + clock_ms() % (ms / 4 + 1));
}

/* In the words of http/range.h, which says the same of files. */
static struct err *named(struct err *e)
{
    if (!e || err_kind(e) == ERR_CANCELLED || err_kind(e) == ERR_USAGE)
        return e;
    if (err_kind(e) == ERR_FAILED) /* the only limit of such a call is that on its answer */
        return err_as(err_wrap(e, "E_LIMIT"), ERR_UNTRUSTED);
    bool tls = err_kind(e) == ERR_UNTRUSTED;
    e = err_as(err_wrap(e, tls ? "E_SRC_TLS" : "E_SRC_CONNECT"), ERR_UNREACHABLE);
    return err_hint(e,
                    tls ? "is it the right host? For one with a private CA: --ca HOST=FILE"
                        : "is the host up, and does it need a proxy? --proxy URL, or https_proxy in the environment");
}

/* Tries until there is an answer that is one. */
static struct err *ask(struct buf *body, long *ret_status, struct registry *r, const char *url, const char *accept,
                       const char *authorization, size_t max)
{
    int tries = r->net->way.tries ? r->net->way.tries : HTTP_TRIES;
    for (int tried = 0;; tried++) {
        body->len = 0;
        struct err *e = send_once(body, ret_status, r, url, accept, authorization, max);
        int64_t asked = e ? 0 : http_retry_after(r->conn);
        if (!may_pass(e, *ret_status) || tried + 1 >= tries || asked > WAIT_MAX_S)
            return named(e);
        err_free(e);
        TRY(pause_for(r, tried, asked));
    }
}

/* ---- tokens ---- */

static struct err *fetch_token(struct buf *out, int64_t *ret_seconds, struct registry *r, const struct challenge *c,
                               const char *path, const char *basic)
{
    OWN_SECRET_BUF struct buf answer = {0};
    OWN_FREE char *url = NULL;
    long status = 0;
    TRY(challenge_url(&url, c, path));
    TRY_CTX(ask(&answer, &status, r, url, "application/json", basic, TOKEN_MAX), "token");
    if (status == 429 || status >= 500)
        return err_new(ERR_UNREACHABLE, "E_REG_BUSY: %s answers %ld", c->realm, status);
    if (status != 200)
        return err_hint(err_new(ERR_FAILED, "E_REG_AUTH: %s gives no token: %ld", c->realm, status),
                        basic ? "is the login in --auth FILE right?" : "it may want a login: --auth FILE");
    return challenge_token(out, ret_seconds, &answer);
}

/* Logs in as the refusal that just came asks for. */
static struct err *login(struct registry *r, const char *origin, const char *path)
{
    OWN_CHALLENGE struct challenge c = {0};
    OWN_SECRET_BUF struct buf basic = {0}, value = {0};
    OWN_FREE char *host = host_of(origin);
    const char *asks = http_header(r->conn, "WWW-Authenticate");
    int64_t seconds = INT32_MAX;
    struct grant *g = NULL;
    if (!host)
        return err_os(ENOMEM, "login");
    if (!str_starts(origin, "https://"))
        return err_new(ERR_FAILED, "E_REG_AUTH: %s wants a login, and none is sent over http", host);
    TRY_CTX(challenge_parse(&c, asks ? asks : ""), "%s", host);
    TRY(credentials_basic(&basic, r->auths, host));
    if (!c.bearer && !basic.len)
        return err_hint(err_new(ERR_FAILED, "E_REG_AUTH: %s wants a login", host), "--auth FILE, with one for %s",
                        host);
    if (c.bearer)
        TRY(fetch_token(&value, &seconds, r, &c, path, basic.len ? basic.at : NULL));
    TRY(grant_room(&g, r, origin, path));
    g->value = c.bearer ? buf_take(&value) : buf_take(&basic);
    g->until_ms = clock_ms() + seconds * 1000 - TOKEN_MARGIN_MS;
    return g->value ? NULL : err_os(ENOMEM, "login");
}

/* Asks with the login that we have; logs in when that is asked for, once. */
static struct err *ask_known(struct buf *body, long *ret_status, struct registry *r, const char *url, const char *path,
                             const char *accept, size_t max)
{
    OWN_URL struct http_url parts = {0};
    TRY(http_url_parse(&parts, url));
    const char *known = grant_value(r, parts.origin, path);
    TRY(ask(body, ret_status, r, url, accept, known, max));
    if (*ret_status != 401)
        return NULL;
    TRY(login(r, parts.origin, path));
    TRY(ask(body, ret_status, r, url, accept, grant_find(r, parts.origin, path)->value, max));
    if (*ret_status != 401)
        return NULL;
    return err_hint(err_new(ERR_FAILED, "E_REG_AUTH: %s refuses the login that it asked for (401 twice)", parts.origin),
                    "may that account read this image? --auth FILE names another one");
}

/* ---- answers ---- */

/* What the registry says is wrong (distribution-spec, "errors"), fit to be shown; "" when it says nothing. */
static void message_of(char ret[200], const struct buf *body)
{
    OWN_DOC struct doc *d = NULL;
    struct err *e = doc_json(&d, "answer", buf_text(body), body->len);
    const struct doc *errors = e ? NULL : doc_get(d, "errors");
    const char *text = errors && errors->child ? doc_text(errors->child, "message") : NULL;
    (void)snprintf(ret, 200, "%s%s", text ? ": " : "", text ? text : "");
    text_clean(ret, strlen(ret), 0);
    err_ignore(e); /* proxies and load balancers answer in HTML */
}

static struct err *check_status(const struct buf *body, long status, const char *url)
{
    char why[200];
    if (status == 200)
        return NULL;
    message_of(why, body);
    if (status == 404)
        return err_hint(err_new(ERR_FAILED, "E_REG_NOTFOUND: %s%s", url, why), "is the name right, and the tag?");
    if (status == 401 || status == 403)
        return err_hint(err_new(ERR_FAILED, "E_REG_AUTH: %s answers %ld%s", url, status, why),
                        "it may want a login, or another one: --auth FILE");
    if (status == 429 || status >= 500)
        return err_hint(err_new(ERR_UNREACHABLE, "E_REG_BUSY: %s answers %ld%s", url, status, why),
                        "try again later, with a login (--auth), or from a mirror (--mirror)");
    return err_new(ERR_UNREACHABLE, "E_REG_HTTP: %s answers %ld%s", url, status, why);
}

static void copy_header(char ret[128], const struct registry *r, const char *name)
{
    const char *value = http_header(r->conn, name);
    (void)snprintf(ret, 128, "%.*s", value ? (int)strcspn(value, "; ") : 0, value ? value : "");
}

/* The next address of a redirect into *url, which is https and no other. */
static struct err *follow(char **url, const struct registry *r)
{
    const char *to = http_redirect(r->conn);
    if (!to || !str_starts(to, "https://"))
        return err_new(ERR_UNREACHABLE, "E_REG_HTTP: %s sends elsewhere than to https", *url);
    free(*url);
    *url = strdup(to);
    return *url ? NULL : err_os(ENOMEM, "registry");
}

struct err *registry_get(struct reply *ret, struct registry *r, const struct site *site, const char *rest,
                         const char *accept, size_t max)
{
    OWN_FREE char *url = str_fmt("%s%s", site->base, rest);
    if (!url)
        return err_os(ENOMEM, "registry");
    for (int hops = 0; hops <= REDIRECTS_MAX; hops++) {
        long status = 0;
        TRY(ask_known(&ret->body, &status, r, url, site->path, accept, max));
        if (status < 301 || status > 308 || (status > 303 && status < 307)) {
            copy_header(ret->type, r, "Content-Type");
            copy_header(ret->digest, r, "Docker-Content-Digest");
            return check_status(&ret->body, status, url);
        }
        TRY(follow(&url, r));
    }
    return err_new(ERR_UNREACHABLE, "E_REG_HTTP: %s%s: more than %d redirects", site->base, rest, REDIRECTS_MAX);
}

void reply_done(struct reply *reply)
{
    buf_done(&reply->body);
}

void registry_expire(struct registry *r, const struct site *site)
{
    OWN_URL struct http_url parts = {0};
    struct err *e = http_url_parse(&parts, site->base);
    struct grant *g = e ? NULL : grant_find(r, parts.origin, site->path);
    if (g)
        g->until_ms = 0;
    err_ignore(e); /* the request says so */
}

bool registry_grant(const char **ret, const struct registry *r, const struct site *site)
{
    OWN_URL struct http_url parts = {0};
    struct err *e = http_url_parse(&parts, site->base);
    *ret = e ? NULL : grant_value(r, parts.origin, site->path);
    bool ended = !e && !*ret && grant_find(r, parts.origin, site->path);
    err_ignore(e); /* the request says so */
    return ended;
}

/* ---- clients ---- */

struct err *registry_new(struct registry **ret, struct net *net, const char *auth)
{
    OWN_REGISTRY struct registry *r = calloc(1, sizeof *r);
    if (!r)
        return err_os(ENOMEM, "registry");
    r->net = net;
    TRY(http_new(&r->conn));
    if (auth)
        TRY(credentials_load(&r->auths, auth));
    *ret = TAKE(r);
    return NULL;
}

void registry_free(struct registry *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        grant_wipe(&r->grants[i]);
    free(r->grants);
    http_free(r->conn);
    doc_free(r->auths);
    free(r);
}
