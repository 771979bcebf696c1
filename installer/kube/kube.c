#include "kube/client.h"

#include "base/clock.h"
#include "base/str.h"
#include "http/http.h"

#include <errno.h>
#include <string.h>

#define APPLY_TYPE "application/apply-patch+yaml" /* JSON is YAML; the API server takes it under this name */

struct kube {
    struct http *http;
    char *unix_socket, *url, *ca, *cert, *key;
    int64_t retry_ms;
    const struct cancel *cancel;
    struct doc *resources; /* apiVersion -> the list of its resources, as discovered */
};

static struct err *copy(char **ret, const char *s)
{
    *ret = s ? strdup(s) : NULL;
    return s && !*ret ? err_os(ENOMEM, "Kubernetes client") : NULL;
}

struct err *kube_new(struct kube **ret, const struct kube_server *server, const struct cancel *c)
{
    OWN(kube_freep) struct kube *k = calloc(1, sizeof *k);
    if (!k)
        return err_os(ENOMEM, "Kubernetes client");
    k->retry_ms = server->retry_ms ? server->retry_ms : KUBE_RETRY_MS;
    k->cancel = c;
    k->resources = doc_new_map();
    TRY(copy(&k->unix_socket, server->unix_socket));
    TRY(copy(&k->url, server->url));
    TRY(copy(&k->ca, server->ca_pem));
    TRY(copy(&k->cert, server->cert_pem));
    TRY(copy(&k->key, server->key_pem));
    TRY(http_new(&k->http));
    *ret = TAKE(k);
    return NULL;
}

void kube_free(struct kube *k)
{
    if (!k)
        return;
    http_free(k->http);
    free(k->unix_socket);
    free(k->url);
    free(k->ca);
    free(k->cert);
    if (k->key)
        explicit_bzero(k->key, strlen(k->key));
    free(k->key);
    doc_free(k->resources);
    free(k);
}

char *kube_label(const struct doc *o)
{
    const char *kind = doc_text(o, "kind"), *ns = doc_text(o, "metadata.namespace"),
               *name = doc_text(o, "metadata.name");
    return str_fmt("%s %s%s%s", kind ? kind : "object", ns ? ns : "", ns ? "/" : "", name ? name : "without name");
}

/* ---- requests ---- */

struct err *kube_status_err(const char *what, long status, const struct doc *answer)
{
    const char *message = doc_text(answer, "message"), *reason = doc_text(answer, "reason");
    if (status < 300)
        return NULL;
    enum err_kind kind = status == 401 ? ERR_UNTRUSTED : status == 403 ? ERR_REFUSED : ERR_FAILED;
    struct err *e = err_new(kind, "%s: HTTP %ld%s%s%s%s", what, status, reason ? " " : "", reason ? reason : "",
                            message ? ": " : "", message ? message : "");
    if (status == 401)
        e = err_hint(e,
                     "the API server does not accept the client certificate: it may have expired, or be of another CA");
    return e;
}

/* Answers that may be different in a moment: overload, a webhook or aggregated API that is not up, a restart. */
static bool worth_repeating(long status)
{
    return status == 429 || (status >= 500 && status <= 504);
}

static struct err *call_once(struct kube *k, const struct http_call *call, long *ret_status, struct doc **ret)
{
    OWN_BUF struct buf body = {0};
    TRY(http_do(&body, ret_status, call, k->http));
    doc_free(*ret);
    *ret = NULL;
    struct err *e = body.len ? doc_json(ret, call->url, body.at, body.len) : NULL;
    if (!e || *ret_status < 300)
        return e;
    err_ignore(e); /* an error page that is no JSON: its status says enough, its text is shown as the message */
    *ret = doc_new_map();
    doc_set_fmt(*ret, "message", "%.300s", buf_text(&body));
    return NULL;
}

/* Repeats a call while it may help; the last outcome counts. */
static struct err *call_retry(struct kube *k, int64_t retry_ms, const struct http_call *call, long *ret_status,
                              struct doc **ret)
{
    int64_t until = clock_ms() + retry_ms;
    for (int64_t pause = 200;; pause = pause < 2000 ? pause * 2 : pause) {
        struct err *e = call_once(k, call, ret_status, ret);
        bool again = e ? err_kind(e) == ERR_UNREACHABLE : worth_repeating(*ret_status);
        if (!again || clock_ms() + pause >= until)
            return e;
        err_ignore(e); /* tried again below */
        TRY(cancel_sleep(k->cancel, pause));
    }
}

struct err *kube_call_for(struct kube *k, int64_t retry_ms, const char *method, const char *path, const char *type,
                          const struct doc *body, long *ret_status, struct doc **ret)
{
    static const char *const accept[] = {"Accept: application/json", NULL};
    OWN_BUF struct buf text = {0};
    OWN_DOC struct doc *answer = NULL;
    OWN_FREE char *url = str_fmt("%s%s", k->url, path);
    if (!url)
        return err_os(ENOMEM, "Kubernetes request");
    if (body)
        TRY(doc_json_write(&text, body));
    struct http_call call = {.unix_socket = k->unix_socket,
                             .url = url,
                             .method = method,
                             .body = text.at,
                             .body_len = text.len,
                             .content_type = type,
                             .headers = accept,
                             .ca_pem = k->ca,
                             .cert_pem = k->cert,
                             .key_pem = k->key,
                             .cancel = k->cancel};
    TRY(call_retry(k, retry_ms, &call, ret_status, &answer));
    if (ret)
        *ret = TAKE(answer);
    return NULL;
}

struct err *kube_call(struct kube *k, const char *method, const char *path, const char *type, const struct doc *body,
                      long *ret_status, struct doc **ret)
{
    return kube_call_for(k, k->retry_ms, method, path, type, body, ret_status, ret);
}

struct err *kube_get(struct kube *k, struct doc **ret, const char *path)
{
    OWN_DOC struct doc *answer = NULL;
    long status = 0;
    *ret = NULL;
    TRY(kube_call(k, "GET", path, NULL, NULL, &status, &answer));
    if (status == 404)
        return NULL;
    TRY(kube_status_err(path, status, answer));
    *ret = TAKE(answer);
    return NULL;
}

struct err *kube_probe(struct kube *k, const char *path, long *ret_status, struct buf *text)
{
    OWN_FREE char *url = str_fmt("%s%s?verbose", k->url, path);
    if (!url)
        return err_os(ENOMEM, "Kubernetes request");
    struct http_call call = {.unix_socket = k->unix_socket,
                             .url = url,
                             .ca_pem = k->ca,
                             .cert_pem = k->cert,
                             .key_pem = k->key,
                             .timeout_ms = 5000,
                             .cancel = k->cancel};
    return http_do(text, ret_status, &call, k->http);
}

const struct cancel *kube_cancel(const struct kube *k)
{
    return k->cancel;
}

/* ---- discovery ---- */

static struct err *discover(struct kube *k, const char *api_version, struct doc **ret)
{
    OWN_DOC struct doc *answer = NULL;
    OWN_FREE char *path = str_fmt(strchr(api_version, '/') ? "/apis/%s" : "/api/%s", api_version);
    if (!path)
        return err_os(ENOMEM, "Kubernetes discovery");
    TRY(kube_get(k, &answer, path));
    struct doc *list = doc_get(answer, "resources");
    *ret = list ? doc_set(k->resources, api_version, doc_clone(list)) : NULL;
    return NULL;
}

/* Subresources ("deployments/scale") have the kind of something else. */
static const struct doc *resource_of(const struct doc *list, const char *kind)
{
    DOC_EACH (r, list)
        if (str_eq(doc_text(r, "kind"), kind) && doc_text(r, "name") && !strchr(doc_text(r, "name"), '/'))
            return r;
    return NULL;
}

static struct err *find_resource(struct kube *k, const char *api_version, const char *kind, const struct doc **ret)
{
    struct doc *list = doc_get(k->resources, api_version);
    *ret = resource_of(list, kind);
    if (*ret)
        return NULL;
    TRY(discover(k, api_version, &list)); /* a CRD may have come since */
    *ret = resource_of(list, kind);
    return NULL;
}

/* One path segment; names of RBAC objects have colons, nothing legal has a slash. */
static struct err *add_segment(struct buf *path, const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:@";
    if (!*s || str_eq(s, ".") || str_eq(s, "..") || strpbrk(s, "/%"))
        return err_new(ERR_FAILED, "\"%s\" cannot be the name of an object", s);
    TRY(buf_str(path, "/"));
    for (; *s; s++)
        if (strchr(plain, *s))
            TRY(buf_add(path, s, 1));
        else
            TRY(buf_fmt(path, "%%%02X", (unsigned)(unsigned char)*s));
    return NULL;
}

static struct err *make_path(char **ret, const struct doc *resource, const char *api_version, const char *ns,
                             const char *name)
{
    OWN_BUF struct buf path = {0};
    TRY(buf_fmt(&path, strchr(api_version, '/') ? "/apis/%s" : "/api/%s", api_version));
    if (doc_bool(resource, "namespaced", false) && (name || ns)) {
        TRY(buf_str(&path, "/namespaces"));
        TRY(add_segment(&path, ns && *ns ? ns : "default"));
    }
    TRY(add_segment(&path, doc_text(resource, "name")));
    if (name)
        TRY(add_segment(&path, name));
    *ret = buf_take(&path);
    return *ret ? NULL : err_os(ENOMEM, "Kubernetes path");
}

static struct err *no_such_kind(const char *api_version, const char *kind)
{
    struct err *e = err_new(ERR_FAILED, "the API server has no kind %s in %s", kind, api_version);
    return err_hint(e, "its CustomResourceDefinition must be applied before, or this version of Kubernetes dropped it");
}

struct err *kube_path(struct kube *k, char **ret, const char *api_version, const char *kind, const char *ns,
                      const char *name)
{
    const struct doc *resource = NULL;
    TRY(find_resource(k, api_version, kind, &resource));
    if (!resource)
        return no_such_kind(api_version, kind);
    return make_path(ret, resource, api_version, ns, name);
}

/* ---- objects ---- */

static struct err *check_object(const struct doc *o)
{
    const char *const needed[] = {"apiVersion", "kind", "metadata.name"};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!doc_text(o, needed[i]) || !*doc_text(o, needed[i]))
            return doc_err(ERR_FAILED, o, "a Kubernetes object without %s", needed[i]);
    return NULL;
}

/* Path of an object; *ret NULL when the server does not have its kind. */
static struct err *object_path(struct kube *k, char **ret, const struct doc *o)
{
    const struct doc *resource = NULL;
    const char *version = doc_text(o, "apiVersion");
    *ret = NULL;
    TRY(check_object(o));
    TRY(find_resource(k, version, doc_text(o, "kind"), &resource));
    if (!resource)
        return NULL;
    return make_path(ret, resource, version, doc_text(o, "metadata.namespace"), doc_text(o, "metadata.name"));
}

/* object_path() that waits for a kind whose CRD is being established. */
static struct err *object_path_soon(struct kube *k, char **ret, const struct doc *o)
{
    int64_t until = clock_ms() + k->retry_ms;
    for (;;) {
        TRY(object_path(k, ret, o));
        if (*ret)
            return NULL;
        if (clock_ms() + 500 >= until)
            return no_such_kind(doc_text(o, "apiVersion"), doc_text(o, "kind"));
        TRY(cancel_sleep(k->cancel, 500));
    }
}

struct err *kube_get_object(struct kube *k, struct doc **ret, const struct doc *object)
{
    OWN_FREE char *path = NULL;
    *ret = NULL;
    TRY(object_path(k, &path, object));
    return path ? kube_get(k, ret, path) : NULL; /* without the kind there is no such object either */
}

/*
 * A conflict under force means that the object changed between two steps of the server, or is being deleted; the same
 * request is right a moment later.
 */
static struct err *apply_to(struct kube *k, const char *path, const struct doc *object, const char *what,
                            struct doc **ret)
{
    OWN_FREE char *query = str_fmt("%s?fieldManager=" KUBE_MANAGER "&force=true", path);
    if (!query)
        return err_os(ENOMEM, "%s", what);
    for (int tries = 5;; tries--) {
        OWN_DOC struct doc *answer = NULL;
        long status = 0;
        TRY_CTX(kube_call(k, "PATCH", query, APPLY_TYPE, object, &status, &answer), "%s", what);
        if (status == 409 && tries > 1) {
            TRY(cancel_sleep(k->cancel, 300));
            continue;
        }
        TRY(kube_status_err(what, status, answer));
        if (ret)
            *ret = TAKE(answer);
        return NULL;
    }
}

struct err *kube_apply(struct kube *k, const struct doc *object, struct doc **ret)
{
    OWN_FREE char *label = kube_label(object), *what = str_fmt("apply %s", label ? label : ""), *path = NULL;
    if (!what)
        return err_os(ENOMEM, "apply");
    TRY_CTX(object_path_soon(k, &path, object), "%s", what);
    return apply_to(k, path, object, what, ret);
}

struct err *kube_delete(struct kube *k, const struct doc *object, const char *propagation)
{
    OWN_FREE char *label = kube_label(object), *what = str_fmt("delete %s", label ? label : ""), *path = NULL;
    OWN_DOC struct doc *options = doc_new_map(), *answer = NULL;
    long status = 0;
    if (!what)
        return err_os(ENOMEM, "delete");
    TRY_CTX(object_path(k, &path, object), "%s", what);
    if (!path)
        return NULL;
    doc_set_text(options, "apiVersion", "v1");
    doc_set_text(options, "kind", "DeleteOptions");
    doc_set_text(options, "propagationPolicy", propagation);
    TRY_CTX(kube_call(k, "DELETE", path, "application/json", options, &status, &answer), "%s", what);
    return status == 404 ? NULL : kube_status_err(what, status, answer);
}
