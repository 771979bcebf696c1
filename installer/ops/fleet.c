#include "ops/fleet.h"

#include "base/clock.h"
#include "run/pool.h"

#include <errno.h>

/* A machine of another cluster is not in reach for this one: nothing is planned for it, and nothing taken over. */
static struct err *check_owner(const struct context *x, struct member *m)
{
    const char *owner = doc_text(m->state, "cluster");
    if (!owner || !*owner || str_eq(owner, x->cluster->name))
        return NULL;
    node_free(m->node);
    m->node = NULL;
    return err_hint(err_new(ERR_REFUSED, "it is a machine of cluster \"%s\"", owner),
                    "take it out of %s, or run `caisson reset %s` with the files of that cluster", x->cluster->file,
                    m->host->name);
}

static struct err *connect_member(struct fleet *f, struct member *m)
{
    struct context *x = f->x;
    uint64_t sent = 0;
    event_emit(x->events, EVENT_STEP, m->host->name, "connect");
    TRY(node_open(&m->node, m->host, x->known_hosts, x->cancel, &sent));
    TRY(node_call(&m->state, m->node, "state", NULL, x->cancel));
    if (m->want) {
        TRY(check_owner(x, m));
        m->diff = diff_node(m->want, m->state, clock_wall_s());
    }
    event_emit(x->events, EVENT_DONE, m->host->name, sent ? "connected, helper sent" : "connected");
    return NULL;
}

static struct err *connect_at(void *arg, size_t i)
{
    struct fleet *f = arg;
    struct err *e = connect_member(f, &f->at[i]);
    if (e)
        event_emit(f->x->events, EVENT_FAILED, f->at[i].host->name, "%s", err_text(e));
    return e;
}

static struct err *connect_all(struct fleet *f, struct context *x, const struct host *hosts, size_t n,
                               const struct generation *wanted)
{
    *f = (struct fleet){.x = x, .n = n};
    f->at = calloc(n + 1, sizeof *f->at);
    OWN_FREE struct err **errors = calloc(n + 1, sizeof(struct err *));
    if (!f->at || !errors)
        return err_os(ENOMEM, "hosts");
    for (size_t i = 0; i < f->n; i++) {
        f->at[i].host = &hosts[i];
        f->at[i].want = wanted ? &wanted[i] : NULL;
    }
    pool_run(f->n, POOL_DEFAULT, connect_at, f, errors);
    for (size_t i = 0; i < f->n; i++)
        f->at[i].error = errors[i];
    return cancel_check(x->cancel);
}

struct err *fleet_connect(struct fleet *f, struct context *x)
{
    for (size_t i = 0; i < x->cluster->warnings.n; i++)
        event_emit(x->events, EVENT_NOTE, NULL, "warning: %s", x->cluster->warnings.at[i]);
    return connect_all(f, x, x->cluster->hosts, x->cluster->n_hosts, x->wanted);
}

struct err *fleet_connect_others(struct fleet *f, struct context *x, const struct host *hosts, size_t n)
{
    return connect_all(f, x, hosts, n, NULL);
}

static const char *member_name(const void *arg, size_t i)
{
    const struct fleet *f = arg;
    return f->at[i].host->name;
}

struct err *fleet_require_all(struct fleet *f)
{
    OWN_FREE struct err **errors = calloc(f->n, sizeof(struct err *));
    if (!errors)
        return err_os(ENOMEM, "hosts");
    for (size_t i = 0; i < f->n; i++)
        errors[i] = TAKE(f->at[i].error);
    return pool_join(errors, f->n, member_name, f);
}

struct each {
    struct fleet *f;
    struct err *(*fn)(struct fleet *f, struct member *m);
};

static struct err *each_at(void *arg, size_t i)
{
    struct each *e = arg;
    struct err *why = e->fn(e->f, &e->f->at[i]);
    if (why)
        event_emit(e->f->x->events, EVENT_FAILED, e->f->at[i].host->name, "%s", err_text(why));
    return why;
}

struct err *fleet_each(struct fleet *f, struct err *(*fn)(struct fleet *f, struct member *m))
{
    OWN_FREE struct err **errors = calloc(f->n, sizeof(struct err *));
    if (!errors)
        return err_os(ENOMEM, "hosts");
    pool_run(f->n, POOL_DEFAULT, each_at, &(struct each){f, fn}, errors);
    return pool_join(errors, f->n, member_name, f);
}

bool member_is_new(const struct member *m)
{
    return doc_int(m->state, "generation", 0) == 0 ||
           (doc_bool(m->state, "pending", false) && doc_int(m->state, "previous.generation", 0) == 0);
}

bool member_is_active(const struct member *m)
{
    DOC_EACH (u, doc_get(m->state, "units"))
        if (!str_eq(doc_text(u, "active"), "active"))
            return false;
    return true;
}

struct member *fleet_control_plane(struct fleet *f)
{
    struct member *found = NULL;
    for (size_t i = 0; i < f->n; i++) {
        struct member *m = &f->at[i];
        if (!m->node || !m->host->control_plane || member_is_new(m))
            continue;
        if (member_is_active(m))
            return m;
        found = found ? found : m;
    }
    return found;
}

void fleet_done(struct fleet *f)
{
    for (size_t i = 0; f->at && i < f->n; i++) {
        node_free(f->at[i].node);
        doc_free(f->at[i].state);
        doc_free(f->at[i].diff);
        doc_free(f->at[i].done);
        doc_free(f->at[i].missing);
        err_free(f->at[i].error);
    }
    free(f->at);
    *f = (struct fleet){0};
}
