#include "ops/ops.h"

#include "base/clock.h"
#include "kube/nodes.h"
#include "ops/fleet.h"
#include "ops/reach.h"

static const char *state_of(const struct member *m)
{
    if (!m->node)
        return m->state ? "foreign" : "unreachable";
    if (doc_int(m->state, "generation", 0) == 0)
        return "empty";
    if (!member_is_active(m))
        return "degraded";
    return doc_int(m->diff, "changes", 0) ? "outdated" : "ok";
}

static void add_roles(struct doc *node, const struct host *h)
{
    struct doc *roles = doc_set(node, "roles", doc_new_list());
    if (h->control_plane)
        doc_add_text(roles, "control-plane");
    if (h->worker)
        doc_add_text(roles, "worker");
}

/* The certificate that ends first. */
static void add_expiry(struct doc *node, const struct doc *leafs)
{
    int64_t least = 0;
    const char *name = NULL;
    DOC_EACH (l, leafs) {
        int64_t end = doc_int(l, "notAfter", 0);
        if (end && (!name || end < least))
            least = end, name = l->key;
    }
    if (!name)
        return;
    char text[32];
    clock_rfc3339(text, least);
    struct doc *first = doc_set(node, "firstExpiry", doc_new_map());
    doc_set_text(first, "certificate", name);
    doc_set_text(first, "notAfter", text);
    doc_set_int(first, "days", (least - clock_wall_s()) / 86400);
}

static void add_node(struct doc *nodes, const struct member *m, const struct doc *api_nodes)
{
    struct doc *node = doc_add(nodes, doc_new_map());
    doc_set_text(node, "name", m->host->name);
    doc_set_text(node, "address", m->host->address);
    doc_set_text(node, "state", state_of(m));
    add_roles(node, m->host);
    doc_set_text(node, "wanted", m->want->digest);
    if (m->error)
        doc_set_text(node, "error", err_text(m->error));
    if (!m->state)
        return;
    const char *digest = doc_text(m->state, "digest");
    doc_set_text(node, "generation", digest ? digest : "");
    doc_set_int(node, "number", doc_int(m->state, "generation", 0));
    doc_set_bool(node, "simulated", doc_bool(m->state, "simulated", false));
    doc_set(node, "units", doc_get(m->state, "units") ? doc_clone(doc_get(m->state, "units")) : doc_new_list());
    add_expiry(node, doc_get(m->state, "leafs"));
    const struct doc *kubernetes = doc_find(api_nodes, "name", m->host->name);
    if (kubernetes)
        doc_set(node, "kubernetes", doc_clone(kubernetes));
}

/* What the API says of its nodes: {name, ready, version}. */
static struct err *read_nodes(struct doc **ret, struct kube *k)
{
    OWN_DOC struct doc *list = NULL;
    TRY(kube_get(k, &list, "/api/v1/nodes"));
    *ret = doc_new_list();
    DOC_EACH (n, doc_get(list, "items")) {
        struct doc *d = doc_add(*ret, doc_new_map());
        const char *version = doc_text(n, "status.nodeInfo.kubeletVersion");
        doc_set_text(d, "name", doc_text(n, "metadata.name"));
        doc_set_bool(d, "ready", kube_node_ready(n));
        doc_set_text(d, "version", version ? version : "");
    }
    return NULL;
}

/* One member, asked itself: {name, healthy, leader, learner, version}. */
static struct err *read_member(struct doc *into, struct etcd *e)
{
    OWN_DOC struct doc *status = NULL;
    TRY(etcd_status(&status, e));
    const char *id = doc_text(status, "header.member_id"), *version = doc_text(status, "version");
    doc_set_bool(into, "leader", str_eq(id, doc_text(status, "leader")));
    doc_set_bool(into, "learner", doc_bool(status, "isLearner", false));
    doc_set_text(into, "version", version ? version : "");
    TRY(etcd_healthy(e));
    doc_set_bool(into, "healthy", true);
    return NULL;
}

/* What the members agree on, asked of one of them. */
static struct err *read_agreed(struct doc *d, struct etcd *e)
{
    OWN_DOC struct doc *members = NULL;
    OWN_DOC struct doc *alarms = NULL;
    TRY(etcd_members(&members, e));
    TRY(etcd_alarms(&alarms, e));
    doc_set_int(d, "members", (int64_t)doc_len(members));
    doc_set(d, "alarms", TAKE(alarms));
    return NULL;
}

static struct err *ask_member(struct doc *d, struct doc *row, struct fleet *f, struct member *m)
{
    OWN(etcd_freep) struct etcd *e = NULL;
    if (!m->node)
        return err_new(ERR_UNREACHABLE, "the host cannot be reached");
    TRY(reach_etcd(&e, f, m));
    TRY(read_member(row, e));
    return doc_get(d, "members") ? NULL : read_agreed(d, e);
}

/* Every control-plane host that runs, or should run, a member. Healthy: each of them is, and no alarm is up. */
static struct doc *read_etcd(struct fleet *f)
{
    struct doc *d = doc_new_map(), *rows = doc_set(d, "each", doc_new_list());
    bool healthy = true;
    for (size_t i = 0; i < f->n; i++) {
        struct member *m = &f->at[i];
        if (!m->host->control_plane || (m->node && doc_int(m->state, "generation", 0) == 0))
            continue;
        struct doc *row = doc_add(rows, doc_new_map());
        doc_set_text(row, "name", m->host->name);
        doc_set_bool(row, "healthy", false);
        struct err *e = ask_member(d, row, f, m);
        if (e)
            doc_set_text(row, "error", err_text(e));
        healthy = healthy && !e;
        err_ignore(e); /* was shown */
        if (doc_bool(row, "leader", false))
            doc_set_text(d, "leader", m->host->name);
        if (doc_text(row, "version") && !doc_text(d, "version"))
            doc_set_text(d, "version", doc_text(row, "version"));
    }
    if (!doc_get(d, "members"))
        doc_set_text(d, "error", "no member answers");
    doc_set_bool(d, "healthy", healthy && doc_get(d, "members") && !doc_len(doc_get(d, "alarms")));
    return d;
}

static void add_cluster(struct doc *d, struct fleet *f, struct doc **ret_nodes)
{
    struct member *m = fleet_control_plane(f);
    OWN(kube_freep) struct kube *k = NULL;
    doc_set(d, "etcd", read_etcd(f));
    struct err *why =
        m ? reach_kube(&k, f, m) : err_new(ERR_UNREACHABLE, "no control-plane host in reach runs a generation");
    if (!why)
        why = read_nodes(ret_nodes, k);
    struct doc *api = doc_set(d, "api", doc_new_map());
    if (why)
        doc_set_text(api, "error", err_text(why));
    else
        doc_set_bool(api, "ready", true);
    err_ignore(why); /* was shown */
}

static bool all_ok(const struct doc *d)
{
    DOC_EACH (n, doc_get(d, "nodes"))
        if (!str_eq(doc_text(n, "state"), "ok") || !doc_bool(n, "kubernetes.ready", false))
            return false;
    return doc_bool(d, "etcd.healthy", false) && doc_bool(d, "api.ready", false);
}

static void add_release(struct doc *d, const struct bundle *b)
{
    static const char *const copied[] = {"profile", "version"};
    doc_set_text(d, "digest", bundle_digest(b));
    for (size_t i = 0; i < ARRAY_LEN(copied); i++)
        doc_set(d, copied[i], doc_clone(doc_get(doc_get(bundle_release(b), "predicate"), copied[i])));
}

struct err *ops_status(struct doc **ret, const struct run *r)
{
    OWN_CONTEXT struct context x = {.events = r->events, .cancel = r->cancel};
    OWN_FLEET struct fleet f = {0};
    OWN_DOC struct doc *api_nodes = NULL;
    TRY(context_full(&x, r->file));
    TRY(fleet_connect(&f, &x));
    struct doc *d = doc_new_map();
    doc_set_text(d, "cluster", x.cluster->name);
    struct doc *release = doc_set(d, "release", doc_new_map());
    add_release(release, x.bundles[0]);
    struct doc *addons = doc_set(d, "addons", doc_new_list());
    for (size_t i = 1; i < x.n_bundles; i++)
        add_release(doc_add(addons, doc_new_map()), x.bundles[i]);
    add_cluster(d, &f, &api_nodes);
    struct doc *nodes = doc_set(d, "nodes", doc_new_list());
    for (size_t i = 0; i < f.n; i++)
        add_node(nodes, &f.at[i], api_nodes);
    doc_set_bool(d, "ready", all_ok(d));
    *ret = d;
    return NULL;
}
