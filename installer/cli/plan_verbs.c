#include "cli/verbs.h"

#include "base/str.h"
#include "cli/amount.h"
#include "plan/diff.h"

#include <string.h>

enum { EXIT_CHANGES = 2 };

/* What the operator allows for this run alone; `allow` is filled and must live as long as the run. */
static struct err *choose(struct cli *x, struct doc *allow)
{
    x->run.enforce_dates = args_has(&x->args, "enforce-dates");
    x->run.allow = allow;
    return args_positions(&x->args, "allow-rollback", allow);
}

struct err *run_plan(struct cli *x, struct doc **ret)
{
    OWN_DOC struct doc *allow = doc_new_list();
    TRY(choose(x, allow));
    TRY(ops_plan(ret, &x->run));
    x->exit = doc_int(*ret, "changes", 0) ? EXIT_CHANGES : 0;
    return NULL;
}

static void show_changes(FILE *out, const struct doc *d)
{
    int64_t n = doc_int(d, "changes", 0);
    (void)fprintf(out, "%lld change%s", (long long)n, n == 1 ? "" : "s");
}

static void show_objects(FILE *out, const char *what, const struct doc *list)
{
    DOC_EACH (o, list)
        (void)fprintf(out, "cluster: %s %s\n", what, o->text);
}

/* "0.1" to "0.2": of each release whose record changes. */
static void show_floor(FILE *out, const struct doc *list)
{
    DOC_EACH (v, list) {
        const char *from = doc_text(v, "from"), *to = doc_text(v, "to"), *name = doc_text(v, "release");
        if (!from)
            (void)fprintf(out, "cluster: remember release %s of %s\n", to, name);
        else if (str_eq(from, to))
            (void)fprintf(out, "cluster: remember release %s of %s on all control-plane nodes\n", to, name);
        else
            (void)fprintf(out, "cluster: remember release %s of %s in place of %s\n", to, name, from);
    }
}

static void show_leaving(FILE *out, const struct doc *list)
{
    DOC_EACH (h, list)
        (void)fprintf(out, "%s: %s\n", doc_text(h, "host"),
                      doc_bool(h, "lost", false) ? "remove from the cluster; out of reach, so it cannot be cleaned"
                                                 : "drain, remove from the cluster, clean");
}

static void show_host(FILE *out, const struct doc *diff)
{
    OWN_BUF struct buf text = {0};
    struct err *e = diff_text(&text, diff);
    if (e) /* only memory can be short here, and a plan must not lose lines silently */
        (void)fprintf(out, "%s: %s\n", doc_text(diff, "host"), err_text(e));
    else
        (void)fputs(buf_text(&text), out);
    err_ignore(e); /* was shown */
}

void show_plan(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    DOC_EACH (h, doc_get(d, "hosts"))
        show_host(out, h);
    show_leaving(out, doc_get(d, "leave"));
    show_objects(out, "apply", doc_path(d, "cluster.apply"));
    show_objects(out, "prune", doc_path(d, "cluster.prune"));
    show_objects(out, "set labels and taints of node", doc_path(d, "cluster.nodes"));
    show_floor(out, doc_get(d, "floor"));
    show_changes(out, d);
    (void)fputs("\n", out);
}

/* ---- apply ---- */

struct err *run_apply(struct cli *x, struct doc **ret)
{
    OWN_DOC struct doc *allow = doc_new_list();
    TRY(choose(x, allow));
    struct err *e = ops_apply(ret, &x->run);
    x->partial = e && *ret;
    return e;
}

/* "restarted kubelet.service, containerd.service" for one list. */
static void show_units(FILE *out, const struct doc *host, const char *what)
{
    const struct doc *list = doc_get(host, what);
    if (!doc_len(list))
        return;
    (void)fprintf(out, "%s: %s ", doc_text(host, "host"), what);
    DOC_EACH (u, list) {
        const char *name = u->kind == DOC_MAP ? doc_text(u, "name") : u->text;
        (void)fprintf(out, "%s%s", name, u->next ? ", " : "\n");
    }
}

/* The hosts that had something to be done, and of which it was (not) done. */
static void show_ends(FILE *out, const struct doc *d, bool done)
{
    const char *before = done ? "done: " : "not done: ";
    bool any = false;
    DOC_EACH (h, doc_get(d, "hosts")) {
        if (!doc_int(h, "changes", 0) || doc_bool(h, "done", false) != done)
            continue;
        (void)fprintf(out, "%s%s", any ? ", " : before, doc_text(h, "host"));
        any = true;
    }
    if (!done && doc_int(d, "cluster.changes", 0)) {
        (void)fprintf(out, "%sobjects of the cluster", any ? ", " : before);
        any = true;
    }
    (void)fputs(any ? "\n" : "", out);
}

static void show_next(FILE *out, const struct cli *x)
{
    const char *file = args_text(&x->args, "config", NULL), *c = file ? " -c " : "";
    (void)fprintf(out,
                  "next:\n  caisson%s%s status\n  caisson%s%s kubeconfig --out kubeconfig\n"
                  "  kubectl --kubeconfig kubeconfig get pods --all-namespaces\n",
                  c, file ? file : "", c, file ? file : "");
}

void show_apply(FILE *out, const struct cli *x, const struct doc *d)
{
    static const char *const lists[] = {"started", "restarted", "stopped"};
    char seconds[32];
    DOC_EACH (h, doc_get(d, "hosts"))
        for (size_t i = 0; i < ARRAY_LEN(lists); i++)
            show_units(out, h, lists[i]);
    if (x->partial) {
        (void)fputs("stopped before the end; ", out);
        show_changes(out, d);
        (void)fputs(" were planned\n", out);
        show_ends(out, d, true);
        show_ends(out, d, false);
        return;
    }
    show_changes(out, d);
    if (doc_int(d, "changes", 0)) {
        amount_seconds(seconds, (doc_int(d, "milliseconds", 0) + 999) / 1000);
        (void)fprintf(out, " in %s", seconds);
    }
    (void)fputs("\n", out);
    if (doc_int(d, "changes", 0))
        show_next(out, x);
}
