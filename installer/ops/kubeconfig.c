#include "ops/ops.h"

#include "base/str.h"
#include "ops/context.h"

#include <errno.h>
#include <string.h>

static const struct host *choose(const struct cluster *c, const char *via)
{
    for (size_t i = 0; i < c->n_hosts; i++)
        if (c->hosts[i].control_plane && (!via || str_eq(via, c->hosts[i].name)))
            return &c->hosts[i];
    return NULL;
}

struct err *ops_kubeconfig(struct buf *out, const struct run *r, const char *via, int hours)
{
    OWN_CONTEXT struct context x = {.events = r->events, .cancel = r->cancel};
    OWN_BUF struct buf cert = {0};
    OWN_SECRET_BUF struct buf key = {0};
    TRY(context_spec(&x, r->file));
    const struct host *h = choose(x.cluster, via);
    if (!h)
        return err_hint(err_new(ERR_USAGE, "%s has no control-plane host \"%s\"", r->file, via ? via : ""),
                        "--via takes the name of a host with the role control-plane");
    OWN_FREE char *path = cluster_path(x.cluster, "secrets.vault");
    TRY(path ? vault_load(&x.vault, path) : err_os(ENOMEM, "vault"));
    TRY(vault_issue_client(&cert, &key, x.vault, "kubernetes", "caisson:admin", "caisson:cluster-admins",
                           (int64_t)hours * 3600));
    const char *authority = vault_authority(x.vault, "kubernetes");
    TRY(buf_fmt(out,
                "apiVersion: v1\nkind: Config\nclusters:\n- name: %s\n  cluster:\n    server: https://%s:6443\n"
                "    certificate-authority-data: ",
                x.cluster->name, h->address));
    TRY(buf_base64(out, authority, strlen(authority)));
    TRY(buf_str(out, "\nusers:\n- name: admin\n  user:\n    client-certificate-data: "));
    TRY(buf_base64(out, cert.at, cert.len));
    TRY(buf_str(out, "\n    client-key-data: "));
    TRY(buf_base64(out, key.at, key.len));
    return buf_fmt(out, "\ncontexts:\n- name: %s\n  context: {cluster: %s, user: admin}\ncurrent-context: %s\n",
                   x.cluster->name, x.cluster->name, x.cluster->name);
}
