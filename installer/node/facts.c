/* facts: what preflight wants to know about a machine. Read-only, and nothing is ever made up: what is unknown is left
 * out. */
#include "base/child.h"
#include "base/file.h"
#include "base/own.h"
#include "node/kernel.h"
#include "node/node.h"
#include "node/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>

/* First line of a small file, or nothing. */
static void put_line(struct doc *to, const char *key, const struct node *n, const char *path)
{
    OWN_BUF struct buf b = {.max = 1 << 20};
    struct err *e = file_read(&b, n->rootfd, path);
    if (!e && b.len) {
        b.at[strcspn(b.at, "\n")] = '\0';
        doc_set_text(to, key, b.at);
    }
    err_ignore(e); /* a machine without it: the fact is left out */
}

/* Value of KEY= in os-release, without quotes. */
static void put_os(struct doc *os, const char *key, const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, name, len) != 0 || line[len] != '=')
            continue;
        const char *from = line + len + 1;
        size_t n = strcspn(from, "\n");
        if (n >= 2 && (*from == '"' || *from == '\'') && from[n - 1] == *from) {
            from++;
            n -= 2;
        }
        doc_set_fmt(os, key, "%.*s", (int)n, from);
    }
}

static void facts_os(struct doc *r, const struct node *n)
{
    OWN_BUF struct buf b = {.max = 65536};
    struct err *e = file_read(&b, n->rootfd, "usr/lib/os-release");
    if (e) {
        err_free(e);
        e = file_read(&b, n->rootfd, "etc/os-release");
    }
    err_ignore(e); /* not every Linux has one */
    struct doc *os = doc_set(r, "os", doc_new_map());
    put_os(os, "id", buf_text(&b), "ID");
    put_os(os, "version", buf_text(&b), "VERSION_ID");
    put_os(os, "name", buf_text(&b), "PRETTY_NAME");
}

static void facts_kernel(struct doc *r, const struct node *n)
{
    struct utsname u;
    if (uname(&u) == 0) {
        doc_set_text(r, "hostname", u.nodename);
        doc_set_text(r, "arch", u.machine);
        doc_set_text(r, "kernel", u.release);
    }
    put_line(r, "machineId", n, "etc/machine-id");
    put_line(r, "bootId", n, "proc/sys/kernel/random/boot_id");
    doc_set_int(r, "cgroup", file_exists(n->rootfd, "sys/fs/cgroup/cgroup.controllers") ? 2 : 1);
    struct sysinfo si;
    if (sysinfo(&si) == 0) {
        doc_set_int(r, "memoryBytes", (int64_t)((uint64_t)si.totalram * si.mem_unit));
        doc_set_bool(r, "swap", si.totalswap > 0);
    }
    doc_set_int(r, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
    doc_set_int(r, "uid", geteuid());
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    doc_set_int(r, "clockMs", (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

/* Major version of the systemd that runs this machine; 0 when another init does. */
static int64_t systemd_version(const struct node *n)
{
    if (n->simulated || !file_exists(n->rootfd, "run/systemd/system"))
        return 0;
    const char *argv[] = {"systemctl", "--version", NULL};
    OWN_BUF struct buf out = {.max = 65536};
    err_ignore(child_run(argv, &(struct child_opts){.output = &out, .timeout_ms = 10000}, NULL)); /* then it is 0 */
    return str_starts(buf_text(&out), "systemd ") ? strtoll(buf_text(&out) + strlen("systemd "), NULL, 10) : 0;
}

/* File system that holds `path`, or would hold it. */
static void put_disk(struct doc *list, const struct node *n, const char *path)
{
    OWN_FREE char *at = str_fmt("%s%s", n->root, path);
    struct statvfs st;
    struct stat file;
    if (!at)
        return;
    while (statvfs(at, &st) < 0) {
        char *slash = strrchr(at, '/');
        if (!slash || slash == at)
            return;
        *slash = '\0';
    }
    struct doc *d = doc_add(list, doc_new_map());
    doc_set_text(d, "path", path);
    if (stat(at, &file) == 0)
        doc_set_int(d, "device", (int64_t)file.st_dev);
    doc_set_int(d, "totalBytes", (int64_t)((uint64_t)st.f_blocks * st.f_frsize));
    doc_set_int(d, "freeBytes", (int64_t)((uint64_t)st.f_bavail * st.f_frsize));
}

static void facts_addresses(struct doc *r)
{
    struct doc *list = doc_set(r, "addresses", doc_new_list());
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0)
        return;
    for (struct ifaddrs *a = all; a; a = a->ifa_next) {
        char text[INET6_ADDRSTRLEN] = "";
        if (!a->ifa_addr || (a->ifa_flags & IFF_LOOPBACK))
            continue;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        if (a->ifa_addr->sa_family == AF_INET) {
            memcpy(&v4, a->ifa_addr, sizeof v4);
            (void)inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
        } else if (a->ifa_addr->sa_family == AF_INET6) {
            memcpy(&v6, a->ifa_addr, sizeof v6);
            if (!IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr))
                (void)inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
        }
        if (*text && !doc_list_has(list, text))
            doc_add_text(list, text);
    }
    freeifaddrs(all);
}

/* Dotted text of an address as /proc/net/route has it: hexadecimal, in the machine's byte order. */
static bool route_address(char ret[INET_ADDRSTRLEN], const char *hex, uint32_t *ret_number)
{
    char *end = NULL;
    struct in_addr a = {.s_addr = (in_addr_t)strtoul(hex, &end, 16)};
    *ret_number = ntohl(a.s_addr);
    return end == hex + 8 && inet_ntop(AF_INET, &a, ret, INET_ADDRSTRLEN);
}

/* One IPv4 route a line: Iface Destination Gateway Flags RefCnt Use Metric Mask ...; default routes are left out. */
static void facts_routes(struct doc *r, const struct node *n)
{
    struct doc *list = doc_set(r, "routes", doc_new_list());
    OWN_BUF struct buf text = {.max = 16 << 20};
    err_ignore(file_read(&text, n->rootfd, "proc/net/route")); /* no IPv4 here: no routes */
    char *save = NULL;
    for (char *line = text.at ? strtok_r(text.at, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        char interface[64], to[16], mask[16], address[INET_ADDRSTRLEN], unused[INET_ADDRSTRLEN];
        uint32_t base, bits;
        if (sscanf(line, "%63s %15s %*s %*s %*s %*s %*s %15s", interface, to, mask) != 3 ||
            !route_address(address, to, &base) || !route_address(unused, mask, &bits) || !bits)
            continue;
        struct doc *d = doc_add(list, doc_new_map());
        doc_set_fmt(d, "network", "%s/%d", address, __builtin_popcount(bits));
        doc_set_text(d, "interface", interface);
    }
}

/* Nothing, or a folder that is empty but for what mkfs made: a disk that was mounted for us is no leftover. */
static bool holds_something(const struct node *n, const char *path)
{
    OWN_STRS struct strs names = {0};
    if (!file_exists(n->rootfd, path))
        return false;
    struct err *e = dir_names(&names, n->rootfd, path);
    bool folder = !e;
    err_ignore(e); /* a file */
    return !folder || names.n > 1 || (names.n == 1 && !str_eq(names.at[0], "lost+found"));
}

static bool tool_exists(const struct node *n, const char *name)
{
    static const char *const folders[] = {"usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        OWN_FREE char *path = str_fmt("%s/%s", folders[i], name);
        if (path && faccessat(n->rootfd, path, X_OK, 0) == 0)
            return true;
    }
    return false;
}

static void facts_asked(struct call *c)
{
    struct doc *tools = doc_set(c->reply, "tools", doc_new_map());
    DOC_EACH (v, doc_get(c->request, "tools"))
        if (name_is_plain(v->text))
            doc_set_bool(tools, v->text, tool_exists(c->n, v->text));
    struct doc *modules = doc_set(c->reply, "modules", doc_new_map());
    DOC_EACH (v, doc_get(c->request, "modules")) {
        const char *name = doc_text(v, "name"), *shows = doc_text(v, "shows");
        if (name && name_is_plain(name) && (!shows || name_is_absolute(shows)))
            doc_set_bool(modules, name, kernel_offers(c->n, name, shows));
    }
    struct doc *existing = doc_set(c->reply, "existing", doc_new_list());
    struct doc *disks = doc_set(c->reply, "disks", doc_new_list());
    static const char *const always[] = {"/", "/var/lib", ("/" NODE_BASE)};
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        put_disk(disks, c->n, always[i]);
    DOC_EACH (v, doc_get(c->request, "paths")) {
        if (!name_is_absolute(v->text))
            continue;
        if (holds_something(c->n, node_below(v->text)))
            doc_add_text(existing, v->text);
        put_disk(disks, c->n, v->text);
    }
}

struct err *op_facts(struct call *c)
{
    facts_kernel(c->reply, c->n);
    facts_os(c->reply, c->n);
    doc_set_int(c->reply, "systemd", systemd_version(c->n));
    facts_addresses(c->reply);
    facts_routes(c->reply, c->n);
    facts_asked(c);
    ports_in_use(doc_set(c->reply, "portsInUse", doc_new_map()), doc_get(c->request, "ports"));
    return NULL;
}
