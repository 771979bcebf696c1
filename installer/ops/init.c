#include "ops/ops.h"

#include "base/file.h"
#include "base/str.h"
#include "ops/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>

static const char start_text[] =
    "# A cluster. `caisson validate` checks it; `caisson plan` says what `caisson apply` would do.\n"
    "apiVersion: caisson.dev/v1\n"
    "kind: Cluster\n"
    "metadata: {name: my-cluster}\n"
    "spec:\n"
    "  release: ./minimal.csn.tar          # the bundle\n"
    "  trust: [release.pub]                # the public key that it was signed with\n"
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
    OWN_FREE char *copy = strdup(file);
    return copy ? str_fmt("%s/secrets.vault", dirname(copy)) : NULL;
}

struct err *ops_init(struct doc **ret, const struct run *r)
{
    OWN_DOC struct doc *d = doc_new_map();
    struct doc *made = doc_set(d, "made", doc_new_list()), *kept = doc_set(d, "kept", doc_new_list());
    OWN_FREE char *vault = vault_beside(r->file);
    OWN_FREE char *keys = vault_keys_folder();
    bool new_key = false;
    if (!vault || !keys)
        return err_os(ENOMEM, "init");
    bool has_spec = file_exists(AT_FDCWD, r->file), has_vault = file_exists(AT_FDCWD, vault);
    if (!has_spec)
        TRY(file_replace(AT_FDCWD, r->file, start_text, sizeof start_text - 1, 0644));
    doc_add_text(has_spec ? kept : made, r->file);
    TRY(vault_operator_key(&new_key));
    doc_add_text(new_key ? made : kept, keys);
    if (!has_vault)
        TRY(vault_create(vault));
    doc_add_text(has_vault ? kept : made, vault);
    *ret = TAKE(d);
    return NULL;
}
