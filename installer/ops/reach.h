/* reach: the API server and etcd of a control-plane host, through its SSH connection, with certificates of
 * their own that end soon after what a run waits for. */
#pragma once
#include "etcd/etcd.h"
#include "kube/kube.h"
#include "ops/fleet.h"

enum { REACH_S = 3600 };

/*
 * The host's own API server; on a worker the one that its balancer finds. The group is system:masters: it must work
 * before any binding exists, and nobody keeps it.
 */
struct err *reach_kube(struct kube **ret, struct fleet *f, struct member *m) ERR_MUST;
struct err *reach_etcd(struct etcd **ret, struct fleet *f, struct member *m) ERR_MUST;
