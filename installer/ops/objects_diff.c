#include "ops/objects_diff.h"

#include "base/str.h"
#include "cluster/marks.h"
#include "crypt/digest.h"
#include "kube/inventory.h"

/* ---- manifests ---- */

static struct err *object_digest(char ret[DIGEST_HEX], const struct doc *o)
{
    OWN_BUF struct buf bytes = {0};
    TRY(doc_json_write(&bytes, o));
    return digest_hex(ret, bytes.at, bytes.len);
}

struct err *objects_diff(struct doc *apply, struct doc *inventory, const struct doc *before, const struct doc *all)
{
    DOC_EACH (object, all) {
        char hex[DIGEST_HEX];
        TRY(object_digest(hex, object));
        inventory_add(inventory, object, hex);
        const struct doc *old = inventory_find(before, inventory->last);
        if (!old || !str_eq(doc_text(old, "digest"), hex))
            doc_add(apply, doc_clone(object));
    }
    return NULL;
}

struct err *objects_unique(const struct doc *all)
{
    OWN_DOC struct doc *seen = doc_new_list();
    DOC_EACH (object, all) {
        OWN_DOC struct doc *one = doc_new_list();
        OWN_FREE char *label = kube_label(object);
        inventory_add(one, object, NULL);
        if (inventory_find(seen, one->child))
            return err_hint(
                doc_err(ERR_USAGE, object, "%s is there twice in the release's manifests", label ? label : ""),
                "the second would overwrite the first at each apply: remove one of them from the bundle's "
                "components");
        doc_add(seen, doc_clone(one->child));
    }
    return NULL;
}

/* ---- nodes ---- */

static bool labels_hold(const struct doc *live, const struct doc *wanted)
{
    DOC_EACH (l, wanted)
        if (!doc_equal(doc_get(live, l->key), l))
            return false;
    return true;
}

/* The API leaves out an empty value. */
static const char *value_of(const struct doc *taint)
{
    const char *value = doc_text(taint, "value");
    return value ? value : "";
}

static bool taints_hold(const struct doc *live, const struct doc *wanted)
{
    DOC_EACH (t, wanted) {
        const struct doc *have = taint_find(live, t);
        if (!have || !str_eq(value_of(have), value_of(t)))
            return false;
    }
    return true;
}

/* What was put on the node once and is wanted no more: labels as null, taints marked as gone; true if there is any. */
static bool take_off(struct doc *labels, struct doc *taints, const struct doc *old, const struct doc *live)
{
    bool any = false;
    DOC_EACH (l, doc_get(old, "labels"))
        if (!doc_get(labels, l->key) && doc_get(doc_path(live, "metadata.labels"), l->key)) {
            doc_set(labels, l->key, doc_new_null());
            any = true;
        }
    DOC_EACH (t, doc_get(old, "taints"))
        if (!taint_find(taints, t) && taint_find(doc_path(live, "spec.taints"), t)) {
            doc_set_bool(doc_add(taints, doc_clone(t)), "gone", true);
            any = true;
        }
    return any;
}

void objects_diff_node(struct doc *patches, const struct host *h, const struct doc *old, const struct doc *live)
{
    OWN_DOC struct doc *labels = host_labels(h), *taints = host_taints(h);
    bool good =
        labels_hold(doc_path(live, "metadata.labels"), labels) && taints_hold(doc_path(live, "spec.taints"), taints);
    if (!(old && take_off(labels, taints, old, live)) && good)
        return;
    struct doc *patch = doc_add(patches, doc_new_map());
    doc_set_text(patch, "name", h->name);
    struct doc *body = doc_set(patch, "body", doc_new_map());
    doc_set(doc_set(body, "metadata", doc_new_map()), "labels", TAKE(labels));
    doc_set(doc_set(body, "spec", doc_new_map()), "taints", TAKE(taints));
}

struct doc *objects_node_patch(const struct doc *patch, const struct doc *live)
{
    struct doc *body = doc_clone(doc_get(patch, "body")), *all = doc_new_list();
    const struct doc *ours = doc_path(body, "spec.taints"), *version = doc_path(live, "metadata.resourceVersion");
    DOC_EACH (t, doc_path(live, "spec.taints"))
        if (!taint_find(ours, t))
            doc_add(all, doc_clone(t));
    DOC_EACH (t, ours)
        if (!doc_bool(t, "gone", false))
            doc_add(all, doc_clone(t));
    doc_set(doc_get(body, "spec"), "taints", all);
    if (version)
        doc_set(doc_get(body, "metadata"), "resourceVersion", doc_clone(version));
    return body;
}
