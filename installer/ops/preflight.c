#include "ops/preflight.h"

#include "base/clock.h"
#include "ops/ops.h"

#include <errno.h>
#include <string.h>

enum { CLOCK_WARN_MS = 500, CLOCK_FAIL_MS = 2000, SYSTEMD_MIN = 247 }; /* CRASH-6; Debian 11's systemd */
static const int64_t memory_min = (int64_t)900 << 20, memory_min_control_plane = (int64_t)1700 << 20;

struct check {
    const char *id, *result; /* pass, warn, fail */
    const char *want, *fix;
};

static void add(struct doc *checks, struct check c, const char *value)
{
    struct doc *d = doc_add(checks, doc_new_map());
    doc_set_text(d, "id", c.id);
    doc_set_text(d, "result", c.result);
    doc_set_text(d, "value", value ? value : "");
    doc_set_text(d, "want", c.want);
    doc_set_text(d, "fix", c.fix);
}

static const char *verdict(bool ok)
{
    return ok ? "pass" : "fail";
}

static void check_identity(struct doc *checks, const struct fleet *f, const struct member *m, const struct doc *facts)
{
    const char *hostname = doc_text(facts, "hostname"), *id = doc_text(facts, "machineId");
    add(checks,
        (struct check){"hostname", verdict(str_eq(hostname, m->host->name)), m->host->name,
                       "set it with `hostnamectl hostname NAME`, or correct `name` in cluster.yaml"},
        hostname);
    bool unique = id && *id;
    for (size_t i = 0; i < f->n; i++)
        if (&f->at[i] != m && unique && str_eq(doc_text(f->at[i].done, "machineId"), id))
            unique = false;
    add(checks,
        (struct check){"machine-id", verdict(unique), "one that no other host has",
                       "on a cloned machine: rm /etc/machine-id; systemd-machine-id-setup; reboot"},
        id);
}

static void check_system(struct doc *checks, const struct doc *facts)
{
    int64_t systemd = doc_int(facts, "systemd", 0), cgroup = doc_int(facts, "cgroup", 0);
    const char *arch = doc_text(facts, "arch");
    bool known = str_eq(arch, "amd64") || str_eq(arch, "x86_64");
    add(checks, (struct check){"architecture", verdict(known), "amd64", "this bundle holds programs for linux/amd64"},
        arch);
    OWN_FREE char *version = str_fmt("%lld", (long long)systemd);
    add(checks,
        (struct check){"systemd", verdict(systemd >= SYSTEMD_MIN), "247 or newer", "a distribution of 2021 or later"},
        version);
    add(checks,
        (struct check){"cgroup", cgroup == 2 ? "pass" : "warn", "version 2",
                       "remove systemd.unified_cgroup_hierarchy=0 from the kernel's command line"},
        cgroup == 2 ? "2" : "1");
}

static void check_size(struct doc *checks, const struct fleet *f, const struct member *m, const struct doc *facts)
{
    int64_t memory = doc_int(facts, "memoryBytes", 0);
    int64_t least = m->host->control_plane ? memory_min_control_plane : memory_min;
    char have[24], want[24];
    str_size(have, (uint64_t)memory);
    str_size(want, (uint64_t)least);
    add(checks, (struct check){"memory", verdict(memory >= least), want, "a machine with more memory"}, have);
    /* packages, images twice (compressed layers and unpacked), and room to work */
    int64_t bytes = doc_int(doc_get(f->x->release.head, "totals"), "rawBytes", 0), free_bytes = 0;
    int64_t need = 2 * bytes + ((int64_t)1 << 30);
    DOC_EACH (d, doc_get(facts, "disks"))
        if (str_eq(doc_text(d, "path"), "/var/lib") || str_eq(doc_text(d, "path"), "/var/lib/caisson"))
            free_bytes = doc_int(d, "freeBytes", 0);
    str_size(have, (uint64_t)free_bytes);
    str_size(want, (uint64_t)need);
    add(checks, (struct check){"disk-space", verdict(free_bytes >= need), want, "free or add space below /var/lib"},
        have);
}

static void check_clock(struct doc *checks, const struct doc *facts, int64_t here_ms)
{
    int64_t off = doc_int(facts, "clockMs", 0) - here_ms, size = off < 0 ? -off : off;
    OWN_FREE char *value = str_fmt("%+lld ms", (long long)off);
    add(checks,
        (struct check){"clock",
                       size > CLOCK_FAIL_MS   ? "fail"
                       : size > CLOCK_WARN_MS ? "warn"
                                              : "pass",
                       "within 500 ms of this host", "let both follow one time server (chrony, systemd-timesyncd)"},
        value);
}

static bool applies(const struct member *m, const struct doc *entry)
{
    const struct doc *roles = doc_get(entry, "roles");
    return !roles || doc_list_has(roles, "all") || (m->host->control_plane && doc_list_has(roles, "control-plane")) ||
           (m->host->worker && doc_list_has(roles, "worker"));
}

static void check_declared(struct doc *checks, const struct fleet *f, const struct member *m, const struct doc *facts)
{
    DOC_EACH (c, f->x->release.components) {
        DOC_EACH (t, doc_get(c, "tools")) {
            bool there = doc_bool(doc_get(facts, "tools"), doc_text(t, "name"), false);
            OWN_FREE char *id = str_fmt("tool-%s", doc_text(t, "name"));
            OWN_FREE char *fix = str_fmt("install the Debian package %s", doc_text(t, "package"));
            add(checks, (struct check){id, verdict(there), "installed", fix}, there ? "installed" : "missing");
        }
        DOC_EACH (p, doc_get(c, "ports")) {
            if (!applies(m, p))
                continue;
            const char *user = doc_text(doc_get(facts, "portsInUse"), doc_text(p, "port"));
            OWN_FREE char *id = str_fmt("port-%s", doc_text(p, "port"));
            add(checks, (struct check){id, verdict(!user), "free", "stop what listens there"}, user ? user : "free");
        }
        DOC_EACH (o, doc_get(c, "ownedPaths")) {
            if (!doc_list_has(doc_get(facts, "existing"), o->text))
                continue;
            OWN_FREE char *id = str_fmt("leftover-%s", o->text);
            add(checks,
                (struct check){id, "fail", "not there",
                               "another cluster's data? `caisson reset` it with its own files, or remove the path"},
                o->text);
        }
    }
}

static struct doc *facts_args(const struct fleet *f)
{
    struct doc *args = doc_new_map();
    struct doc *paths = doc_set(args, "paths", doc_new_list()), *tools = doc_set(args, "tools", doc_new_list());
    struct doc *ports = doc_set(args, "ports", doc_new_list());
    DOC_EACH (c, f->x->release.components) {
        DOC_EACH (v, doc_get(c, "ownedPaths"))
            doc_add_text(paths, v->text);
        DOC_EACH (v, doc_get(c, "tools"))
            doc_add_text(tools, doc_text(v, "name"));
        DOC_EACH (v, doc_get(c, "ports"))
            doc_add(ports, doc_new_int(doc_int(v, "port", 0)));
    }
    return args;
}

/* The facts stay in m->done until the checks of all hosts were made (machine ids are compared). */
static struct err *ask(struct fleet *f, struct member *m)
{
    event_emit(f->x->events, EVENT_STEP, m->host->name, "preflight");
    int64_t before = clock_wall_s() * 1000;
    TRY(node_call(&m->done, m->node, "facts", facts_args(f), f->x->cancel));
    doc_set_int(m->done, "askedAtMs", (before + clock_wall_s() * 1000) / 2);
    return NULL;
}

static void check_member(struct doc *into, const struct fleet *f, const struct member *m)
{
    const struct doc *facts = m->done;
    bool fresh = doc_bool(m->diff, "fresh", true);
    struct doc *host = doc_add(into, doc_new_map());
    doc_set_text(host, "host", m->host->name);
    struct doc *checks = doc_set(host, "checks", doc_new_list());
    check_identity(checks, f, m, facts);
    check_system(checks, facts);
    check_size(checks, f, m, facts);
    check_clock(checks, facts, doc_int(facts, "askedAtMs", 0));
    /* on a node of ours, or one where an install of this cluster stopped half way, ports and paths are ours */
    if (fresh && !str_eq(doc_text(m->state, "cluster"), f->x->cluster->name))
        check_declared(checks, f, m, facts);
}

static struct err *failures(const struct doc *hosts, int64_t *ret_failed, int64_t *ret_warned)
{
    OWN_BUF struct buf text = {0};
    DOC_EACH (h, hosts)
        DOC_EACH (c, doc_get(h, "checks")) {
            *ret_warned += str_eq(doc_text(c, "result"), "warn");
            if (!str_eq(doc_text(c, "result"), "fail"))
                continue;
            (*ret_failed)++;
            TRY(buf_fmt(&text, "\n%s: %s is %s, must be %s: %s", doc_text(h, "host"), doc_text(c, "id"),
                        doc_text(c, "value"), doc_text(c, "want"), doc_text(c, "fix")));
        }
    if (!*ret_failed)
        return NULL;
    return err_hint(err_new(ERR_REFUSED, "preflight: %lld checks failed%s", (long long)*ret_failed, buf_text(&text)),
                    "nothing was changed; correct these, then run it again");
}

static struct err *check_all(struct doc **ret, struct fleet *f, bool only_fresh)
{
    OWN_DOC struct doc *d = doc_new_map();
    struct doc *hosts = doc_set(d, "hosts", doc_new_list());
    int64_t failed = 0, warned = 0;
    TRY(fleet_each(f, ask));
    for (size_t i = 0; i < f->n; i++)
        if (!only_fresh || doc_bool(f->at[i].diff, "fresh", false))
            check_member(hosts, f, &f->at[i]);
    for (size_t i = 0; i < f->n; i++) {
        doc_free(f->at[i].done);
        f->at[i].done = NULL;
    }
    struct err *e = failures(hosts, &failed, &warned);
    doc_set_int(d, "failed", failed);
    doc_set_int(d, "warned", warned);
    if (ret)
        *ret = TAKE(d);
    return e;
}

struct err *preflight_fresh(struct fleet *f)
{
    return check_all(NULL, f, true);
}

struct err *ops_preflight(struct doc **ret, const struct run *r)
{
    OWN_CONTEXT struct context x = {.events = r->events, .cancel = r->cancel};
    OWN_FLEET struct fleet f = {0};
    *ret = NULL;
    TRY(context_full(&x, r->file));
    TRY(fleet_connect(&f, &x));
    TRY(fleet_require_all(&f));
    return check_all(ret, &f, false);
}
