/*
 * etcd: one member asked through its JSON gateway (POST /v3/...,
 * https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/). 64-bit numbers are text in its JSON, as protobuf's
 * mapping says. Only the member at the other end of the socket answers.
 */
#pragma once
#include "base/cancel.h"
#include "base/err.h"
#include "base/own.h"
#include "doc/doc.h"

struct etcd;

/* What to connect with; all copied. */
struct etcd_access {
    const char *unix_socket;     /* leads to port 2379 of the member's loopback */
    const char *ca, *cert, *key; /* PEM */
};

struct err *etcd_new(struct etcd **ret, const struct etcd_access *a, const struct cancel *cancel) ERR_MUST;
void etcd_free(struct etcd *e);
OWN_DEFINE(etcd, etcd)

/* Members as a list of {ID, name, peerURLs, clientURLs, isLearner}; a linearizable read, so it fails without
 * quorum. */
struct err *etcd_members(struct doc **ret, struct etcd *e) ERR_MUST;
/* This member: {version, dbSize, leader, raftIndex, raftTerm, raftAppliedIndex, isLearner, header:
 * {member_id}}. */
struct err *etcd_status(struct doc **ret, struct etcd *e) ERR_MUST;
/* Active alarms as a list of {memberID, alarm}. */
struct err *etcd_alarms(struct doc **ret, struct etcd *e) ERR_MUST;
/* NULL when a linearizable read through this member succeeds. */
struct err *etcd_healthy(struct etcd *e) ERR_MUST;
/* Adds a learner with that peer URL (ETCD-7); its id as text. */
struct err *etcd_add_learner(char ret_id[24], struct etcd *e, const char *peer_url) ERR_MUST;
/* Makes the learner a voter; ERR_FAILED while it has not caught up. */
struct err *etcd_promote(struct etcd *e, const char *id) ERR_MUST;
struct err *etcd_remove(struct etcd *e, const char *id) ERR_MUST;
