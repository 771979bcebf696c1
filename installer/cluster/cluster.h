/*
 * cluster: the operator's cluster.yaml, checked. Everything that can be known wrong without a machine is said
 * here, at file:line:col. Strings are plain values: they reach nodes as data, never as part of a command
 * line.
 */
#pragma once
#include "base/str.h"
#include "cluster/net.h"
#include "doc/doc.h"

#include <stdbool.h>

struct host {
    const char *name;    /* borrowed from the tree, as all strings here */
    const char *address; /* IPv4; the node's address inside the cluster too */
    const char *user;
    int port;
    char *key;            /* private key file, absolute; NULL: agent or ssh's defaults */
    const char *host_key; /* "SHA256:..." or NULL: known_hosts */
    bool control_plane, worker;
    const struct doc *labels, *taints; /* may be NULL */
    const struct doc *at;              /* its place, for errors */
};

struct cluster {
    struct doc *doc;
    char *file; /* cluster.yaml as given */
    char *dir;  /* its folder, absolute; every relative path in it starts there */
    const char *name;
    char *release;      /* bundle file, absolute */
    struct strs addons; /* bundle files, absolute */
    struct strs trust;  /* files of public keys and root documents, absolute; empty: those of the trust store */
    const char *profile;
    const char *product, *channel; /* of the release; NULL: what the cluster had */
    struct cidr pods, services;
    char dns_address[16], api_address[16];
    struct host *hosts;
    size_t n_hosts;
    struct strs warnings; /* "name: text", those not acknowledged */
};

/*
 * Reads and checks `path`. ERR_USAGE with file:line:col for anything wrong. Warnings that `acknowledge` names
 * are left out of `warnings`; a single control-plane node that is not acknowledged is an error.
 */
struct err *cluster_load(struct cluster **ret, const char *path) ERR_MUST;
/* True for a name that a cluster may have (DNS-1123). */
bool cluster_name_is_valid(const char *name);
/* `name` below the cluster's folder (".caisson/x", "secrets.vault"), in new memory. */
char *cluster_path(const struct cluster *c, const char *name);
const struct host *cluster_host(const struct cluster *c, const char *name);
/* Whether what a release has for `roles` (a list; "all" is every host, as is NULL) is for this host. */
bool host_has_role(const struct host *h, const struct doc *roles);
size_t cluster_control_planes(const struct cluster *c);
void cluster_free(struct cluster *c);
OWN_DEFINE(cluster, cluster)
