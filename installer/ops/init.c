#include "ops/ops.h"

#include "base/file.h"
#include "base/str.h"
#include "cluster/cluster.h"
#include "ops/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const char start_format[] =
    "# A cluster. `caisson validate` checks it; `caisson plan` says what `caisson apply` would do.\n"
    "apiVersion: caisson.dev/v1\n"
    "kind: Cluster\n"
    "metadata: {name: %s}\n"
    "spec:\n"
    "  release: ./minimal.csn.tar          # the bundle\n"
    "  addons: []                          # more bundles, each built for this release\n"
    "  trust: [release.pub]                # its publisher's root key or root.json; without: see `trust bundle`\n"
    "  profile: minimal\n"
    "  network: {pods: 10.244.0.0/16, services: 10.96.0.0/16, dns: {upstream: []}}\n"
    "  hosts:                              # name = the machine's hostname; 1, 3 or 5 control-plane nodes\n"
    "    - {name: cp-1, roles: [control-plane], ssh: {address: 192.0.2.11, user: root}}\n"
    "    - {name: cp-2, roles: [control-plane], ssh: {address: 192.0.2.12, user: root}}\n"
    "    - {name: cp-3, roles: [control-plane], ssh: {address: 192.0.2.13, user: root}}\n"
    "    - {name: w-1, roles: [worker], ssh: {address: 192.0.2.21, user: root}}\n";

/* secrets.vault beside `file`, in new memory. */
static char *vault_beside(const char *file)
{
    const char *slash = strrchr(file, '/');
    return str_fmt("%.*ssecrets.vault", slash ? (int)(slash + 1 - file) : 0, file);
}

static struct err *write_spec(const char *file, const char *name)
{
    OWN_FREE char *text = str_fmt(start_format, name ? name : "my-cluster");
    return text ? file_replace(AT_FDCWD, file, text, strlen(text), 0644) : err_os(ENOMEM, "%s", file);
}

/* A name given for a file that is there already must be the one in it: nothing is renamed here. */
static struct err *check_name(const char *file, bool has_spec, const char *name)
{
    OWN(cluster_freep) struct cluster *c = NULL;
    if (!name)
        return NULL;
    if (!cluster_name_is_valid(name))
        return err_hint(err_new(ERR_USAGE, "--name: \"%s\" is not a DNS-1123 name", name),
                        "lower-case letters, digits and '-', beginning and ending with a letter or digit");
    if (!has_spec)
        return NULL;
    TRY(cluster_load(&c, file));
    if (str_eq(c->name, name))
        return NULL;
    return err_hint(err_new(ERR_USAGE, "--name: %s is there and calls its cluster \"%s\"", file, c->name),
                    "leave --name out, or write another file: -c FILE");
}

struct err *ops_init(struct doc **ret, const struct run *r, const char *name)
{
    OWN_DOC struct doc *d = doc_new_map();
    struct doc *made = doc_set(d, "made", doc_new_list()), *kept = doc_set(d, "kept", doc_new_list());
    OWN_FREE char *vault = vault_beside(r->file);
    OWN_FREE char *keys = vault_keys_folder();
    bool new_key = false;
    if (!vault || !keys)
        return err_os(ENOMEM, "init");
    bool has_spec = file_exists(AT_FDCWD, r->file), has_vault = file_exists(AT_FDCWD, vault);
    TRY(check_name(r->file, has_spec, name));
    if (!has_spec)
        TRY(write_spec(r->file, name));
    doc_add_text(has_spec ? kept : made, r->file);
    TRY(vault_operator_key(&new_key));
    doc_add_text(new_key ? made : kept, keys);
    if (!has_vault)
        TRY(vault_create(vault));
    doc_add_text(has_vault ? kept : made, vault);
    *ret = TAKE(d);
    return NULL;
}
