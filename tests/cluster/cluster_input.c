#include "cluster_input.h"

#include "cluster/cluster.h"

#include <stdio.h>
#include <stdlib.h>

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "broken rule: %s\n", what);
    abort();
}

static void check_refusal(struct err *e)
{
    demand(err_kind(e) == ERR_USAGE && err_exit_code(e) == 64, "a refused file is a usage error");
    err_free(e);
}

static void check_host(const struct cluster *c, const struct host *h)
{
    uint32_t address = 0;
    demand(h->name && h->address && h->user && h->port > 0 && h->port < 65536, "a host is whole");
    demand(h->control_plane || h->worker, "a host has a role");
    demand(net_parse_address(h->address, &address), "an address is one");
    demand(!net_contains(&c->pods, address) && !net_contains(&c->services, address), "hosts are outside");
    demand(cluster_host(c, h->name) == h, "names are unique");
}

void cluster_input_run(const char *path, const void *p, size_t n)
{
    OWN(cluster_freep) struct cluster *c = NULL;
    FILE *f = fopen(path, "we");
    demand(f && (n == 0 || fwrite(p, 1, n, f) == n) && fclose(f) == 0, "the file can be written");
    struct err *e = cluster_load(&c, path);
    if (e) {
        check_refusal(e);
        return;
    }
    demand(!net_overlap(&c->pods, &c->services), "networks are apart");
    demand(c->n_hosts > 0 && cluster_control_planes(c) > 0, "a cluster is whole");
    for (size_t i = 0; i < c->n_hosts; i++)
        check_host(c, &c->hosts[i]);
}
