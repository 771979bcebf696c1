#include "ops/ops.h"

#include "ops/memory.h"
#include "ops/reset.h"

#include <errno.h>

static void collect(struct doc *list, const struct doc *components, const char *key)
{
    DOC_EACH (c, components)
        DOC_EACH (v, doc_get(c, key))
            doc_add_text(list, v->text);
}

/* What components declare that they leave; the release in use says it, not a list of ours. */
static struct doc *reset_args(const struct fleet *f)
{
    static const char *const keys[][2] = {{"owned", "ownedPaths"},
                                          {"interfaces", "interfaces"},
                                          {"cgroups", "cgroups"},
                                          {"packetFilter", "packetFilter"}};
    struct doc *args = doc_new_map();
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        collect(doc_set(args, keys[i][0], doc_new_list()), f->x->release.components, keys[i][1]);
    return args;
}

struct err *reset_member(struct fleet *f, struct member *m)
{
    event_emit(f->x->events, EVENT_STEP, m->host->name, "remove everything of caisson");
    TRY(cancel_check(f->x->cancel));
    TRY(node_call(&m->done, m->node, "reset", reset_args(f), NULL)); /* a step: Ctrl-C counts behind it */
    event_emit(f->x->events, EVENT_DONE, m->host->name, "removed");
    return NULL;
}

static struct err *reset_chosen(struct fleet *f, struct member *m)
{
    return m->chosen ? reset_member(f, m) : NULL;
}

/* Hosts that stay are not needed for it. */
static struct err *require_chosen(struct fleet *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (!f->at[i].chosen) {
            err_free(f->at[i].error);
            f->at[i].error = NULL;
        }
    return fleet_require_all(f);
}

struct err *ops_reset(struct doc **ret, const struct run *r, const char *name)
{
    OWN_FD int lock = -1;
    OWN_CONTEXT struct context x = {.events = r->events, .cancel = r->cancel, .lock = &lock};
    OWN_FLEET struct fleet f = {0};
    TRY(context_full(&x, r->file));
    if (name && !cluster_host(x.cluster, name))
        return err_new(ERR_USAGE, "%s has no host \"%s\"", r->file, name);
    TRY(fleet_connect(&f, &x));
    for (size_t i = 0; i < f.n; i++)
        f.at[i].chosen = !name || str_eq(name, f.at[i].host->name);
    TRY(require_chosen(&f));
    TRY(fleet_each(&f, reset_chosen));
    if (!name) /* what comes here is a new cluster */
        TRY(memory_forget(&x));
    *ret = doc_new_map();
    struct doc *hosts = doc_set(*ret, "hosts", doc_new_list());
    for (size_t i = 0; i < f.n; i++) {
        if (!f.at[i].chosen)
            continue;
        struct doc *h = doc_add(hosts, doc_new_map());
        doc_set_text(h, "host", f.at[i].host->name);
        if (doc_get(f.at[i].done, "removed"))
            doc_set(h, "removed", doc_clone(doc_get(f.at[i].done, "removed")));
    }
    return NULL;
}
