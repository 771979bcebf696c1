#include "kube/inventory.h"

#include "base/str.h"
#include "kube/record.h"

#include <string.h>

static const char *const entry_keys[] = {"apiVersion", "kind", "namespace", "name"};

void inventory_add(struct doc *list, const struct doc *object, const char *digest)
{
    struct doc *entry = doc_add(list, doc_new_map());
    const char *const paths[] = {"apiVersion", "kind", "metadata.namespace", "metadata.name"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const char *text = doc_text(object, paths[i]);
        if (text && *text)
            doc_set_text(entry, entry_keys[i], text);
    }
    if (digest)
        doc_set_text(entry, "digest", digest);
}

/* Length of the group in "group/version"; 0 for the core group. */
static size_t group_len(const char *api_version)
{
    const char *slash = strchr(api_version, '/');
    return slash ? (size_t)(slash - api_version) : 0;
}

static const char *field(const struct doc *entry, const char *key)
{
    const char *text = doc_text(entry, key);
    return text ? text : "";
}

static bool same_object(const struct doc *a, const struct doc *b)
{
    const char *va = field(a, "apiVersion"), *vb = field(b, "apiVersion");
    if (group_len(va) != group_len(vb) || strncmp(va, vb, group_len(va)) != 0)
        return false;
    return str_eq(field(a, "kind"), field(b, "kind")) && str_eq(field(a, "namespace"), field(b, "namespace")) &&
           str_eq(field(a, "name"), field(b, "name"));
}

const struct doc *inventory_find(const struct doc *list, const struct doc *entry)
{
    DOC_EACH (e, list)
        if (same_object(e, entry))
            return e;
    return NULL;
}

/* ---- the ConfigMap ---- */

#define NAME "caisson-inventory"

/* Every entry must name an object, or pruning would compare nonsense. */
static struct err *check_entries(const struct doc *list)
{
    DOC_EACH (e, list)
        if (!*field(e, "apiVersion") || !*field(e, "kind") || !*field(e, "name"))
            return err_new(ERR_FAILED, "ConfigMap kube-system/" NAME ": an entry without kind or name");
    return NULL;
}

struct err *kube_inventory_get(struct kube *k, struct doc **ret)
{
    OWN_DOC struct doc *list = NULL;
    TRY(kube_record_get(k, &list, NAME));
    TRY(check_entries(list));
    *ret = TAKE(list);
    return NULL;
}

struct err *kube_inventory_put(struct kube *k, const struct doc *list)
{
    return err_wrap(kube_record_put(k, NAME, list), "keep the inventory");
}

/* ---- pruning ---- */

static const struct {
    const char *group, *kind;
    unsigned allow;
} precious[] = {
    {"", "Namespace", PRUNE_NAMESPACES},
    {"apiextensions.k8s.io", "CustomResourceDefinition", PRUNE_CRDS},
    {"", "PersistentVolumeClaim", PRUNE_VOLUME_CLAIMS},
};

static bool is_precious(const struct doc *entry, unsigned allow)
{
    const char *version = field(entry, "apiVersion");
    for (size_t i = 0; i < ARRAY_LEN(precious); i++)
        if (str_eq(field(entry, "kind"), precious[i].kind) && group_len(version) == strlen(precious[i].group) &&
            str_starts(version, precious[i].group))
            return !(allow & precious[i].allow);
    return false;
}

static void plan_from_last(struct doc *plan, const struct doc *entry, const struct doc *after, unsigned allow)
{
    if (!entry)
        return;
    plan_from_last(plan, entry->next, after, allow);
    if (inventory_find(after, entry))
        return;
    struct doc *step = doc_add(plan, doc_new_map());
    for (size_t i = 0; i < ARRAY_LEN(entry_keys); i++)
        if (*field(entry, entry_keys[i]))
            doc_set_text(step, entry_keys[i], field(entry, entry_keys[i]));
    bool keep = is_precious(entry, allow);
    doc_set_text(step, "action", keep ? "keep" : "delete");
    if (keep)
        doc_set_fmt(step, "reason", "a %s is only removed on request", field(entry, "kind"));
}

struct doc *prune_plan(const struct doc *before, const struct doc *after, unsigned allow)
{
    struct doc *plan = doc_new_list();
    plan_from_last(plan, before ? before->child : NULL, after, allow);
    return plan;
}

static struct doc *object_of(const struct doc *entry)
{
    struct doc *o = doc_new_map();
    doc_set_text(o, "apiVersion", field(entry, "apiVersion"));
    doc_set_text(o, "kind", field(entry, "kind"));
    struct doc *meta = doc_set(o, "metadata", doc_new_map());
    doc_set_text(meta, "name", field(entry, "name"));
    if (*field(entry, "namespace"))
        doc_set_text(meta, "namespace", field(entry, "namespace"));
    return o;
}

static bool is_ours(const struct doc *live)
{
    return doc_find(doc_path(live, "metadata.managedFields"), "manager", KUBE_MANAGER);
}

static struct err *prune_one(struct kube *k, struct doc *step)
{
    OWN_DOC struct doc *object = object_of(step), *live = NULL;
    TRY(kube_get_object(k, &live, object));
    if (!live) {
        doc_set_text(step, "reason", "was gone already");
        return NULL;
    }
    if (!is_ours(live)) {
        doc_set_text(step, "action", "keep");
        doc_set_text(step, "reason", "somebody else manages it now");
        return NULL;
    }
    return kube_delete(k, object, "Background");
}

struct err *kube_prune(struct kube *k, struct doc *plan)
{
    DOC_EACH (step, plan)
        if (str_eq(doc_text(step, "action"), "delete"))
            TRY_CTX(prune_one(k, step), "prune");
    return NULL;
}
