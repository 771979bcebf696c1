#include "cluster/marks.h"

#include "base/str.h"

#define CONTROL_PLANE_ROLE "node-role.kubernetes.io/control-plane"

struct doc *host_labels(const struct host *h)
{
    struct doc *labels = doc_new_map();
    DOC_EACH (l, h->labels)
        doc_set_text(labels, l->key, l->text); /* a label "1" is a number to YAML, and text to Kubernetes */
    if (h->control_plane)
        doc_set_text(labels, CONTROL_PLANE_ROLE, "");
    if (h->worker)
        doc_set_text(labels, "node-role.kubernetes.io/worker", "");
    return labels;
}

struct doc *host_taints(const struct host *h)
{
    struct doc *taints = h->taints ? doc_clone(h->taints) : doc_new_list();
    if (h->control_plane && !h->worker) {
        struct doc *t = doc_add(taints, doc_new_map());
        doc_set_text(t, "key", CONTROL_PLANE_ROLE);
        doc_set_text(t, "effect", "NoSchedule");
    }
    return taints;
}

const struct doc *taint_find(const struct doc *list, const struct doc *taint)
{
    DOC_EACH (t, list)
        if (str_eq(doc_text(t, "key"), doc_text(taint, "key")) &&
            str_eq(doc_text(t, "effect"), doc_text(taint, "effect")))
            return t;
    return NULL;
}
