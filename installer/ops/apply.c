#include "ops/ops.h"

#include "base/clock.h"
#include "ops/change.h"
#include "ops/deliver.h"
#include "ops/images.h"
#include "ops/join.h"
#include "ops/memory.h"
#include "ops/preflight.h"
#include "ops/receipt.h"

#include <errno.h>

/* A new node waits for nobody: etcd's first members must even start together. Only who joins them has to queue. */
static struct err *install(struct fleet *f, struct member *m)
{
    TRY(deliver_generation(f, m));
    if (!member_is_new(m) || join_needed(f, m))
        return NULL;
    TRY(deliver_activate(f, m));
    return images_deliver(f, m);
}

/* One learner at a time: etcd allows no more (ETCD-7). */
static struct err *join_all(struct fleet *f)
{
    for (size_t i = 0; i < f->n; i++) {
        if (!join_needed(f, &f->at[i]))
            continue;
        TRY(cancel_check(f->x->cancel));
        TRY_CTX(join_control_plane(f, &f->at[i]), "%s", f->at[i].host->name);
    }
    return NULL;
}

/* A serving node changes alone; the next one follows when it serves again. Control plane first (K8S-1). */
static struct err *change_serving(struct fleet *f, bool control_plane)
{
    for (size_t i = 0; i < f->n; i++) {
        struct member *m = &f->at[i];
        if (member_is_new(m) || m->host->control_plane != control_plane)
            continue;
        TRY(cancel_check(f->x->cancel));
        TRY_CTX(deliver_activate(f, m), "%s", m->host->name);
        TRY_CTX(images_deliver(f, m), "%s", m->host->name);
    }
    return NULL;
}

static bool any_fresh(const struct fleet *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (doc_bool(f->at[i].diff, "fresh", false))
            return true;
    return false;
}

/* Who is lost goes first, since etcd takes no member while one is down; who is alive goes last, and leaves no gap. */
static struct err *carry_out(struct change *c)
{
    struct fleet *f = &c->fleet;
    struct objects *o = &c->objects;
    if (any_fresh(f))
        TRY(preflight_fresh(f));
    if (o->kube) {
        TRY(leave_record(f, o));
        TRY(leave_lost(&c->leave, f, o));
    }
    TRY(fleet_each(f, install));
    TRY(join_all(f));
    TRY(change_serving(f, true));
    TRY(change_serving(f, false));
    TRY(objects_reach(o, f));
    TRY(leave_record(f, o));
    TRY(objects_apply(o, f));
    TRY(leave_living(&c->leave, f, o));
    if (c->leave.fleet.n) /* what they ran has to run elsewhere now */
        TRY(objects_wait(o, f));
    return leave_settle(f, o);
}

struct err *ops_apply(struct doc **ret, const struct run *r)
{
    OWN_FD int lock = -1;
    OWN_CHANGE struct change c;
    int64_t since = clock_ms();
    *ret = NULL;
    TRY(change_find(&c, r, &lock));
    OWN_DOC struct doc *before = change_report(&c);
    int64_t changes = doc_int(before, "changes", 0);
    TRY(memory_accept(&c.context));
    if (changes)
        TRY(receipt_write(&c.context, changes));
    struct err *e = changes > (int64_t)doc_len(doc_get(before, "floor")) ? carry_out(&c) : NULL;
    if (!e) /* it is installed: from now on an older one is refused */
        e = memory_keep(&c.fleet);
    *ret = change_report(&c);
    doc_set_int(*ret, "milliseconds", clock_ms() - since);
    return e;
}
