/* Shared by the programs of this folder. */
#pragma once
#include "check.h"
#include "kube/inventory.h"

#include <string.h>

static inline struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    OK(doc_yaml(&d, "test", text, strlen(text)));
    return d;
}

static inline struct doc *named(const char *version, const char *kind, const char *ns, const char *name)
{
    struct doc *o = doc_new_map();
    doc_set_text(o, "apiVersion", version);
    doc_set_text(o, "kind", kind);
    struct doc *meta = doc_set(o, "metadata", doc_new_map());
    if (ns)
        doc_set_text(meta, "namespace", ns);
    doc_set_text(meta, "name", name);
    return o;
}
