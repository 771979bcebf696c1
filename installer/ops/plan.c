#include "ops/ops.h"

#include "ops/change.h"

#include <errno.h>

struct err *ops_validate(struct doc **ret, const struct run *r, bool bundle)
{
    OWN_CONTEXT struct context x = {.events = r->events, .cancel = r->cancel};
    TRY(bundle ? context_full(&x, r->file) : context_spec(&x, r->file));
    *ret = doc_new_map();
    doc_set_texts(*ret, "warnings", &x.cluster->warnings);
    doc_set_int(*ret, "hosts", (int64_t)x.cluster->n_hosts);
    return NULL;
}

struct err *ops_plan(struct doc **ret, const struct run *r)
{
    OWN_CHANGE struct change c;
    TRY(change_find(&c, r, NULL));
    *ret = change_report(&c);
    return NULL;
}
