#include "kube/nodes.h"

#include "base/str.h"

#include <errno.h>

struct doc *kube_node(const char *name)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "apiVersion", "v1");
    doc_set_text(d, "kind", "Node");
    doc_set_text(doc_set(d, "metadata", doc_new_map()), "name", name);
    return d;
}

bool kube_node_ready(const struct doc *node)
{
    return str_eq(doc_text(doc_find(doc_path(node, "status.conditions"), "type", "Ready"), "status"), "True");
}

struct err *kube_node_patch(struct kube *k, const char *name, const struct doc *patch, long other, bool *ret_other)
{
    OWN_FREE char *path = str_fmt("/api/v1/nodes/%s?fieldManager=" KUBE_MANAGER, name);
    OWN_DOC struct doc *answer = NULL;
    long status = 0;
    if (!path)
        return err_os(ENOMEM, "node");
    TRY(kube_call(k, "PATCH", path, "application/merge-patch+json", patch, &status, &answer));
    *ret_other = status == other;
    return *ret_other ? NULL : kube_status_err(name, status, answer);
}
