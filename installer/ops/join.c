#include "ops/join.h"

#include "base/clock.h"
#include "etcd/join.h"
#include "ops/deliver.h"
#include "ops/images.h"
#include "ops/reach.h"
#include "run/pool.h"

#include <errno.h>
#include <stdatomic.h>

enum { POLL_MS = 300, ALIVE_MS = 3000 };

#define ETCD_DATA "/var/lib/etcd/member" /* what etcd makes in its --data-dir */

struct joining {
    struct fleet *f;
    struct member *m;
    struct etcd *etcd; /* of a member that runs */
    char *peer_url;
    atomic_bool over; /* the activation has ended, well or not */
};

static void joining_done(struct joining *j)
{
    etcd_free(j->etcd);
    free(j->peer_url);
}

static struct err *joining_init(struct joining *j, struct fleet *f, const struct host *h)
{
    struct member *seed = fleet_control_plane(f);
    j->f = f;
    j->peer_url = str_fmt("https://%s:2380", h->address);
    if (!j->peer_url)
        return err_os(ENOMEM, "etcd member");
    return seed ? reach_etcd(&j->etcd, f, seed) : err_new(ERR_UNREACHABLE, "no control-plane host in reach runs etcd");
}

bool join_needed(struct fleet *f, const struct member *m)
{
    return m->host->control_plane && member_is_new(m) && fleet_control_plane(f);
}

static struct err *has_data(bool *ret, const struct joining *j)
{
    struct doc *args = doc_new_map();
    OWN_DOC struct doc *facts = NULL;
    doc_add_text(doc_set(args, "paths", doc_new_list()), ETCD_DATA);
    TRY(node_call(&facts, j->m->node, "facts", args, j->f->x->cancel));
    *ret = doc_list_has(doc_get(facts, "existing"), ETCD_DATA);
    return NULL;
}

/* Makes etcd know the member. A list without a quorum fails: then nobody may join, and etcd says so. */
static struct err *prepare(const struct joining *j)
{
    OWN_DOC struct doc *members = NULL;
    const char *id = NULL, *name = j->m->host->name;
    char added[24];
    bool data = false;
    TRY(has_data(&data, j));
    TRY(etcd_members(&members, j->etcd));
    switch (join_decide(&id, members, name, j->peer_url, data)) {
    case JOIN_REFUSE:
        return err_hint(err_new(ERR_REFUSED, "%s holds data of an etcd member that the cluster does not know", name),
                        "`caisson reset %s` deletes them, then apply again", name);
    case JOIN_REPLACE:
        TRY(etcd_remove(j->etcd, id));
        return etcd_add_learner(added, j->etcd, j->peer_url);
    case JOIN_ADD:
        return etcd_add_learner(added, j->etcd, j->peer_url);
    case JOIN_START:
        break;
    }
    return NULL;
}

static struct err *deliver_env(const struct joining *j)
{
    OWN_DOC struct doc *members = NULL;
    OWN_BUF struct buf text = {0};
    TRY(etcd_members(&members, j->etcd));
    TRY(join_env(&text, members, j->m->host->name, j->peer_url));
    return deliver_runtime(j->f, j->m, "etcd.env", buf_text(&text));
}

/* One look: *ret when the member votes; a learner that has started is asked to become a voter. */
static struct err *promote_once(bool *ret, struct joining *j)
{
    OWN_DOC struct doc *members = NULL;
    TRY(etcd_members(&members, j->etcd));
    const struct doc *m = join_find(members, j->m->host->name, j->peer_url);
    const char *name = doc_text(m, "name");
    bool started = name && *name;
    *ret = started && !doc_bool(m, "isLearner", false);
    if (started && !*ret)
        err_ignore(etcd_promote(j->etcd, doc_text(m, "ID"))); /* refused until it has caught up: asked again */
    return NULL;
}

/*
 * Goes on until the host's activation has ended, since its API server is only ready behind a voting member. One look
 * that fails says nothing: a joining member may cost the cluster an election.
 */
static struct err *promote(struct joining *j)
{
    bool votes = false, over = false;
    OWN(err_freep) struct err *last = NULL;
    while (!votes && !over) {
        over = atomic_load(&j->over); /* before the look, so that one look comes behind the end */
        err_free(last);
        last = promote_once(&votes, j);
        if (!votes && !over)
            TRY(cancel_sleep(j->f->x->cancel, POLL_MS));
    }
    if (votes || last)
        return TAKE(last);
    return err_hint(err_new(ERR_FAILED, "its member has not caught up and is still a learner"),
                    "see `journalctl -u etcd` on it, then apply again");
}

static struct err *activate_and_promote(void *arg, size_t i)
{
    struct joining *j = arg;
    if (i == 1)
        return promote(j);
    struct err *e = deliver_activate(j->f, j->m);
    if (!e)
        e = images_deliver(j->f, j->m);
    atomic_store(&j->over, true);
    return e;
}

static const char *part_name(const void *arg, size_t i)
{
    (void)arg;
    return i == 0 ? "activation" : "etcd";
}

struct err *join_control_plane(struct fleet *f, struct member *m)
{
    OWN(joining_done) struct joining j = {.m = m};
    struct err *errors[2] = {NULL, NULL};
    event_emit(f->x->events, EVENT_STEP, m->host->name, "join etcd as a learner");
    TRY(joining_init(&j, f, m->host));
    TRY(prepare(&j));
    TRY(deliver_env(&j));
    pool_run(2, 2, activate_and_promote, &j, errors);
    TRY(pool_join(errors, 2, part_name, NULL));
    event_emit(f->x->events, EVENT_DONE, m->host->name, "is a voting member of etcd");
    return NULL;
}

struct err *join_undo(struct fleet *f, const struct host *h)
{
    OWN(joining_done) struct joining j = {0};
    OWN_DOC struct doc *members = NULL;
    TRY(joining_init(&j, f, h));
    TRY(etcd_members(&members, j.etcd));
    const struct doc *m = join_find(members, h->name, j.peer_url);
    return m ? etcd_remove(j.etcd, doc_text(m, "ID")) : NULL;
}

/* A host that etcd has put out would be asked, and even serve, without ever hearing of a change again. */
static struct err *check_members(struct fleet *f, struct member *seed)
{
    OWN(etcd_freep) struct etcd *etcd = NULL;
    OWN_DOC struct doc *members = NULL;
    TRY(reach_etcd(&etcd, f, seed));
    TRY_CTX(etcd_members(&members, etcd), "%s", seed->host->name);
    for (size_t i = 0; i < f->n; i++) {
        const struct host *h = f->at[i].host;
        if (!h->control_plane || !f->at[i].node || member_is_new(&f->at[i]) || join_find(members, h->name, ""))
            continue;
        return err_hint(err_new(ERR_REFUSED, "%s runs a control plane that etcd does not know any more", h->name),
                        "`caisson reset %s`, then apply again", h->name);
    }
    return NULL;
}

/* No control plane of cluster.yaml: a worker that still finds one belongs to another. */
static struct err *check_worker(struct fleet *f, struct member *m)
{
    OWN(kube_freep) struct kube *k = NULL;
    TRY(reach_kube(&k, f, m));
    struct err *e = kube_ready(k, "/readyz", clock_ms() + ALIVE_MS);
    err_free(e); /* no answer: an install that stopped half way, and no other control plane */
    if (e)
        return NULL;
    return err_hint(err_new(ERR_REFUSED, "%s belongs to a cluster whose control-plane hosts are not in %s",
                            m->host->name, f->x->cluster->file),
                    "keep at least one of them until the new ones have joined");
}

struct err *join_check(struct fleet *f)
{
    struct member *seed = fleet_control_plane(f);
    if (seed)
        return check_members(f, seed);
    for (size_t i = 0; i < f->n; i++)
        if (f->at[i].node && !f->at[i].host->control_plane && !member_is_new(&f->at[i]))
            TRY(check_worker(f, &f->at[i]));
    return NULL;
}
