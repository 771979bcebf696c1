#include "http/url.h"

#include "base/str.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool http_is_url(const char *s)
{
    return strncasecmp(s, "https://", 8) == 0 || strncasecmp(s, "http://", 7) == 0;
}

static void part_free(char **part)
{
    curl_free(*part);
}

#define OWN_PART OWN(part_free)

static bool part_get(char **ret, CURLU *u, CURLUPart what)
{
    return curl_url_get(u, what, ret, CURLU_DEFAULT_PORT) == CURLUE_OK && *ret;
}

static struct err *take_apart(struct http_url *ret, CURLU *u)
{
    OWN_PART char *scheme = NULL, *host = NULL, *port = NULL, *user = NULL, *password = NULL;
    ret->secure = part_get(&scheme, u, CURLUPART_SCHEME) && str_eq(scheme, "https");
    if (!ret->secure && !str_eq(scheme, "http"))
        return err_new(ERR_USAGE, "only https and http are known, not %s", scheme ? scheme : "this");
    if (!part_get(&host, u, CURLUPART_HOST) || !part_get(&port, u, CURLUPART_PORT))
        return err_new(ERR_USAGE, "a URL needs a host");
    if (part_get(&user, u, CURLUPART_USER) || part_get(&password, u, CURLUPART_PASSWORD))
        return err_hint(err_new(ERR_USAGE, "a user's name or a password in a URL is not taken"), "leave it out");
    str_lower(host);
    ret->host = strdup(host);
    ret->origin = str_fmt("%s://%s:%s", scheme, host, port);
    return ret->host && ret->origin ? NULL : err_os(ENOMEM, "URL");
}

struct err *http_url_parse(struct http_url *ret, const char *url)
{
    CURLU *u = curl_url();
    if (!u)
        return err_os(ENOMEM, "URL");
    *ret = (struct http_url){0};
    CURLUcode rc = curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    struct err *e = rc == CURLUE_OK ? take_apart(ret, u) : err_new(ERR_USAGE, "%s", curl_url_strerror(rc));
    curl_url_cleanup(u);
    if (e)
        http_url_done(ret);
    return e;
}

void http_url_done(struct http_url *u)
{
    free(u->host);
    free(u->origin);
    *u = (struct http_url){0};
}
