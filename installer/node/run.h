/* run: programs out of the packages of this node; nothing else is ever run for the controller. */
#pragma once
#include "base/buf.h"
#include "base/cancel.h"
#include "doc/doc.h"

struct node;

struct run_result {
    int status; /* exit status, or 128 + signal */
    struct buf output, errors;
};

/*
 * Runs argv (a list), whose first element must lie below /var/lib/caisson/tree/<digest>/ also after links are
 * followed: else ERR_REFUSED. `input_fd` -1: no input. Any exit status is a success of this call.
 */
struct err *run_in_tree(struct run_result *ret, const struct node *n, const struct doc *argv, int input_fd,
                        int64_t timeout_ms, const struct cancel *c) ERR_MUST;
void run_result_done(struct run_result *r);
