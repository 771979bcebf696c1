/* join: hosts that come to a cluster which runs already. Workers need nothing of it; etcd members do (ETCD-7). */
#pragma once
#include "ops/fleet.h"

/* A new control-plane host of a running cluster: it must not start by itself. */
bool join_needed(struct fleet *f, const struct member *m);
/*
 * Starts the delivered control-plane host `m` as a member of the running etcd cluster: a learner first, a voter once it
 * has caught up. What an interrupted join left behind is taken up, or replaced where its data are gone.
 */
struct err *join_control_plane(struct fleet *f, struct member *m) ERR_MUST;

/* Takes the etcd member of host `h` out of the cluster; one that is not there is fine. */
struct err *join_undo(struct fleet *f, const struct host *h) ERR_MUST;

/*
 * Whether the hosts of cluster.yaml belong together. ERR_REFUSED: a control-plane host that etcd has put out; or none
 * of them runs, and a worker still reaches an API server (a second cluster would be made beside the first).
 */
struct err *join_check(struct fleet *f) ERR_MUST;
