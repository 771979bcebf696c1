#include "ops/objects.h"

#include "base/clock.h"
#include "cluster/roster.h"
#include "kube/nodes.h"
#include "kube/record.h"
#include "ops/objects_diff.h"
#include "ops/reach.h"

enum { READY_MS = 180000, NODE_MS = 300000, OBJECT_MS = 600000, PATCH_TRIES = 10 }; /* K8S-10 */
_Static_assert(REACH_S * 1000 > 2 * (READY_MS + NODE_MS + OBJECT_MS), "the certificate outlives what is waited for");

/* ---- comparing ---- */

static struct err *live_nodes(struct doc **ret, struct kube *k)
{
    *ret = NULL;
    return k ? kube_get(k, ret, "/api/v1/nodes") : NULL;
}

struct err *objects_compare(struct objects *o, struct fleet *f)
{
    struct member *m = fleet_control_plane(f);
    OWN_DOC struct doc *nodes = NULL;
    o->apply = doc_new_list();
    o->inventory = doc_new_list();
    o->nodes = doc_new_list();
    if (m) {
        TRY(reach_kube(&o->kube, f, m));
        TRY_CTX(kube_inventory_get(o->kube, &o->before), "ask the API server of %s", m->host->name);
        TRY(kube_record_get(o->kube, &o->roster, OBJECTS_ROSTER));
    } else {
        o->before = doc_new_list();
        o->roster = doc_new_list();
    }
    TRY(objects_diff(o->apply, o->inventory, o->before, f->x->objects));
    TRY(live_nodes(&nodes, o->kube));
    for (size_t i = 0; i < f->n; i++) {
        const struct host *h = f->at[i].host;
        objects_diff_node(o->nodes, h, doc_find(o->roster, "name", h->name),
                          doc_find(doc_get(nodes, "items"), "metadata.name", h->name));
    }
    return NULL;
}

/* ---- carrying out ---- */

static struct err *wait_registered(struct objects *o, const struct fleet *f)
{
    int64_t deadline = clock_ms() + NODE_MS;
    for (size_t i = 0; i < f->n;) {
        OWN_DOC struct doc *live = NULL, *want = kube_node(f->at[i].host->name);
        TRY(kube_get_object(o->kube, &live, want));
        if (live) {
            i++;
            continue;
        }
        if (clock_ms() > deadline)
            return err_hint(err_new(ERR_FAILED, "%s did not register with the API server in %d s", f->at[i].host->name,
                                    NODE_MS / 1000),
                            "see `journalctl -u kubelet` on it");
        TRY(cancel_sleep(f->x->cancel, 200));
    }
    return NULL;
}

/* Who else writes to the node, such as its kubelet, may come between: then it is looked at again. */
static struct err *patch_node(struct objects *o, const struct doc *patch)
{
    const char *name = doc_text(patch, "name");
    bool stale = true;
    for (int left = PATCH_TRIES; stale; left--) {
        OWN_DOC struct doc *node = kube_node(name), *live = NULL;
        TRY(kube_get_object(o->kube, &live, node));
        OWN_DOC struct doc *body = objects_node_patch(patch, live);
        TRY(kube_node_patch(o->kube, name, body, left ? 409 : 0, &stale));
    }
    return NULL;
}

static struct err *apply_all(struct objects *o, const struct fleet *f)
{
    if (o->apply->child)
        event_emit(f->x->events, EVENT_STEP, NULL, "apply %zu objects", doc_len(o->apply));
    DOC_EACH (object, o->apply)
        TRY(kube_apply(o->kube, object, NULL));
    return NULL;
}

struct err *objects_wait(struct objects *o, const struct fleet *f)
{
    int64_t deadline = clock_ms() + OBJECT_MS;
    event_emit(f->x->events, EVENT_STEP, NULL, "wait for nodes and objects to be ready");
    for (size_t i = 0; i < f->n; i++) {
        OWN_DOC struct doc *node = kube_node(f->at[i].host->name);
        TRY(kube_wait(o->kube, node, deadline));
    }
    DOC_EACH (object, f->x->objects)
        TRY(kube_wait(o->kube, object, deadline));
    event_emit(f->x->events, EVENT_DONE, NULL, "the cluster is ready");
    return NULL;
}

static struct err *prune(struct objects *o, const struct fleet *f)
{
    OWN_DOC struct doc *plan = prune_plan(o->before, o->inventory, 0);
    if (!plan->child)
        return NULL;
    event_emit(f->x->events, EVENT_STEP, NULL, "prune %zu objects", doc_len(plan));
    return kube_prune(o->kube, plan);
}

static struct err *inventory_store(struct objects *o)
{
    return doc_equal(o->before, o->inventory) ? NULL : kube_inventory_put(o->kube, o->inventory);
}

struct err *objects_reach(struct objects *o, struct fleet *f)
{
    struct member *m = fleet_control_plane(f);
    for (size_t i = 0; !m; i++)
        if (f->at[i].host->control_plane)
            m = &f->at[i];
    kube_free(TAKE(o->kube)); /* hosts were changed since: its certificate may have ended */
    TRY(reach_kube(&o->kube, f, m));
    event_emit(f->x->events, EVENT_STEP, NULL, "wait for the API server of %s", m->host->name);
    return kube_ready(o->kube, "/readyz", clock_ms() + READY_MS);
}

struct err *objects_apply(struct objects *o, struct fleet *f)
{
    TRY(wait_registered(o, f));
    DOC_EACH (patch, o->nodes)
        TRY(patch_node(o, patch));
    TRY(apply_all(o, f));
    TRY(objects_wait(o, f));
    TRY(prune(o, f));
    TRY(inventory_store(o));
    return NULL;
}

/* ---- report ---- */

struct doc *objects_report(const struct objects *o)
{
    struct doc *d = doc_new_map();
    struct doc *apply = doc_set(d, "apply", doc_new_list()), *pruned = doc_set(d, "prune", doc_new_list());
    struct doc *nodes = doc_set(d, "nodes", doc_new_list());
    OWN_DOC struct doc *plan = prune_plan(o->before, o->inventory, 0);
    DOC_EACH (object, o->apply) {
        OWN_FREE char *label = kube_label(object);
        doc_add_text(apply, label ? label : "");
    }
    DOC_EACH (entry, plan)
        if (str_eq(doc_text(entry, "action"), "delete")) {
            OWN_FREE char *label = str_fmt("%s %s", doc_text(entry, "kind"), doc_text(entry, "name"));
            doc_add_text(pruned, label ? label : "");
        }
    DOC_EACH (patch, o->nodes)
        doc_add_text(nodes, doc_text(patch, "name"));
    doc_set_int(d, "changes", (int64_t)(doc_len(apply) + doc_len(pruned) + doc_len(nodes)));
    return d;
}

void objects_done(struct objects *o)
{
    kube_free(o->kube);
    doc_free(o->apply);
    doc_free(o->inventory);
    doc_free(o->before);
    doc_free(o->roster);
    doc_free(o->nodes);
    *o = (struct objects){0};
}
