#include "ops/report.h"

static void add_done(struct doc *host, const struct doc *done)
{
    static const char *const keys[] = {"restarted", "started", "stopped"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (doc_get(done, keys[i]))
            doc_set(host, keys[i], doc_clone(doc_get(done, keys[i])));
}

struct doc *report_new(const struct fleet *f, const struct objects *o)
{
    struct doc *d = doc_new_map();
    int64_t changes = 0;
    doc_set_text(d, "release", bundle_digest(f->x->bundle));
    struct doc *hosts = doc_set(d, "hosts", doc_new_list());
    for (size_t i = 0; i < f->n; i++) {
        if (!f->at[i].diff)
            continue;
        struct doc *host = doc_add(hosts, doc_clone(f->at[i].diff));
        add_done(host, f->at[i].done);
        changes += doc_int(host, "changes", 0);
    }
    changes += doc_int(doc_set(d, "cluster", objects_report(o)), "changes", 0);
    doc_set_int(d, "changes", changes);
    return d;
}
