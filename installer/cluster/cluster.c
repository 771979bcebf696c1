#include "cluster/cluster.h"

#include "base/file.h"
#include "cluster/schema.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>

enum { POD_BITS = 24 }; /* of each node's share of the pod network */

/* `path` from the cluster's folder; "~/" is the operator's home. In new memory. */
static char *absolute(const struct cluster *c, const char *path)
{
    const char *home = getenv("HOME");
    if (str_starts(path, "~/") && home)
        return str_fmt("%s%s", home, path + 1);
    while (str_starts(path, "./"))
        path += 2;
    return *path == '/' ? strdup(path) : str_fmt("%s/%s", c->dir, path);
}

char *cluster_path(const struct cluster *c, const char *name)
{
    return str_fmt("%s/%s", c->dir, name);
}

const struct host *cluster_host(const struct cluster *c, const char *name)
{
    for (size_t i = 0; i < c->n_hosts; i++)
        if (str_eq(c->hosts[i].name, name))
            return &c->hosts[i];
    return NULL;
}

bool host_has_role(const struct host *h, const struct doc *roles)
{
    return !roles || doc_list_has(roles, "all") || (h->control_plane && doc_list_has(roles, "control-plane")) ||
           (h->worker && doc_list_has(roles, "worker"));
}

size_t cluster_control_planes(const struct cluster *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_hosts; i++)
        n += c->hosts[i].control_plane;
    return n;
}

static struct err *read_cidr(struct cidr *ret, const struct doc *network, const char *key, const char *fallback)
{
    const struct doc *v = doc_get(network, key);
    if (!net_parse_cidr(v ? v->text : fallback, ret))
        return err_hint(doc_err(ERR_USAGE, v, "%s: \"%s\" is no IPv4 block", key, v->text),
                        "an address and the length of its prefix, with no bits behind that: %s", fallback);
    return NULL;
}

static struct err *read_networks(struct cluster *c)
{
    const struct doc *network = doc_path(c->doc, "spec.network");
    TRY(read_cidr(&c->pods, network, "pods", "10.244.0.0/16"));
    TRY(read_cidr(&c->services, network, "services", "10.96.0.0/12"));
    const struct doc *pods = doc_get(network, "pods"), *services = doc_get(network, "services");
    if (c->services.bits > 27)
        return err_hint(doc_err(ERR_USAGE, services, "services: a /%d block is too small", c->services.bits),
                        "the least is /27; a /16 is usual");
    if (net_overlap(&c->pods, &c->services))
        return err_hint(doc_err(ERR_USAGE,
                                pods       ? pods
                                : services ? services
                                           : c->doc,
                                "the pod network and the service network overlap"),
                        "choose two blocks that share no address");
    net_nth(c->api_address, &c->services, 1);
    net_nth(c->dns_address, &c->services, 10);
    return NULL;
}

/* A setting of the host's ssh map, or of defaults.ssh. */
static const struct doc *ssh_setting(const struct cluster *c, const struct doc *ssh, const char *key)
{
    const struct doc *v = doc_get(ssh, key);
    return v ? v : doc_get(doc_path(c->doc, "spec.defaults.ssh"), key);
}

static struct err *read_ssh(struct cluster *c, struct host *h, const struct doc *ssh)
{
    uint32_t address = 0;
    h->address = doc_text(ssh, "address");
    if (!net_parse_address(h->address, &address))
        return err_hint(doc_err(ERR_USAGE, doc_get(ssh, "address"), "address: \"%s\" is no IPv4 address", h->address),
                        "names are not looked up: write the address that the other nodes reach it at");
    if (net_contains(&c->pods, address) || net_contains(&c->services, address))
        return err_hint(doc_err(ERR_USAGE, doc_get(ssh, "address"), "address: %s lies in the %s network", h->address,
                                net_contains(&c->pods, address) ? "pod" : "service"),
                        "choose other blocks under `network`: pods and services need addresses that no host has");
    const struct doc *user = ssh_setting(c, ssh, "user"), *port = ssh_setting(c, ssh, "port");
    const struct doc *key = ssh_setting(c, ssh, "key"), *host_key = doc_get(ssh, "hostKey");
    h->user = user ? user->text : "root";
    h->port = port ? (int)port->num : 22;
    h->key = key ? absolute(c, key->text) : NULL;
    h->host_key = host_key ? host_key->text : NULL;
    return NULL;
}

static struct err *read_host(struct cluster *c, struct host *h, const struct doc *d)
{
    h->at = d;
    h->name = doc_text(d, "name");
    h->labels = doc_get(d, "labels");
    h->taints = doc_get(d, "taints");
    h->control_plane = doc_list_has(doc_get(d, "roles"), "control-plane");
    h->worker = doc_list_has(doc_get(d, "roles"), "worker");
    if (!h->control_plane && !h->worker)
        return err_hint(doc_err(ERR_USAGE, doc_get(d, "roles"), "roles: none"),
                        "at least one of control-plane and worker");
    return read_ssh(c, h, doc_get(d, "ssh"));
}

static struct err *check_twins(const struct cluster *c, const struct host *h)
{
    for (const struct host *o = c->hosts; o < h; o++) {
        if (str_eq(o->name, h->name))
            return err_hint(doc_err(ERR_USAGE, doc_get(h->at, "name"), "duplicate host name \"%s\" (first on line %u)",
                                    h->name, o->at->line),
                            "every host has a name of its own, which is the machine's hostname");
        if (str_eq(o->address, h->address))
            return err_hint(doc_err(ERR_USAGE, doc_path(h->at, "ssh.address"),
                                    "duplicate address %s (host \"%s\" has it)", h->address, o->name),
                            "correct one of the two");
    }
    return NULL;
}

static struct err *read_hosts(struct cluster *c)
{
    const struct doc *hosts = doc_path(c->doc, "spec.hosts");
    c->hosts = calloc(doc_len(hosts) + 1, sizeof *c->hosts);
    if (!c->hosts)
        return err_os(ENOMEM, "hosts");
    DOC_EACH (d, hosts) {
        struct host *h = &c->hosts[c->n_hosts++];
        TRY(read_host(c, h, d));
        TRY(check_twins(c, h));
    }
    return NULL;
}

static bool acknowledged(const struct cluster *c, const char *name)
{
    return doc_list_has(doc_path(c->doc, "spec.acknowledge"), name);
}

/* Every node gets a /24 for its pods (the controller manager's --node-cidr-mask-size, which is left at that). */
static struct err *check_pods(const struct cluster *c)
{
    const struct doc *pods = doc_path(c->doc, "spec.network.pods");
    uint64_t room = c->pods.bits <= POD_BITS ? UINT64_C(1) << (POD_BITS - c->pods.bits) : 0;
    if (room >= c->n_hosts)
        return NULL;
    int want = POD_BITS;
    while (UINT64_C(1) << (POD_BITS - want) < c->n_hosts)
        want--;
    struct err *e = doc_err(ERR_USAGE, pods ? pods : c->doc,
                            "pods: a /%d block has room for %llu nodes, which take a /%d each; there are %zu hosts",
                            c->pods.bits, (unsigned long long)room, POD_BITS, c->n_hosts);
    return err_hint(e, "use a /%d or larger; it cannot be changed once the cluster is installed", want);
}

static struct err *check_quorum(struct cluster *c)
{
    size_t n = cluster_control_planes(c);
    const struct doc *hosts = doc_path(c->doc, "spec.hosts");
    if (n == 0)
        return err_hint(doc_err(ERR_USAGE, hosts, "no host has the role control-plane"),
                        "give it to one, three or five hosts: roles: [control-plane]");
    if (n > 7)
        return err_hint(doc_err(ERR_USAGE, hosts, "%zu control-plane nodes; etcd works with at most 7", n),
                        "use one, three or five, and make the others workers");
    if (n == 1 && !acknowledged(c, "single-control-plane"))
        return err_hint(doc_err(ERR_USAGE, hosts, "one control-plane node: the cluster stops when this machine stops"),
                        "use three, or accept it with `acknowledge: [single-control-plane]`");
    if (n % 2 == 0 && !acknowledged(c, "even-control-plane")) {
        OWN_FREE char *text = str_fmt("even-control-plane: %zu control-plane nodes survive the loss of %zu, as %zu "
                                      "would; the additional one only adds a machine that can fail",
                                      n, n / 2 - 1, n - 1);
        return text ? strs_add(&c->warnings, text) : err_os(ENOMEM, "warning");
    }
    return NULL;
}

static struct err *read_list(struct strs *into, const struct cluster *c, const struct doc *list)
{
    DOC_EACH (v, list) {
        OWN_FREE char *file = absolute(c, v->text);
        TRY(file ? strs_add(into, file) : err_os(ENOMEM, "%s", list->key));
    }
    return NULL;
}

static struct err *read_paths(struct cluster *c)
{
    c->name = doc_text(c->doc, "metadata.name");
    c->profile = doc_text(c->doc, "spec.profile");
    c->product = doc_text(c->doc, "spec.product");
    c->channel = doc_text(c->doc, "spec.channel");
    c->release = absolute(c, doc_text(c->doc, "spec.release"));
    TRY(read_list(&c->addons, c, doc_path(c->doc, "spec.addons")));
    return read_list(&c->trust, c, doc_path(c->doc, "spec.trust"));
}

static struct err *set_dir(struct cluster *c, const char *path)
{
    OWN_FREE char *copy = strdup(path);
    c->file = strdup(path);
    c->dir = copy ? realpath(dirname(copy), NULL) : NULL;
    return c->dir && c->file ? NULL : err_os(errno, "folder of %s", path);
}

static struct err *read_yaml(struct doc **ret, const char *path, const struct buf *text)
{
    struct err *e = doc_yaml(ret, path, text->at, text->len);
    if (!e || err_hint_text(e))
        return e;
    return err_hint(e, text->len ? "it must be YAML: text in UTF-8, indented with spaces, brackets and quotes closed"
                                 : "`caisson init` writes one to start from, where there is none");
}

struct err *cluster_load(struct cluster **ret, const char *path)
{
    OWN(cluster_freep) struct cluster *c = calloc(1, sizeof *c);
    OWN_BUF struct buf text = {.max = (size_t)16 << 20};
    if (!c)
        return err_os(ENOMEM, "%s", path);
    struct err *e = file_read(&text, AT_FDCWD, path);
    if (e)
        return err_hint(err_as(e, ERR_USAGE), err_errno(e) == ENOENT
                                                  ? "`caisson init` writes one to start from; -c FILE names another one"
                                                  : "is this the cluster's file? -c FILE names another one");
    TRY(set_dir(c, path));
    TRY(read_yaml(&c->doc, path, &text));
    TRY(cluster_schema_check(c->doc));
    TRY(read_paths(c));
    TRY(read_networks(c));
    TRY(read_hosts(c));
    TRY(check_pods(c));
    TRY(check_quorum(c));
    *ret = TAKE(c);
    return NULL;
}

void cluster_free(struct cluster *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_hosts; i++)
        free(c->hosts[i].key);
    free(c->hosts);
    strs_done(&c->addons);
    strs_done(&c->trust);
    strs_done(&c->warnings);
    free(c->release);
    free(c->dir);
    free(c->file);
    doc_free(c->doc);
    free(c);
}
