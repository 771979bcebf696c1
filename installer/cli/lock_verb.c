#include "cli/verbs.h"

#include "base/str.h"
#include "cli/supply_args.h"
#include "supply/resolve.h"

#include <string.h>

static const char platform[] = "linux/amd64"; /* what definitions name files for */

static struct err *lock(struct doc **ret, struct cli *x, struct supply_args *files)
{
    const struct args *a = &x->args;
    struct net_choice net;
    TRY(supply_args_read(files, a, "out"));
    net_choose(&net, x);
    const struct resolve_opts o = {.profile = files->profile,
                                   .bundles_dir = args_text(a, "bundles", "bundles"),
                                   .cache = files->cache,
                                   .lock = files->lock,
                                   .update = args_has(a, "update"),
                                   .platform = platform,
                                   .auth = args_text(a, "auth", NULL),
                                   .net = &net.opts};
    return bundle_lock(ret, &o, build_says, x);
}

struct err *run_bundle_lock(struct cli *x, struct doc **ret)
{
    OWN_SUPPLY_ARGS struct supply_args files = {0};
    return lock(ret, x, &files);
}

static void show_entry(FILE *out, const char *mark, const struct doc *v)
{
    (void)fprintf(out, "%s %s  sha256:%s  %s bytes\n", mark, doc_text(v, "id"), doc_text(v, "sha256"),
                  doc_text(v, "size"));
}

void show_bundle_lock(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    DOC_EACH (v, doc_get(d, "removed"))
        show_entry(out, "-", v);
    DOC_EACH (v, doc_get(d, "changed")) {
        show_entry(out, "-", doc_get(v, "was"));
        show_entry(out, "+", v);
    }
    DOC_EACH (v, doc_get(d, "added"))
        show_entry(out, "+", v);
    (void)fprintf(out, "locked %s %s of profile %s in %s: %zu new, %zu changed, %zu gone, %s as before\n",
                  doc_text(d, "entries"), doc_int(d, "entries", 0) == 1 ? "thing" : "things", doc_text(d, "profile"),
                  doc_text(d, "path"), doc_len(doc_get(d, "added")), doc_len(doc_get(d, "changed")),
                  doc_len(doc_get(d, "removed")), doc_text(d, "kept"));
}
