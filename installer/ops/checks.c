#include "ops/checks.h"

#include "bundle/image.h"
#include "ops/fit.h"
#include "ops/missing.h"

#include <errno.h>
#include <string.h>

enum { CLOCK_WARN_MS = 500, CLOCK_FAIL_MS = 2000, SYSTEMD_MIN = 247 }; /* CRASH-6; Debian 11's systemd */
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
static const int64_t memory_min = 900 * MIB, memory_min_control_plane = 1700 * MIB;
/* Beside the release: logs, containers' own files, and on a control plane etcd's data and the audit log. */
static const int64_t work_space = 1 * GIB, work_space_control_plane = 3 * GIB;
/* Layers stay as they came (compressed) and lie unpacked beside that; gzip makes programs about a third as large. */
enum { IMAGE_FACTOR = 4 };

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

/* ---- getting there ---- */

/* Whatever went wrong on the way is one failed check; what comes behind it is not known. */
static void check_error(struct doc *checks, const struct member *m)
{
    static const struct {
        const char *id, *want;
    } rows[] = {
        [ERR_UNTRUSTED] = {"host-key", "the key that known_hosts or cluster.yaml has for it"},
        [ERR_REFUSED] = {"privilege", "root, or sudo without a password"},
    };
    enum err_kind kind = err_kind(m->error);
    bool named = kind == ERR_UNTRUSTED || kind == ERR_REFUSED;
    const char *hint = err_hint_text(m->error);
    if (kind == ERR_REFUSED && m->state && hint) { /* it answered, and was found to be another cluster's */
        add(checks, (struct check){"cluster", "fail", "a machine of no other cluster", hint}, err_text(m->error));
        return;
    }
    add(checks,
        (struct check){named ? rows[kind].id : "reachable", "fail", named ? rows[kind].want : "a login by SSH",
                       hint ? hint : "run it again; is the machine still on?"},
        err_text(m->error));
}

static void check_access(struct doc *checks, const struct member *m, const struct doc *facts)
{
    OWN_FREE char *login = str_fmt("%s@%s:%d", m->host->user, m->host->address, m->host->port);
    bool root = doc_int(facts, "uid", -1) == 0;
    add(checks, (struct check){"reachable", "pass", "a login by SSH", ""}, login);
    add(checks, (struct check){"host-key", "pass", "the pinned one", ""}, "the pinned one");
    add(checks,
        (struct check){"privilege", verdict(root), "root, or sudo without a password", "allow `sudo -n` for this user"},
        root ? "root" : "an ordinary user");
}

/* ---- who it is ---- */

static void check_identity(struct doc *checks, const struct fleet *f, const struct member *m, const struct doc *facts)
{
    const char *hostname = doc_text(facts, "hostname"), *id = doc_text(facts, "machineId"), *twin = NULL;
    for (size_t i = 0; i < f->n; i++)
        if (&f->at[i] != m && id && str_eq(doc_text(f->at[i].done, "machineId"), id))
            twin = f->at[i].host->name;
    add(checks,
        (struct check){"hostname", verdict(str_eq(hostname, m->host->name)), m->host->name,
                       "set it with `hostnamectl hostname NAME`, or correct `name` in cluster.yaml"},
        hostname);
    OWN_FREE char *value = twin ? str_fmt("%s, which %s has too", id, twin) : strdup(id ? id : "");
    add(checks,
        (struct check){"machine-id", verdict(id && *id && !twin), "one that no other host has",
                       "on a cloned machine: rm /etc/machine-id; systemd-machine-id-setup; reboot"},
        value);
    add(checks,
        (struct check){"address", verdict(doc_list_has(doc_get(facts, "addresses"), m->host->address)),
                       m->host->address,
                       "write an address that the machine itself has: the other nodes reach it there"},
        doc_list_has(doc_get(facts, "addresses"), m->host->address) ? m->host->address : "not one of this machine's");
}

/* ---- what it is sent ---- */

static struct err *check_missing(struct doc *checks, const struct member *m)
{
    OWN_BUF struct buf text = {0};
    TRY(missing_text(&text, m));
    add(checks, (struct check){"delta", verdict(!text.len), "what this host lacks is in the delta", MISSING_HINT},
        text.len ? buf_text(&text) : "it is");
    return NULL;
}

/* ---- what runs on it ---- */

static bool is_tested(const struct doc *os)
{
    const char *version = doc_text(os, "version");
    return str_eq(doc_text(os, "id"), "debian") && (str_eq(version, "12") || str_eq(version, "13"));
}

/* Without cgroup v2 the kubelet does not start, unless it was told to. */
static void check_cgroup(struct doc *checks, const struct fleet *f, const struct doc *facts)
{
    bool v2 = doc_int(facts, "cgroup", 0) == 2;
    bool accepted = !doc_bool(doc_get(f->x->vars, "kubelet"), "failCgroupV1", true);
    add(checks,
        (struct check){
            "cgroup",
            v2         ? "pass"
            : accepted ? "warn"
                       : "fail",
            "version 2",
            "remove systemd.unified_cgroup_hierarchy=0 from the kernel's command line; to live with version 1: "
            "overrides: {kubelet: {failCgroupV1: false}}"},
        v2 ? "version 2" : "version 1");
}

static void check_system(struct doc *checks, const struct fleet *f, const struct doc *facts)
{
    const struct doc *os = doc_get(facts, "os"), *platforms = doc_get(f->x->release.head, "platforms");
    const char *name = doc_text(os, "name"), *platform = fit_platform(doc_text(facts, "arch"));
    int64_t systemd = doc_int(facts, "systemd", 0);
    OWN_FREE char *version = systemd ? str_fmt("%lld", (long long)systemd) : strdup("not running");
    add(checks,
        (struct check){"os", is_tested(os) ? "pass" : "warn", "Debian 12 or 13", "others are not tested; it may work"},
        name ? name : "unknown");
    add(checks,
        (struct check){"architecture", verdict(doc_list_has(platforms, platform)),
                       platforms && platforms->child ? platforms->child->text : "linux/amd64",
                       "build a bundle for this platform, or use another machine"},
        platform);
    add(checks,
        (struct check){"systemd", verdict(systemd >= SYSTEMD_MIN), "247 or newer",
                       "a distribution of 2021 or later that runs systemd"},
        version);
    check_cgroup(checks, f, facts);
}

/* ---- how large it is ---- */

/* Bytes of this host's node packages, unpacked, after what the release's signature covers. */
static int64_t package_bytes(const struct fleet *f, const struct host *h)
{
    int64_t sum = 0;
    DOC_EACH (c, doc_get(f->x->release.head, "components"))
        DOC_EACH (a, doc_get(c, "artifacts"))
            if (host_has_role(h, doc_get(a, "role")))
                sum += doc_int(a, "rawSize", 0);
    return sum;
}

/* Of one bundle: a layer that several images share is there once. */
static struct err *add_image_bytes(int64_t *sum, const struct bundle *b, const struct host *h)
{
    OWN_STRS struct strs blobs = {0};
    DOC_EACH (c, doc_path(bundle_release(b), "predicate.components"))
        DOC_EACH (i, doc_get(c, "images"))
            if (host_has_role(h, doc_get(i, "role")))
                TRY(bundle_image_blobs(&blobs, b, doc_text(i, "name")));
    for (size_t i = 0; i < blobs.n; i++) {
        uint64_t size = 0;
        if (bundle_blob(b, blobs.at[i], &size))
            *sum += IMAGE_FACTOR * (int64_t)size;
    }
    return NULL;
}

static struct err *image_bytes(int64_t *ret, const struct fleet *f, const struct host *h)
{
    *ret = 0;
    for (size_t i = 0; i < f->x->n_bundles; i++)
        TRY(add_image_bytes(ret, f->x->bundles[i], h));
    return NULL;
}

static void add_disk(struct doc *checks, const char *id, const struct doc *disk, int64_t need)
{
    char have[24], want[24];
    int64_t free_bytes = doc_int(disk, "freeBytes", 0);
    str_size(have, (uint64_t)free_bytes);
    str_size(want, (uint64_t)need);
    OWN_FREE char *value = str_fmt("%s free below %s", have, disk ? doc_text(disk, "path") : "?");
    OWN_FREE char *least = str_fmt("%s free", want);
    add(checks,
        (struct check){id, verdict(free_bytes >= need), least ? least : want,
                       "free some space, or mount a larger disk there"},
        value);
}

/* A node that is installed has the release already: only room to work is asked for. */
static struct err *check_disk(struct doc *checks, const struct fleet *f, const struct member *m,
                              const struct doc *facts)
{
    const struct doc *owned = doc_get(release_find(&f->x->release, "imageStore"), "ownedPaths");
    const struct doc *disks = doc_get(facts, "disks"), *base = doc_find(disks, "path", "/var/lib/caisson");
    const struct doc *store = doc_find(disks, "path", owned && owned->child ? owned->child->text : NULL);
    int64_t packages = (m->host->control_plane ? work_space_control_plane : work_space) / 2, images = packages;
    if (doc_bool(m->diff, "fresh", true) && !doc_len(m->missing)) {
        int64_t sum = 0;
        TRY(image_bytes(&sum, f, m->host));
        images += sum;
        packages += package_bytes(f, m->host);
    }
    if (!store || doc_int(store, "device", 0) == doc_int(base, "device", 0)) {
        add_disk(checks, "disk-space", base, packages + images);
        return NULL;
    }
    add_disk(checks, "disk-space", base, packages);
    add_disk(checks, "disk-space-images", store, images);
    return NULL;
}

static void check_memory(struct doc *checks, const struct member *m, const struct doc *facts)
{
    int64_t memory = doc_int(facts, "memoryBytes", 0);
    int64_t least = m->host->control_plane ? memory_min_control_plane : memory_min;
    char have[24], want[24];
    str_size(have, (uint64_t)memory);
    str_size(want, (uint64_t)least);
    OWN_FREE char *at_least = str_fmt("%s or more", want);
    add(checks,
        (struct check){"memory", verdict(memory >= least), at_least ? at_least : want, "a machine with more memory"},
        have);
}

static void check_clock(struct doc *checks, const struct doc *facts)
{
    int64_t off = doc_int(facts, "clockOffsetMs", 0), size = off < 0 ? -off : off;
    OWN_FREE char *value = str_fmt("%+lld ms", (long long)off);
    add(checks,
        (struct check){"clock",
                       size > CLOCK_FAIL_MS   ? "fail"
                       : size > CLOCK_WARN_MS ? "warn"
                                              : "pass",
                       "within 500 ms of this host", "let both follow one time server (chrony, systemd-timesyncd)"},
        value);
}

/* ---- what the components declare ---- */

static void check_tools(struct doc *checks, const struct doc *component, const struct doc *facts)
{
    DOC_EACH (t, doc_get(component, "tools")) {
        bool there = doc_bool(doc_get(facts, "tools"), doc_text(t, "name"), false);
        OWN_FREE char *id = str_fmt("tool-%s", doc_text(t, "name"));
        OWN_FREE char *fix = str_fmt("install the Debian package %s", doc_text(t, "package"));
        add(checks, (struct check){id, verdict(there), "installed", fix}, there ? "installed" : "missing");
    }
}

static void check_features(struct doc *checks, const struct doc *component, const struct doc *facts)
{
    const char *platform = fit_platform(doc_text(facts, "arch"));
    DOC_EACH (t, doc_get(component, "modules")) {
        bool there = doc_bool(doc_get(facts, "modules"), doc_text(t, "name"), false);
        OWN_FREE char *id = str_fmt("kernel-%s", doc_text(t, "name"));
        OWN_FREE char *fix =
            str_fmt("boot a kernel that has the module %s, such as that of the Debian package linux-image-%s",
                    doc_text(t, "name"), platform && str_starts(platform, "linux/") ? platform + 6 : "amd64");
        add(checks, (struct check){id, verdict(there), "a kernel that has it", fix}, there ? "there" : "missing");
    }
}

static void check_ports(struct doc *checks, const struct doc *component, const struct host *h, const struct doc *facts)
{
    DOC_EACH (p, doc_get(component, "ports")) {
        if (!host_has_role(h, doc_get(p, "roles")))
            continue;
        const char *user = doc_text(doc_get(facts, "portsInUse"), doc_text(p, "port"));
        OWN_FREE char *id = str_fmt("port-%s", doc_text(p, "port"));
        OWN_FREE char *value = user ? str_fmt("used by %s", user) : strdup("free");
        add(checks,
            (struct check){id, verdict(!user), "free", "stop what listens there, and keep it from starting again"},
            value);
    }
}

static void check_leftovers(struct doc *checks, const struct doc *component, const struct doc *facts)
{
    DOC_EACH (o, doc_get(component, "ownedPaths")) {
        bool there = doc_list_has(doc_get(facts, "existing"), o->text);
        OWN_FREE char *id = str_fmt("leftover-%s", o->text);
        add(checks,
            (struct check){id, verdict(!there), "nothing there",
                           "another cluster's data? `caisson reset` with its own cluster.yaml, or move it away"},
            there ? "something is there" : "nothing there");
    }
}

/* ---- addresses ---- */

/* Interfaces that the components make carry pods and services rightly. */
static bool is_ours(const struct fleet *f, const char *interface)
{
    DOC_EACH (c, f->x->release.components)
        if (doc_list_has(doc_get(c, "interfaces"), interface))
            return true;
    return false;
}

static void check_network(struct doc *checks, const struct fleet *f, const struct doc *facts, const char *id,
                          const struct cidr *block)
{
    char base[16];
    OWN_FREE char *clash = NULL;
    net_nth(base, block, 0);
    DOC_EACH (r, doc_get(facts, "routes")) {
        struct cidr route;
        const char *network = doc_text(r, "network"), *interface = doc_text(r, "interface");
        if (clash || !network || !net_parse_cidr(network, &route) || !net_overlap(&route, block) ||
            is_ours(f, interface))
            continue;
        clash = str_fmt("this host sends %s to %s", network, interface ? interface : "?");
    }
    OWN_FREE char *want = str_fmt("%s/%d used by nothing else", base, block->bits);
    add(checks,
        (struct check){id, verdict(!clash), want ? want : "",
                       "choose another block under spec.network in cluster.yaml"},
        clash ? clash : "free");
}

/* ---- all of them ---- */

struct doc *checks_request(const struct fleet *f)
{
    struct doc *args = doc_new_map();
    struct doc *paths = doc_set(args, "paths", doc_new_list()), *tools = doc_set(args, "tools", doc_new_list());
    struct doc *ports = doc_set(args, "ports", doc_new_list()), *modules = doc_set(args, "modules", doc_new_list());
    DOC_EACH (c, f->x->release.components) {
        DOC_EACH (v, doc_get(c, "ownedPaths"))
            doc_add_text(paths, v->text);
        DOC_EACH (v, doc_get(c, "tools"))
            doc_add_text(tools, doc_text(v, "name"));
        DOC_EACH (v, doc_get(c, "ports"))
            doc_add(ports, doc_new_int(doc_int(v, "port", 0)));
        DOC_EACH (v, doc_get(c, "modules"))
            doc_add(modules, doc_clone(v));
    }
    return args;
}

/* On a node of ours, or one where an install of this cluster stopped half way, ports, paths and routes are ours. */
static bool is_clean(const struct fleet *f, const struct member *m)
{
    return doc_bool(m->diff, "fresh", true) && !str_eq(doc_text(m->state, "cluster"), f->x->cluster->name);
}

static void check_declared(struct doc *checks, const struct fleet *f, const struct member *m)
{
    bool clean = is_clean(f, m);
    DOC_EACH (c, f->x->release.components) {
        check_tools(checks, c, m->done);
        check_features(checks, c, m->done);
        if (clean) {
            check_ports(checks, c, m->host, m->done);
            check_leftovers(checks, c, m->done);
        }
    }
    if (!clean)
        return;
    check_network(checks, f, m->done, "pod-network", &f->x->cluster->pods);
    check_network(checks, f, m->done, "service-network", &f->x->cluster->services);
}

struct err *checks_of(struct doc *into, const struct fleet *f, const struct member *m)
{
    if (m->error) {
        check_error(into, m);
        return NULL;
    }
    check_access(into, m, m->done);
    check_identity(into, f, m, m->done);
    if (m->missing)
        TRY(check_missing(into, m));
    check_system(into, f, m->done);
    check_memory(into, m, m->done);
    TRY(check_disk(into, f, m, m->done));
    check_clock(into, m->done);
    check_declared(into, f, m);
    return NULL;
}
