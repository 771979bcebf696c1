#include "ops/change.h"

#include "ops/fit.h"
#include "ops/join.h"
#include "ops/memory.h"
#include "ops/missing.h"
#include "ops/ops.h"

#include <errno.h>

struct err *change_find(struct change *c, const struct run *r, int *lock)
{
    *c = (struct change){.context = {.events = r->events, .cancel = r->cancel, .allow = r->allow, .lock = lock}};
    c->context.enforce_dates = r->enforce_dates;
    TRY(context_full(&c->context, r->file));
    TRY(memory_check(&c->context));
    TRY(fleet_connect(&c->fleet, &c->context));
    TRY(fleet_require_all(&c->fleet));
    TRY(memory_ask(&c->fleet));
    TRY(fit_cluster(&c->context));
    TRY(fit_machines(&c->fleet));
    TRY(missing_check(&c->fleet));
    TRY(join_check(&c->fleet));
    TRY(objects_compare(&c->objects, &c->fleet));
    return leave_compare(&c->leave, &c->fleet, &c->objects);
}

static void add_done(struct doc *host, const struct doc *done)
{
    static const char *const keys[] = {"restarted", "started", "stopped"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (doc_get(done, keys[i]))
            doc_set(host, keys[i], doc_clone(doc_get(done, keys[i])));
}

static int64_t add_hosts(struct doc *hosts, struct fleet *f)
{
    int64_t changes = 0;
    for (size_t i = 0; i < f->n; i++) {
        struct doc *host = doc_add(hosts, doc_clone(f->at[i].diff));
        doc_set_bool(host, "joins", join_needed(f, &f->at[i]));
        doc_set_bool(host, "done", f->at[i].finished || !doc_int(host, "changes", 0));
        add_done(host, f->at[i].done);
        changes += doc_int(host, "changes", 0);
    }
    return changes;
}

struct doc *change_report(struct change *c)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "release", bundle_digest(c->context.bundles[0]));
    int64_t changes = add_hosts(doc_set(d, "hosts", doc_new_list()), &c->fleet);
    changes += (int64_t)doc_len(doc_set(d, "leave", leave_report(&c->leave)));
    changes += doc_int(doc_set(d, "cluster", objects_report(&c->objects)), "changes", 0);
    changes += (int64_t)doc_len(doc_set(d, "floor", memory_report(&c->fleet)));
    doc_set_int(d, "changes", changes);
    return d;
}

void change_done(struct change *c)
{
    leave_done(&c->leave);
    objects_done(&c->objects);
    fleet_done(&c->fleet);
    context_done(&c->context);
}
