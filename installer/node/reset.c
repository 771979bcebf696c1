/*
 * reset: takes away what caisson brought: services, what they left running, mounts, interfaces, rules of the packet
 * filter, owned paths, links, kernel settings, /var/lib/caisson itself. What is owned stands in the manifests of this
 * node and in the request; system folders are refused wherever the name comes from.
 */
#include "base/child.h"
#include "base/file.h"
#include "base/own.h"
#include "node/activate.h"
#include "node/firewall.h"
#include "node/kernel.h"
#include "node/leftovers.h"
#include "node/links.h"
#include "node/manifest.h"
#include "node/node.h"
#include "node/units.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>

/* Never to be deleted, nor anything that contains one of them. */
static const char *const kept[] = {"/bin",
                                   "/boot",
                                   "/dev",
                                   "/etc/systemd/system",
                                   "/etc/ssh",
                                   "/home",
                                   "/lib",
                                   "/lib64",
                                   "/media",
                                   "/mnt",
                                   "/opt",
                                   "/proc",
                                   "/root",
                                   "/run/systemd",
                                   "/sbin",
                                   "/srv",
                                   "/sys",
                                   "/tmp",
                                   "/usr/bin",
                                   "/usr/lib",
                                   "/usr/sbin",
                                   "/usr/local/bin",
                                   "/var/lib",
                                   "/var/log",
                                   "/var/tmp",
                                   "/etc/passwd",
                                   "/usr/local/sbin",
                                   "/usr/share",
                                   "/var/cache",
                                   "/var/spool",
                                   "/usr/libexec"};

static struct err *path_check(const char *path)
{
    if (!name_is_absolute(path))
        return err_new(ERR_USAGE, "owned path %s is not absolute and plain", path);
    size_t n = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (str_eq(path, kept[i]) || (str_starts(kept[i], path) && kept[i][n] == '/'))
            return err_new(ERR_REFUSED, "%s belongs to the system and is not deleted", path);
    return NULL;
}

static struct err *owned_add(struct strs *ret, const struct doc *list)
{
    DOC_EACH (v, list) {
        if (!v->text)
            return err_new(ERR_USAGE, "owned path is no text");
        TRY(path_check(v->text));
        if (!strs_has(ret, v->text))
            TRY(strs_add(ret, v->text));
    }
    return NULL;
}

static struct err *owned_find(struct strs *ret, const struct call *c)
{
    OWN_STRS struct strs names = {0};
    OWN_DOC struct doc *collected = NULL;
    TRY(owned_add(ret, doc_get(c->request, "owned")));
    TRY(json_load(&collected, c->dir, "owned"));
    TRY(owned_add(ret, collected));
    TRY(dir_names(&names, c->dir, "generations"));
    for (size_t i = 0; i < names.n; i++) {
        int64_t n = 0;
        OWN_DOC struct doc *m = NULL;
        if (!str_int(names.at[i], 1, INT32_MAX, &n))
            continue;
        struct err *e = manifest_load(&m, NULL, c->dir, n);
        if (!e)
            e = owned_add(ret, doc_get(m, "owned"));
        err_ignore(e); /* a damaged old manifest must not stop a reset: the request names the paths as well */
    }
    return NULL;
}

static struct err *interfaces_drop(const struct call *c)
{
    DOC_EACH (v, doc_get(c->request, "interfaces")) {
        if (!name_is_plain(v->text) || v->text[0] == '-' || str_eq(v->text, "lo"))
            return err_new(ERR_USAGE, "interface name is not sound");
        if (c->n->simulated || if_nametoindex(v->text) == 0)
            continue;
        const char *argv[] = {"ip", "link", "delete", "dev", v->text, NULL};
        TRY(child_run(argv, &(struct child_opts){.timeout_ms = 20000}, NULL));
    }
    return NULL;
}

static struct err *paths_drop(const struct node *n, const struct strs *owned)
{
    for (size_t i = 0; i < owned->n; i++) {
        struct err *e = file_remove_tree(n->rootfd, node_below(owned->at[i]));
        if (e && err_errno(e) == EBUSY) { /* a disk that somebody mounted there: empty now, and theirs */
            err_free(e);
            continue;
        }
        TRY(e);
    }
    return NULL;
}

/* What a container runtime left in the kernel. */
static struct err *kernel_leftovers_drop(const struct call *c)
{
    const struct doc *cgroups = doc_get(c->request, "cgroups");
    OWN_STRS struct strs slices = {0};
    TRY(leftovers_kill(cgroups));
    DOC_EACH (name, cgroups)
        if (name_is_plain(name->text) && str_ends(name->text, ".slice"))
            TRY(strs_add(&slices, name->text)); /* systemd made these, and would make them again */
    TRY(c->n->units->stop(c->n, &slices));
    TRY(leftovers_cgroups_drop(cgroups));
    return firewall_drop(doc_get(c->request, "packetFilter"));
}

struct err *op_reset(struct call *c)
{
    OWN_STRS struct strs owned = {0};
    OWN(change_done) struct change change = {0};
    TRY(owned_find(&owned, c)); /* refusals before anything has happened */
    TRY(links_boot_remove(c->n));
    TRY(converge(&change, c->n, c->dir, NULL, c->s));
    if (!c->n->simulated)
        TRY(kernel_leftovers_drop(c));
    TRY(interfaces_drop(c));
    TRY(kernel_restore(c->n));
    TRY(strs_add(&owned, "/" NODE_BASE));
    TRY(leftovers_unmount(c->n, &owned));
    TRY(paths_drop(c->n, &owned));
    TRY(file_remove_tree(c->n->rootfd, NODE_RUN));
    doc_set_texts(c->reply, "stopped", &change.stopped);
    return NULL;
}
