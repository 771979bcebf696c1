#include "kube/record.h"

#include <string.h>

#define KEY "list"

static struct doc *config_map(const char *name, const char *text)
{
    struct doc *o = doc_new_map();
    doc_set_text(o, "apiVersion", "v1");
    doc_set_text(o, "kind", "ConfigMap");
    struct doc *meta = doc_set(o, "metadata", doc_new_map());
    doc_set_text(meta, "name", name);
    doc_set_text(meta, "namespace", "kube-system");
    if (text)
        doc_set_text(doc_set(o, "data", doc_new_map()), KEY, text);
    return o;
}

struct err *kube_record_get(struct kube *k, struct doc **ret, const char *name)
{
    OWN_DOC struct doc *want = config_map(name, NULL), *have = NULL, *list = NULL;
    TRY(kube_get_object(k, &have, want));
    const char *text = have ? doc_text(have, "data." KEY) : "[]";
    if (!text)
        return err_new(ERR_FAILED, "ConfigMap kube-system/%s: has no " KEY, name);
    TRY_CTX(doc_json(&list, name, text, strlen(text)), "ConfigMap kube-system");
    if (list->kind != DOC_LIST)
        return err_new(ERR_FAILED, "ConfigMap kube-system/%s: not a list", name);
    *ret = TAKE(list);
    return NULL;
}

struct err *kube_record_put(struct kube *k, const char *name, const struct doc *list)
{
    OWN_BUF struct buf text = {0};
    TRY(doc_json_write(&text, list));
    OWN_DOC struct doc *o = config_map(name, buf_text(&text));
    return kube_apply(k, o, NULL);
}
