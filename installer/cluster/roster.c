#include "cluster/roster.h"

#include "cluster/marks.h"

static struct doc *entry_new(const struct host *h)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "name", h->name);
    doc_set_text(d, "address", h->address);
    doc_set_text(d, "user", h->user);
    doc_set_int(d, "port", h->port);
    if (h->key)
        doc_set_text(d, "key", h->key);
    if (h->host_key)
        doc_set_text(d, "hostKey", h->host_key);
    doc_set_bool(d, "controlPlane", h->control_plane);
    doc_set_bool(d, "worker", h->worker);
    doc_set(d, "labels", host_labels(h));
    doc_set(d, "taints", host_taints(h));
    return d;
}

struct doc *roster_new(const struct cluster *c)
{
    struct doc *list = doc_new_list();
    for (size_t i = 0; i < c->n_hosts; i++)
        doc_add(list, entry_new(&c->hosts[i]));
    return list;
}

struct doc *roster_leaving(const struct doc *before, const struct cluster *c)
{
    struct doc *list = doc_new_list();
    DOC_EACH (e, before)
        if (!cluster_host(c, doc_text(e, "name")))
            doc_add(list, doc_clone(e));
    return list;
}

/* What was put on the node once is remembered until it was taken off. */
static void keep_marks(struct doc *entry, const struct doc *old)
{
    struct doc *labels = doc_get(entry, "labels"), *taints = doc_get(entry, "taints");
    DOC_EACH (l, doc_get(old, "labels"))
        if (!doc_get(labels, l->key))
            doc_set(labels, l->key, doc_clone(l));
    DOC_EACH (t, doc_get(old, "taints"))
        if (!taint_find(taints, t))
            doc_add(taints, doc_clone(t));
}

struct doc *roster_join(const struct doc *before, const struct cluster *c)
{
    struct doc *list = roster_new(c), *leaving = roster_leaving(before, c);
    DOC_EACH (e, list) {
        const struct doc *old = doc_find(before, "name", doc_text(e, "name"));
        if (old && !doc_equal(old, e))
            keep_marks(e, old);
    }
    DOC_EACH (e, leaving)
        doc_add(list, doc_clone(e));
    doc_free(leaving);
    return list;
}

struct err *roster_check(const struct doc *before, const struct cluster *c)
{
    for (size_t i = 0; i < c->n_hosts; i++) {
        const struct host *h = &c->hosts[i];
        const struct doc *old = doc_find(before, "name", h->name);
        if (!old || doc_bool(old, "controlPlane", false) == h->control_plane)
            continue;
        return err_hint(doc_err(ERR_USAGE, doc_get(h->at, "roles"), "%s %s in the cluster", h->name,
                                h->control_plane ? "is no control-plane host" : "is a control-plane host"),
                        "a machine changes this role by leaving: apply without it, then add it with the new roles");
    }
    return NULL;
}

struct err *roster_host(struct host *ret, const struct doc *entry, const struct cluster *c)
{
    uint32_t address = 0;
    const struct doc *key = doc_get(entry, "key");
    *ret = (struct host){.name = doc_text(entry, "name"),
                         .address = doc_text(entry, "address"),
                         .user = doc_text(entry, "user"),
                         .port = (int)doc_int(entry, "port", 22),
                         .key = key ? key->text : NULL,
                         .host_key = doc_text(entry, "hostKey"),
                         .control_plane = doc_bool(entry, "controlPlane", false),
                         .worker = doc_bool(entry, "worker", false),
                         .at = entry};
    if (!ret->name || !ret->user || !ret->address || !net_parse_address(ret->address, &address))
        return err_new(ERR_FAILED, "the cluster's list of hosts is damaged");
    for (size_t i = 0; i < c->n_hosts; i++)
        if (str_eq(c->hosts[i].address, ret->address))
            return err_hint(doc_err(ERR_USAGE, doc_get(c->hosts[i].at, "name"),
                                    "%s has the address of %s, which still belongs to the cluster", c->hosts[i].name,
                                    ret->name),
                            "a machine changes its name by leaving: apply without it, then add it under the new name");
    return NULL;
}
