/* hold: one run at a time changes a cluster from its folder. */
#pragma once
#include "cluster/cluster.h"

/*
 * Holds .caisson/lock with flock(LOCK_EX) until *ret_fd is closed; the file says who did last. ERR_REFUSED with that
 * when another run holds it.
 */
struct err *hold_cluster(int *ret_fd, const struct cluster *c) ERR_MUST;
