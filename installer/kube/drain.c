#include "kube/drain.h"

#include "base/clock.h"
#include "base/str.h"
#include "kube/client.h"
#include "kube/nodes.h"

#include <errno.h>

enum { PAUSE_MS = 1000 };

/* ---- what to do with each pod ---- */

static const char *controller_kind(const struct doc *pod)
{
    DOC_EACH (o, doc_path(pod, "metadata.ownerReferences"))
        if (doc_bool(o, "controller", false))
            return doc_text(o, "kind");
    return NULL;
}

/* Mirror pods show what the kubelet runs from files; names of annotations hold dots, so no doc_path(). */
static bool is_mirror(const struct doc *pod)
{
    return doc_get(doc_path(pod, "metadata.annotations"), "kubernetes.io/config.mirror") != NULL;
}

static void decide(struct doc *step, const struct doc *pod)
{
    const char *owner = controller_kind(pod), *phase = doc_text(pod, "status.phase");
    const char *action = "evict", *reason = "";
    if (is_mirror(pod))
        action = "leave", reason = "static pod";
    else if (str_eq(owner, "DaemonSet"))
        action = "leave", reason = "a DaemonSet's pod belongs to the node";
    else if (str_eq(phase, "Succeeded") || str_eq(phase, "Failed"))
        action = "leave", reason = "finished";
    else if (!owner && !doc_path(pod, "metadata.deletionTimestamp"))
        action = "refuse", reason = "no controller would start it elsewhere";
    doc_set_text(step, "action", action);
    doc_set_text(step, "reason", reason);
}

struct doc *drain_plan(const struct doc *pods)
{
    struct doc *plan = doc_new_list();
    DOC_EACH (pod, doc_get(pods, "items")) {
        const char *ns = doc_text(pod, "metadata.namespace"), *name = doc_text(pod, "metadata.name");
        struct doc *step = doc_add(plan, doc_new_map());
        doc_set_text(step, "namespace", ns ? ns : "");
        doc_set_text(step, "name", name ? name : "");
        decide(step, pod);
        doc_set_bool(step, "leaving", doc_path(pod, "metadata.deletionTimestamp") != NULL);
    }
    return plan;
}

/* ---- doing it ---- */

static struct err *list_steps(struct kube *k, struct doc **ret, const char *node)
{
    OWN_FREE char *path = str_fmt("/api/v1/pods?fieldSelector=spec.nodeName%%3D%s", node);
    OWN_DOC struct doc *pods = NULL;
    TRY(path ? kube_get(k, &pods, path) : err_os(ENOMEM, "drain"));
    *ret = drain_plan(pods);
    return NULL;
}

static struct err *check_refused(const struct doc *plan)
{
    OWN_BUF struct buf names = {0};
    DOC_EACH (s, plan)
        if (str_eq(doc_text(s, "action"), "refuse"))
            TRY(buf_fmt(&names, "%s%s/%s", names.len ? ", " : "", doc_text(s, "namespace"), doc_text(s, "name")));
    if (!names.len)
        return NULL;
    return err_hint(err_new(ERR_REFUSED, "pods without a controller would be lost: %s", buf_text(&names)),
                    "delete them with kubectl, or have a controller own them, then apply again");
}

static struct err *cordon(struct kube *k, const char *node, bool *ret_unknown)
{
    OWN_DOC struct doc *patch = doc_new_map();
    doc_set_bool(doc_set(patch, "spec", doc_new_map()), "unschedulable", true);
    return err_wrap(kube_node_patch(k, node, patch, 404, ret_unknown), "cordon");
}

/* 429 is "not now, a budget forbids it"; that and trouble of the server are tried again, and named at the deadline. */
static struct err *evict(struct kube *k, struct doc *step)
{
    const char *ns = doc_text(step, "namespace"), *name = doc_text(step, "name");
    OWN_FREE char *path = str_fmt("/api/v1/namespaces/%s/pods/%s/eviction", ns, name);
    OWN_DOC struct doc *body = doc_new_map(), *answer = NULL;
    long status = 0;
    if (!path)
        return err_os(ENOMEM, "drain");
    doc_set_text(body, "apiVersion", "policy/v1");
    doc_set_text(body, "kind", "Eviction");
    struct doc *meta = doc_set(body, "metadata", doc_new_map());
    doc_set_text(meta, "namespace", ns);
    doc_set_text(meta, "name", name);
    TRY(kube_call_for(k, 0, "POST", path, "application/json", body, &status, &answer));
    if (status != 429 && status < 500)
        return status == 404 ? NULL : kube_status_err(name, status, answer);
    const char *message = doc_text(answer, "message");
    doc_set_text(step, "reason", message ? message : "the API server refused for now");
    return NULL;
}

static struct err *evict_all(struct kube *k, struct doc *plan, size_t *ret_left)
{
    *ret_left = 0;
    DOC_EACH (s, plan) {
        if (!str_eq(doc_text(s, "action"), "evict"))
            continue;
        (*ret_left)++;
        if (!doc_bool(s, "leaving", false))
            TRY(evict(k, s));
    }
    return NULL;
}

static struct err *too_late(const struct doc *plan, const char *node)
{
    OWN_BUF struct buf text = {0};
    DOC_EACH (s, plan)
        if (str_eq(doc_text(s, "action"), "evict"))
            TRY(buf_fmt(&text, "\n%s/%s: %s", doc_text(s, "namespace"), doc_text(s, "name"),
                        *doc_text(s, "reason") ? doc_text(s, "reason") : "still terminating"));
    return err_hint(err_new(ERR_FAILED, "%s still has pods%s", node, buf_text(&text)),
                    "let the disruption budgets have room, then apply again; the node stays cordoned");
}

struct err *kube_drain(struct kube *k, const char *node, int64_t deadline_ms, void (*note)(void *arg, size_t left),
                       void *arg)
{
    bool unknown = false;
    OWN_DOC struct doc *first = NULL;
    TRY(list_steps(k, &first, node));
    TRY(check_refused(first));
    TRY(cordon(k, node, &unknown));
    for (size_t left = !unknown, last = 0; left; last = left) {
        OWN_DOC struct doc *plan = NULL;
        TRY(list_steps(k, &plan, node));
        TRY(check_refused(plan));
        TRY(evict_all(k, plan, &left));
        if (left && left != last && note)
            note(arg, left);
        if (left && clock_ms() > deadline_ms)
            return too_late(plan, node);
        if (left)
            TRY(cancel_sleep(kube_cancel(k), PAUSE_MS));
    }
    return NULL;
}
