#include "net/net.h"

#include "base/file.h"
#include "http/url.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { CA_BYTES_MAX = 1 << 20 };

/* ---- options ---- */

static struct err *check_mirror(const char *text, const char *url)
{
    OWN_URL struct http_url parts = {0};
    return err_wrap(http_url_parse(&parts, url), "--mirror %s: %s", text, url);
}

static struct err *add_mirror(struct net *n, const char *text)
{
    const char *to = strstr(text, "=http");
    OWN_FREE char *from = to ? strndup(text, (size_t)(to - text)) : NULL;
    if (!to)
        return err_hint(err_new(ERR_USAGE, "--mirror %s: not FROM=TO", text),
                        "two beginnings of URLs: --mirror https://dl.k8s.io/=https://mirror.example/k8s/");
    if (!from)
        return err_os(ENOMEM, "--mirror");
    TRY(check_mirror(text, from));
    TRY(check_mirror(text, to + 1));
    TRY(strs_add(&n->from, from));
    return strs_add(&n->to, to + 1);
}

static const char ca_hint[] = "a host's name and a PEM file of certificates: --ca mirror.example=ca.pem";

static struct err *ca_usage(const char *text, const char *why)
{
    return err_hint(err_new(ERR_USAGE, "--ca %s: %s", text, why), "%s", ca_hint);
}

static struct err *add_ca(struct net *n, const char *text)
{
    const char *file = strchr(text, '='), *slash = strchr(text, '/');
    OWN_BUF struct buf pem = {.max = CA_BYTES_MAX};
    if (!file || file == text || (slash && slash < file))
        return ca_usage(text, "not HOST=FILE");
    struct err *e = file_read_named(&pem, "--ca", file + 1);
    if (e)
        return err_hint(e, "%s", ca_hint);
    if (!strstr(buf_text(&pem), "-----BEGIN CERTIFICATE-----"))
        return ca_usage(text, "no certificate in that file");
    OWN_FREE char *host = strndup(text, (size_t)(file - text));
    if (!host)
        return err_os(ENOMEM, "--ca");
    str_lower(host);
    n->cas[n->way.n_cas++] = (struct http_ca){.host = TAKE(host), .pem = buf_take(&pem)};
    return NULL;
}

static struct err *set_proxy(struct net *n, const char *url)
{
    OWN_URL struct http_url parts = {0};
    if (!url)
        return NULL;
    struct err *e = http_url_parse(&parts, url);
    if (e && !err_hint_text(e))
        e = err_hint(e, "like http://proxy.example:3128");
    else if (e) /* who lists processes would see the password */
        e = err_hint(e, "give a proxy with a name and a password as https_proxy in the environment");
    TRY_CTX(e, "--proxy");
    n->proxy = strdup(url);
    n->way.proxy = n->proxy;
    return n->proxy ? NULL : err_os(ENOMEM, "--proxy");
}

struct err *net_open(struct net *ret, const struct net_opts *o)
{
    *ret = (struct net){.way = {.cancel = o->cancel, .stall_s = o->stall_s, .tries = o->tries, .wait_ms = o->wait_ms}};
    (void)pthread_mutex_init(&ret->mutex, NULL); /* cannot fail for one of the default kind */
    ret->way.cas = ret->cas = calloc(o->n_cas + 1, sizeof *ret->cas);
    struct err *e = ret->cas ? set_proxy(ret, o->proxy) : err_os(ENOMEM, "net");
    for (size_t i = 0; !e && i < o->n_mirrors; i++)
        e = add_mirror(ret, o->mirrors[i]);
    for (size_t i = 0; !e && i < o->n_cas; i++)
        e = add_ca(ret, o->cas[i]);
    return e;
}

void net_done(struct net *n)
{
    for (size_t i = 0; i < n->way.n_cas; i++) {
        free((char *)n->cas[i].host);
        free((char *)n->cas[i].pem);
    }
    free(n->cas);
    strs_done(&n->from);
    strs_done(&n->to);
    strs_done(&n->benched);
    free(n->proxy);
}

/* ---- sources ---- */

static struct err *add_source(struct strs *l, const char *url)
{
    return strs_has(l, url) ? NULL : strs_add(l, url);
}

static struct err *add_mirrors(struct strs *l, const struct net *n, const char *url)
{
    for (size_t i = 0; i < n->from.n; i++) {
        if (!str_starts(url, n->from.at[i]))
            continue;
        OWN_FREE char *at = str_fmt("%s%s", n->to.at[i], url + strlen(n->from.at[i]));
        TRY(at ? add_source(l, at) : err_os(ENOMEM, "mirrors"));
    }
    return NULL;
}

struct err *net_sources(struct strs *ret, struct net *n, const struct doc *urls)
{
    OWN_STRS struct strs all = {0};
    DOC_EACH (url, urls)
        TRY(add_mirrors(&all, n, url->text));
    DOC_EACH (url, urls)
        TRY(add_source(&all, url->text));
    for (int benched = 0; benched < 2; benched++)
        for (size_t i = 0; i < all.n; i++)
            if (net_is_benched(n, all.at[i]) == (benched == 1))
                TRY(add_source(ret, all.at[i]));
    return NULL;
}

/* The origin of `url` in new memory; NULL when it has none. */
static char *origin_of(const char *url)
{
    OWN_URL struct http_url parts = {0};
    struct err *e = http_url_parse(&parts, url);
    char *origin = e ? NULL : TAKE(parts.origin);
    err_ignore(e); /* the download says what is wrong with the URL */
    return origin;
}

/* True when a source behind the i-th is on a host that is as good as any. */
static bool another_is_left(struct net *n, const struct strs *sources, size_t i, const char *origin)
{
    for (size_t k = i + 1; k < sources->n; k++) {
        OWN_FREE char *other = origin_of(sources->at[k]);
        if (!str_eq(other, origin) && !net_is_benched(n, sources->at[k]))
            return true;
    }
    return false;
}

void net_bench(struct net *n, const struct strs *sources, size_t i)
{
    OWN_FREE char *origin = origin_of(sources->at[i]);
    if (!another_is_left(n, sources, i, origin))
        return;
    (void)pthread_mutex_lock(&n->mutex);
    if (origin && !strs_has(&n->benched, origin))
        err_ignore(strs_add(&n->benched, origin)); /* then it is merely tried again */
    (void)pthread_mutex_unlock(&n->mutex);
}

bool net_is_benched(struct net *n, const char *url)
{
    OWN_FREE char *origin = origin_of(url);
    (void)pthread_mutex_lock(&n->mutex);
    bool found = origin && strs_has(&n->benched, origin);
    (void)pthread_mutex_unlock(&n->mutex);
    return found;
}

/* ---- failures ---- */

bool net_next_may_help(const struct err *e)
{
    return err_kind(e) == ERR_UNREACHABLE || err_kind(e) == ERR_UNTRUSTED || strstr(err_text(e), "E_REG_");
}

static int weight(const struct err *e)
{
    return !e ? 0 : err_kind(e) == ERR_UNTRUSTED ? 3 : err_kind(e) == ERR_UNREACHABLE ? 2 : 1;
}

struct err *net_worse(struct err *a, struct err *b)
{
    bool second = weight(b) > weight(a);
    err_free(second ? a : b);
    return second ? b : a;
}
