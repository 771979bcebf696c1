#include "ops/ops.h"

#include "base/clock.h"
#include "ops/deliver.h"
#include "ops/fleet.h"
#include "ops/objects.h"
#include "ops/preflight.h"
#include "ops/report.h"

#include <errno.h>

static bool is_fresh(const struct member *m)
{
    return doc_bool(m->diff, "fresh", false);
}

/* An empty node waits for nobody: etcd's first members must even start together (lab and etcd agree on that).
 */
static struct err *install_fresh(struct fleet *f, struct member *m)
{
    TRY(deliver_generation(f, m));
    if (!is_fresh(m))
        return NULL;
    TRY(deliver_activate(f, m));
    return deliver_images(f, m);
}

/* A serving node changes alone; the next one follows when it serves again. Control plane first (K8S-1). */
static struct err *change_serving(struct fleet *f, bool control_plane)
{
    for (size_t i = 0; i < f->n; i++) {
        struct member *m = &f->at[i];
        if (is_fresh(m) || m->host->control_plane != control_plane)
            continue;
        TRY(cancel_check(f->x->cancel));
        TRY_CTX(deliver_activate(f, m), "%s", m->host->name);
        TRY_CTX(deliver_images(f, m), "%s", m->host->name);
    }
    return NULL;
}

static size_t count_fresh(const struct fleet *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        n += is_fresh(&f->at[i]);
    return n;
}

static struct err *carry_out(struct fleet *f, struct objects *o)
{
    if (count_fresh(f))
        TRY(preflight_fresh(f));
    TRY(fleet_each(f, install_fresh));
    TRY(change_serving(f, true));
    TRY(change_serving(f, false));
    struct member *m = f->at;
    while (!m->host->control_plane)
        m++;
    return objects_apply(o, f, m);
}

struct err *ops_apply(struct doc **ret, const struct run *r)
{
    OWN_CONTEXT struct context x = {.events = r->events, .cancel = r->cancel};
    OWN_FLEET struct fleet f = {0};
    OWN(objects_done) struct objects o = {0};
    int64_t since = clock_ms();
    *ret = NULL;
    TRY(context_full(&x, r->file));
    TRY(fleet_connect(&f, &x));
    TRY(fleet_require_all(&f));
    TRY(objects_compare(&o, &f));
    OWN_DOC struct doc *report = report_new(&f, &o);
    struct err *e = doc_int(report, "changes", 0) ? carry_out(&f, &o) : NULL;
    *ret = report_new(&f, &o);
    doc_set_int(*ret, "milliseconds", clock_ms() - since);
    return e;
}
