/*
 * kube: one API server. Objects go out one per request, as JSON, by server-side apply with the field manager "caisson".
 * For one thread at a time.
 */
#pragma once
#include "base/cancel.h"
#include "base/err.h"
#include "base/own.h"
#include "doc/doc.h"

#include <stdint.h>

#define KUBE_MANAGER "caisson"
#define KUBE_RETRY_MS 30000 /* how long 429, 5xx and a refused connection are tried again */

struct kube;

/* All strings are copied. */
struct kube_server {
    const char *unix_socket; /* a tunnel to the API server, or NULL to connect to `url` */
    const char *url;         /* "https://127.0.0.1:6443"; its host must be in the server's certificate */
    const char *ca_pem;
    const char *cert_pem; /* client certificate and key; NULL: anonymous (readyz) */
    const char *key_pem;
    int64_t retry_ms; /* 0: KUBE_RETRY_MS; negative: never try again */
};

/* Does not connect. `c` may be NULL and must outlive *ret; it ends every call with ERR_CANCELLED. */
struct err *kube_new(struct kube **ret, const struct kube_server *server, const struct cancel *c) ERR_MUST;
void kube_free(struct kube *k);
OWN_DEFINE(kube, kube)

/* ---- requests ---- */

/*
 * Any request: `body` NULL for none, `type` its content type. The answer of any status is parsed into *ret (NULL when
 * it is no JSON). Tried again as KUBE_RETRY_MS says, so only for requests that may be done twice.
 */
struct err *kube_call(struct kube *k, const char *method, const char *path, const char *type, const struct doc *body,
                      long *ret_status, struct doc **ret) ERR_MUST;

/*
 * The error that a Status answer means, NULL below 300: the API's message and reason behind `what`. ERR_UNTRUSTED for
 * 401, ERR_REFUSED for 403, else ERR_FAILED.
 */
struct err *kube_status_err(const char *what, long status, const struct doc *answer) ERR_MUST;

/* GET of a path; *ret is NULL when there is nothing (404). */
struct err *kube_get(struct kube *k, struct doc **ret, const char *path) ERR_MUST;

/* GET of the object with the apiVersion, kind, namespace and name of `object`; *ret is NULL when there is none. */
struct err *kube_get_object(struct kube *k, struct doc **ret, const struct doc *object) ERR_MUST;

/*
 * Path of an object (of its collection when `name` is NULL) by discovery; new memory. `ns` NULL or "" for a namespaced
 * kind means "default". ERR_FAILED for a kind the server does not have, asked again after a CRD may have come.
 */
struct err *kube_path(struct kube *k, char **ret, const char *api_version, const char *kind, const char *ns,
                      const char *name) ERR_MUST;

/*
 * Server-side apply with force (our fields win). Waits up to the retry time for a kind that is not there yet, since its
 * CRD may just have been applied. *ret (may be NULL) gets the object as stored. Error: what the API says.
 */
struct err *kube_apply(struct kube *k, const struct doc *object, struct doc **ret) ERR_MUST;

/* Deletes with propagationPolicy `propagation` ("Background", "Foreground", "Orphan"); not there is fine. */
struct err *kube_delete(struct kube *k, const struct doc *object, const char *propagation) ERR_MUST;

/* ---- waiting ---- */

/* Waits until `path` ("/readyz") answers 200; the error has the checks that still fail. */
struct err *kube_ready(struct kube *k, const char *path, int64_t deadline_ms) ERR_MUST;

/*
 * Waits until the live object is Current by the rules of kstatus.h. At the deadline (clock_ms(); negative: none) or
 * when it has failed for good: ERR_FAILED with the condition and the last warning events.
 */
struct err *kube_wait(struct kube *k, const struct doc *object, int64_t deadline_ms) ERR_MUST;
/* The same until it is gone. */
struct err *kube_wait_gone(struct kube *k, const struct doc *object, int64_t deadline_ms) ERR_MUST;

/* "Deployment kube-system/coredns" for texts; new memory, never NULL except without memory. */
char *kube_label(const struct doc *object);
