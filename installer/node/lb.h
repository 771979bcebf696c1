/* lb: what the balancer's loop (lb.c) and its watcher of targets (lb_targets.c) share. */
#pragma once
#include "base/cancel.h"
#include "node/node.h"

#include <pthread.h>

#define LB_TARGETS_MAX 64

struct lb_target {
    char address[64]; /* numeric */
    int port;
    bool up;
    int failures; /* checks in a row */
};

struct lb_targets {
    pthread_mutex_t lock;
    struct lb_target at[LB_TARGETS_MAX];
    size_t n;
    unsigned next;         /* whose turn it is */
    struct cancel changed; /* set when the list or somebody's health changed */
    struct cancel stop;
    const struct lb_opts *opts;
    pthread_t watcher;
};

/* Splits "10.0.0.1:6443" or "[fd00::1]:6443". ERR_USAGE. */
struct err *lb_address(char ret[64], int *ret_port, const char *text) ERR_MUST;
/* Reads the file for the first time and starts the watcher: the file every second, health every two. */
struct err *lb_targets_start(struct lb_targets *t, const struct lb_opts *o) ERR_MUST;
void lb_targets_stop(struct lb_targets *t);
/*
 * The next target in turn, healthy ones first, that is not in `tried` (n_tried of them). False when none is left.
 */
bool lb_targets_choose(struct lb_target *ret, struct lb_targets *t, const struct lb_target *tried, size_t n_tried);
/* True when the target is still in the list and not known to be dead. */
bool lb_targets_alive(struct lb_targets *t, const struct lb_target *one);
