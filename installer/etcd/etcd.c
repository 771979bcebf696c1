#include "etcd/etcd.h"

#include "base/str.h"
#include "http/http.h"

#include <errno.h>
#include <string.h>

enum { CALL_MS = 5000 }; /* ETCD-5: a healthy member answers a linearizable read in less */

struct etcd {
    struct http *http;
    char *socket, *ca, *cert, *key;
    const struct cancel *cancel;
};

struct err *etcd_new(struct etcd **ret, const struct etcd_access *a, const struct cancel *cancel)
{
    OWN(etcd_freep) struct etcd *e = calloc(1, sizeof *e);
    if (!e)
        return err_os(ENOMEM, "etcd");
    e->socket = strdup(a->unix_socket);
    e->ca = strdup(a->ca);
    e->cert = strdup(a->cert);
    e->key = strdup(a->key);
    e->cancel = cancel;
    if (!e->socket || !e->ca || !e->cert || !e->key)
        return err_os(ENOMEM, "etcd");
    TRY(http_new(&e->http));
    *ret = TAKE(e);
    return NULL;
}

void etcd_free(struct etcd *e)
{
    if (!e)
        return;
    http_free(e->http);
    if (e->key)
        explicit_bzero(e->key, strlen(e->key));
    free(e->socket);
    free(e->ca);
    free(e->cert);
    free(e->key);
    free(e);
}

static struct err *call(struct doc **ret, struct etcd *e, const char *path, const struct doc *body)
{
    OWN_FREE char *url = str_fmt("https://127.0.0.1:2379%s", path);
    OWN_BUF struct buf request = {0};
    OWN_BUF struct buf answer = {0};
    long status = 0;
    TRY(url ? doc_json_write(&request, body) : err_os(ENOMEM, "etcd"));
    struct http_call c = {.unix_socket = e->socket,
                          .url = url,
                          .method = "POST",
                          .body = request.at,
                          .body_len = request.len,
                          .content_type = "application/json",
                          .ca_pem = e->ca,
                          .cert_pem = e->cert,
                          .key_pem = e->key,
                          .timeout_ms = CALL_MS,
                          .cancel = e->cancel};
    TRY_CTX(http_do(&answer, &status, &c, e->http), "etcd");
    OWN_DOC struct doc *d = NULL;
    TRY_CTX(doc_json(&d, "etcd's answer", answer.at, answer.len), "etcd %s: status %ld", path, status);
    if (status != 200) {
        const char *why = doc_text(d, "message");
        return err_new(ERR_FAILED, "etcd %s: status %ld: %s", path, status, why ? why : buf_text(&answer));
    }
    if (ret)
        *ret = TAKE(d);
    return NULL;
}

static struct err *call_empty(struct doc **ret, struct etcd *e, const char *path)
{
    OWN_DOC struct doc *none = doc_new_map();
    return call(ret, e, path, none);
}

/* A list out of an answer; the gateway leaves empty ones out. */
static struct err *call_list(struct doc **ret, struct etcd *e, const char *path, const char *key)
{
    OWN_DOC struct doc *d = NULL;
    TRY(call_empty(&d, e, path));
    const struct doc *list = doc_get(d, key);
    *ret = list ? doc_clone(list) : doc_new_list();
    return NULL;
}

struct err *etcd_members(struct doc **ret, struct etcd *e)
{
    return call_list(ret, e, "/v3/cluster/member/list", "members");
}

struct err *etcd_status(struct doc **ret, struct etcd *e)
{
    return call_empty(ret, e, "/v3/maintenance/status");
}

struct err *etcd_alarms(struct doc **ret, struct etcd *e)
{
    OWN_DOC struct doc *body = doc_new_map();
    OWN_DOC struct doc *d = NULL;
    doc_set_text(body, "action", "GET");
    TRY(call(&d, e, "/v3/maintenance/alarm", body));
    const struct doc *list = doc_get(d, "alarms");
    *ret = list ? doc_clone(list) : doc_new_list();
    return NULL;
}

struct err *etcd_healthy(struct etcd *e)
{
    OWN_DOC struct doc *body = doc_new_map();
    doc_set_text(body, "key", "aGVhbHRo"); /* "health", the key that etcdctl endpoint health reads */
    return call(NULL, e, "/v3/kv/range", body);
}

struct err *etcd_add_learner(char ret_id[24], struct etcd *e, const char *peer_url)
{
    OWN_DOC struct doc *body = doc_new_map();
    OWN_DOC struct doc *d = NULL;
    doc_add_text(doc_set(body, "peerURLs", doc_new_list()), peer_url);
    doc_set_bool(body, "isLearner", true);
    TRY(call(&d, e, "/v3/cluster/member/add", body));
    const char *id = doc_text(d, "member.ID");
    if (!id || strlen(id) >= 24)
        return err_new(ERR_FAILED, "etcd did not say the new member's id");
    memcpy(ret_id, id, strlen(id) + 1);
    return NULL;
}

static struct err *call_member(struct etcd *e, const char *path, const char *id)
{
    OWN_DOC struct doc *body = doc_new_map();
    doc_set_text(body, "ID", id);
    return call(NULL, e, path, body);
}

struct err *etcd_promote(struct etcd *e, const char *id)
{
    return call_member(e, "/v3/cluster/member/promote", id);
}

struct err *etcd_remove(struct etcd *e, const char *id)
{
    return call_member(e, "/v3/cluster/member/remove", id);
}
