#include "cli/verbs.h"

#include "base/str.h"

#include <string.h>

enum { ROLES_MAX = 64, DIGEST_SHOWN = 12, EXIT_NOT_READY = 1, EXIT_UNREACHABLE = 3 };

/* Looking went well; the exit status tells a script what was seen, in the words of the exit codes. */
struct err *run_status(struct cli *x, struct doc **ret)
{
    TRY(ops_status(ret, &x->run));
    if (!doc_bool(*ret, "ready", false))
        x->exit = EXIT_NOT_READY;
    if (doc_find(doc_get(*ret, "nodes"), "state", "unreachable"))
        x->exit = EXIT_UNREACHABLE;
    return NULL;
}

static const char *or_dash(const char *s)
{
    return s && *s ? s : "-";
}

/* ---- the table of nodes ---- */

enum { COLUMNS = 6 };
static const char *const heads[COLUMNS] = {"NODE", "ROLES", "STATE", "KUBERNETES", "VERSION", "GENERATION"};

struct row {
    char roles[ROLES_MAX], generation[64];
    const char *cell[COLUMNS];
};

static void roles_text(char ret[ROLES_MAX], const struct doc *roles)
{
    size_t used = 0;
    *ret = '\0';
    DOC_EACH (r, roles)
        if (used < ROLES_MAX)
            used += (size_t)snprintf(ret + used, ROLES_MAX - used, "%s%s", used ? "," : "", r->text);
}

/* "4 (0123456789ab)", and what it should be when that is another one. */
static void generation_text(char *ret, size_t n, const struct doc *node)
{
    const char *have = doc_text(node, "generation"), *want = doc_text(node, "wanted");
    int used = have && *have ? snprintf(ret, n, "%s (%.*s)", or_dash(doc_text(node, "number")), DIGEST_SHOWN, have)
                             : snprintf(ret, n, "-");
    if (want && !str_eq(have, want))
        (void)snprintf(ret + used, n - (size_t)used, ", wanted %.*s", DIGEST_SHOWN, want);
}

static void row_init(struct row *r, const struct doc *node)
{
    const struct doc *kubernetes = doc_get(node, "kubernetes");
    roles_text(r->roles, doc_get(node, "roles"));
    generation_text(r->generation, sizeof r->generation, node);
    const char *cells[COLUMNS] = {
        or_dash(doc_text(node, "name")),
        r->roles,
        or_dash(doc_text(node, "state")),
        !kubernetes                            ? "-"
        : doc_bool(kubernetes, "ready", false) ? "Ready"
                                               : "NotReady",
        or_dash(doc_text(kubernetes, "version")),
        r->generation,
    };
    memcpy(r->cell, cells, sizeof cells);
}

static void print_row(FILE *out, const char *const cells[], const size_t widths[])
{
    for (int i = 0; i < COLUMNS - 1; i++)
        (void)fprintf(out, "%-*s  ", (int)widths[i], cells[i]);
    (void)fprintf(out, "%s\n", cells[COLUMNS - 1]);
}

static void show_nodes(FILE *out, const struct doc *nodes)
{
    size_t widths[COLUMNS];
    struct row r;
    for (int i = 0; i < COLUMNS; i++)
        widths[i] = strlen(heads[i]);
    DOC_EACH (n, nodes) {
        row_init(&r, n);
        for (int i = 0; i < COLUMNS; i++)
            widths[i] = strlen(r.cell[i]) > widths[i] ? strlen(r.cell[i]) : widths[i];
    }
    print_row(out, heads, widths);
    DOC_EACH (n, nodes) {
        row_init(&r, n);
        print_row(out, r.cell, widths);
        if (doc_text(n, "error"))
            (void)fprintf(out, "  %s\n", doc_text(n, "error"));
        if (doc_bool(n, "simulated", false))
            (void)fputs("  simulated\n", out);
    }
}

/* ---- what is not well ---- */

/* A unit runs when systemd calls it active; only others are named. */
static bool show_unit(FILE *out, const char *node, const struct doc *u)
{
    const char *active = doc_text(u, "active"), *sub = doc_text(u, "sub");
    if (str_eq(active, "active"))
        return true;
    (void)fprintf(out, "unit    %s: %s is %s%s%s%s\n", node, or_dash(doc_text(u, "name")), or_dash(active),
                  sub ? " (" : "", sub ? sub : "", sub ? ")" : "");
    return false;
}

static void show_units(FILE *out, const struct doc *nodes)
{
    size_t all = 0, running = 0;
    DOC_EACH (n, nodes)
        DOC_EACH (u, doc_get(n, "units")) {
            all++;
            running += show_unit(out, or_dash(doc_text(n, "name")), u);
        }
    (void)fprintf(out, "units   %zu of %zu run\n", running, all);
}

static void show_expiry(FILE *out, const struct doc *nodes)
{
    const struct doc *host = NULL, *first = NULL;
    DOC_EACH (n, nodes) {
        const struct doc *e = doc_get(n, "firstExpiry");
        if (e && (!first || doc_int(e, "days", 0) < doc_int(first, "days", 0))) {
            first = e;
            host = n;
        }
    }
    if (!first)
        return;
    long long days = (long long)doc_int(first, "days", 0);
    (void)fprintf(out, "certs   the first to expire is %s of %s, on %.10s: ", or_dash(doc_text(first, "certificate")),
                  or_dash(doc_text(host, "name")), or_dash(doc_text(first, "notAfter")));
    if (days < 0)
        (void)fputs("EXPIRED\n", out);
    else
        (void)fprintf(out, "%lld day%s left\n", days, days == 1 ? "" : "s");
}

/* One line a member: there are seven at most. */
static void show_members(FILE *out, const struct doc *each)
{
    DOC_EACH (m, each) {
        const char *why = doc_text(m, "error");
        (void)fprintf(out, "etcd    %s: %s%s%s%s%s\n", or_dash(doc_text(m, "name")),
                      doc_bool(m, "healthy", false) ? "healthy" : "NOT HEALTHY",
                      doc_bool(m, "leader", false) ? ", leader" : "", doc_bool(m, "learner", false) ? ", learner" : "",
                      why ? ": " : "", why ? why : "");
    }
}

static void show_etcd(FILE *out, const struct doc *etcd)
{
    const char *why = doc_text(etcd, "error");
    if (why) {
        (void)fprintf(out, "etcd    not known: %s\n", why);
        show_members(out, doc_get(etcd, "each"));
        return;
    }
    int64_t n = doc_int(etcd, "members", 0);
    (void)fprintf(out, "etcd    %s, %lld member%s, leader %s, version %s\n",
                  doc_bool(etcd, "healthy", false) ? "healthy" : "NOT HEALTHY", (long long)n, n == 1 ? "" : "s",
                  or_dash(doc_text(etcd, "leader")), or_dash(doc_text(etcd, "version")));
    show_members(out, doc_get(etcd, "each"));
    DOC_EACH (a, doc_get(etcd, "alarms"))
        (void)fprintf(out, "etcd    alarm %s\n", or_dash(a->kind == DOC_MAP ? doc_text(a, "alarm") : a->text));
}

static void show_release(FILE *out, const char *what, const struct doc *r)
{
    (void)fprintf(out, "%-7s %s %s (%.*s)\n", what, or_dash(doc_text(r, "profile")), or_dash(doc_text(r, "version")),
                  DIGEST_SHOWN, or_dash(doc_text(r, "digest")));
}

void show_status(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    const struct doc *nodes = doc_get(d, "nodes");
    const char *why = doc_text(d, "api.error");
    (void)fprintf(out, "cluster %s: %s\n", or_dash(doc_text(d, "cluster")),
                  doc_bool(d, "ready", false) ? "ready" : "NOT READY");
    show_release(out, "release", doc_get(d, "release"));
    DOC_EACH (a, doc_get(d, "addons"))
        show_release(out, "add-on", a);
    (void)fputs("\n", out);
    show_nodes(out, nodes);
    (void)fputs("\n", out);
    show_units(out, nodes);
    show_expiry(out, nodes);
    show_etcd(out, doc_get(d, "etcd"));
    (void)fprintf(out, "API     %s%s%s\n", doc_bool(d, "api.ready", false) ? "ready" : "NOT READY", why ? ": " : "",
                  why ? why : "");
}
