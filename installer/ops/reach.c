#include "ops/reach.h"

enum { API_PORT = 6443, BALANCER_PORT = 7443, ETCD_PORT = 2379 }; /* as the components have them */

struct err *reach_kube(struct kube **ret, struct fleet *f, struct member *m)
{
    const char *socket = NULL;
    OWN_BUF struct buf cert = {0};
    OWN_SECRET_BUF struct buf key = {0};
    TRY(node_forward(&socket, m->node, m->host->control_plane ? API_PORT : BALANCER_PORT));
    TRY(vault_issue_client(&cert, &key, f->x->vault, "kubernetes", "caisson:run", "system:masters", REACH_S));
    struct kube_server server = {.unix_socket = socket,
                                 .url = "https://127.0.0.1:6443",
                                 .ca_pem = vault_authority(f->x->vault, "kubernetes"),
                                 .cert_pem = buf_text(&cert),
                                 .key_pem = buf_text(&key)};
    return kube_new(ret, &server, f->x->cancel);
}

struct err *reach_etcd(struct etcd **ret, struct fleet *f, struct member *m)
{
    const char *socket = NULL;
    OWN_BUF struct buf cert = {0};
    OWN_SECRET_BUF struct buf key = {0};
    TRY(node_forward(&socket, m->node, ETCD_PORT));
    TRY(vault_issue_client(&cert, &key, f->x->vault, "etcd", "caisson:run", NULL, REACH_S));
    struct etcd_access a = {socket, vault_authority(f->x->vault, "etcd"), buf_text(&cert), buf_text(&key)};
    return etcd_new(ret, &a, f->x->cancel);
}
