#include "ops/leave.h"

#include "base/clock.h"
#include "cluster/roster.h"
#include "kube/drain.h"
#include "kube/nodes.h"
#include "kube/record.h"
#include "ops/join.h"
#include "ops/reset.h"

#include <errno.h>

/* A kubelet that stops reporting is noticed after 40 s (node-monitor-grace-period 50 s since Kubernetes 1.32). */
enum { DRAIN_MS = 600000, GONE_MS = 90000, POLL_MS = 1000 };

static struct err *hosts_new(struct leave *l, const struct cluster *c)
{
    size_t n = 0;
    l->hosts = calloc(doc_len(l->leaving) + 1, sizeof *l->hosts);
    if (!l->hosts)
        return err_os(ENOMEM, "hosts");
    DOC_EACH (e, l->leaving)
        TRY(roster_host(&l->hosts[n++], e, c));
    return NULL;
}

struct err *leave_compare(struct leave *l, struct fleet *f, struct objects *o)
{
    const struct cluster *c = f->x->cluster;
    TRY(roster_check(o->roster, c));
    l->leaving = roster_leaving(o->roster, c);
    TRY(hosts_new(l, c));
    return fleet_connect_others(&l->fleet, f->x, l->hosts, doc_len(l->leaving));
}

/* Takes `now`. */
static struct err *record(struct objects *o, struct doc *now)
{
    struct err *e = doc_equal(o->roster, now) ? NULL : kube_record_put(o->kube, OBJECTS_ROSTER, now);
    doc_free(o->roster);
    o->roster = now;
    return err_wrap(e, "keep the list of hosts");
}

struct err *leave_record(struct fleet *f, struct objects *o)
{
    return record(o, roster_join(o->roster, f->x->cluster));
}

struct err *leave_settle(struct fleet *f, struct objects *o)
{
    return record(o, roster_new(f->x->cluster));
}

/* In reach, and what is there still belongs to this cluster under this name: nothing else may be taken off it. */
static bool is_living(const struct fleet *f, const struct member *m)
{
    return m->node && str_eq(doc_text(m->state, "cluster"), f->x->cluster->name) &&
           str_eq(doc_text(m->state, "node"), m->host->name);
}

/* ---- the Kubernetes side ---- */

static struct err *forget(struct objects *o, const struct member *m)
{
    OWN_DOC struct doc *node = kube_node(m->host->name);
    TRY(kube_delete(o->kube, node, "Background"));
    struct doc *now = doc_new_list();
    DOC_EACH (entry, o->roster)
        if (!str_eq(doc_text(entry, "name"), m->host->name))
            doc_add(now, doc_clone(entry));
    return record(o, now);
}

/* Whether the node's kubelet has reported lately, as Kubernetes sees it. */
static struct err *is_reporting(bool *ret, struct objects *o, const char *name)
{
    OWN_DOC struct doc *want = kube_node(name), *live = NULL;
    TRY(kube_get_object(o->kube, &live, want));
    *ret = kube_node_ready(live);
    return NULL;
}

/* SSH alone proves no death: a host that runs on would come back into the cluster by itself. */
static struct err *wait_silent(struct fleet *f, struct objects *o, const char *name)
{
    int64_t deadline = clock_ms() + GONE_MS;
    for (bool alive = true;;) {
        TRY(is_reporting(&alive, o, name));
        if (!alive)
            return NULL;
        if (clock_ms() > deadline)
            return err_hint(err_new(ERR_REFUSED, "%s cannot be reached, but its kubelet still reports", name),
                            "shut the machine down, or make SSH to it work, then apply again");
        TRY(cancel_sleep(f->x->cancel, POLL_MS));
    }
}

/* ---- one host ---- */

static struct err *lost(struct fleet *f, struct objects *o, struct member *m)
{
    const char *name = m->host->name;
    event_emit(f->x->events, EVENT_STEP, name, "take it out of the cluster without its help");
    TRY(wait_silent(f, o, name));
    if (m->host->control_plane)
        TRY(join_undo(f, m->host));
    TRY(forget(o, m));
    event_emit(f->x->events, EVENT_NOTE, name, "has left the cluster but could not be cleaned: %s",
               m->error ? err_text(m->error) : "there is nothing of this cluster on the machine");
    m->done = doc_new_map();
    return NULL;
}

struct draining {
    const struct events *events;
    const char *name;
};

static void show_left(void *arg, size_t left)
{
    const struct draining *d = arg;
    event_emit(d->events, EVENT_STEP, d->name, "drain: %zu pods left", left);
}

static struct err *living(struct leave *l, struct fleet *f, struct objects *o, struct member *m)
{
    const char *name = m->host->name;
    struct draining d = {f->x->events, name};
    event_emit(f->x->events, EVENT_STEP, name, "drain");
    TRY_CTX(kube_drain(o->kube, name, clock_ms() + DRAIN_MS, show_left, &d), "drain");
    if (m->host->control_plane)
        TRY(join_undo(f, m->host));
    TRY(reset_member(&l->fleet, m));
    TRY(forget(o, m));
    event_emit(f->x->events, EVENT_DONE, name, "has left the cluster");
    return NULL;
}

static struct err *each(struct leave *l, struct fleet *f, struct objects *o, bool alive)
{
    for (size_t i = 0; i < l->fleet.n; i++) {
        struct member *m = &l->fleet.at[i];
        if (is_living(f, m) != alive)
            continue;
        TRY(cancel_check(f->x->cancel));
        TRY_CTX(alive ? living(l, f, o, m) : lost(f, o, m), "%s", m->host->name);
    }
    return NULL;
}

struct err *leave_lost(struct leave *l, struct fleet *f, struct objects *o)
{
    return each(l, f, o, false);
}

struct err *leave_living(struct leave *l, struct fleet *f, struct objects *o)
{
    return each(l, f, o, true);
}

/* ---- the whole ---- */

struct doc *leave_report(const struct leave *l)
{
    struct doc *list = doc_new_list();
    for (size_t i = 0; i < l->fleet.n; i++) {
        const struct member *m = &l->fleet.at[i];
        struct doc *d = doc_add(list, doc_new_map());
        doc_set_text(d, "host", m->host->name);
        doc_set_bool(d, "lost", !is_living(&l->fleet, m));
        doc_set_bool(d, "done", m->done != NULL);
    }
    return list;
}

void leave_done(struct leave *l)
{
    fleet_done(&l->fleet);
    free(l->hosts);
    doc_free(l->leaving);
}
