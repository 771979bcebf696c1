#include "kube/nodes.h"

#include "base/str.h"

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
