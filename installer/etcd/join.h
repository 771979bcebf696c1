/* join: how a host becomes a member of an etcd cluster that has a quorum (ETCD-7). Pure. */
#pragma once
#include "doc/doc.h"

enum join_action {
    JOIN_ADD,     /* etcd does not know it: add a learner, then start it */
    JOIN_REPLACE, /* its data are gone: remove the old member, then as JOIN_ADD */
    JOIN_START,   /* it is a member already: only start it */
    JOIN_REFUSE,  /* it holds data of a member that was removed; etcd would not start with them */
};

/*
 * What to do for host `name` with that peer URL; `members` as etcd_members() gives it, `has_data`: the host has a data
 * directory. *ret_id is the member's id for JOIN_REPLACE and JOIN_START, borrowed from `members`; else NULL.
 */
enum join_action join_decide(const char **ret_id, const struct doc *members, const char *name, const char *peer_url,
                             bool has_data);

/* The member that has the name or the peer URL, or NULL; borrowed. A member that never started has no name. */
const struct doc *join_find(const struct doc *members, const char *name, const char *peer_url);

/* The environment of a member that starts for the first time among `members`, as etcd.service reads it. */
struct err *join_env(struct buf *out, const struct doc *members, const char *name, const char *peer_url) ERR_MUST;
