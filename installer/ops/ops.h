/*
 * ops: what the verbs do. Each takes the cluster file, reports progress as events, and gives its result as a
 * tree; cli/ prints both. Errors carry the exit code (err_exit_code()).
 */
#pragma once
#include "base/buf.h"
#include "base/cancel.h"
#include "doc/doc.h"
#include "run/event.h"

struct run {
    const char *file;            /* cluster.yaml */
    const struct events *events; /* may be NULL */
    const struct cancel *cancel; /* may be NULL */
    const struct doc *allow; /* for plan and apply: list of {epoch, sequence} to which a return is allowed; or NULL */
    bool enforce_dates;      /* the same: what has expired is refused */
};

/*
 * Makes what a cluster's folder needs and does not have: cluster.yaml from a commented start (only when
 * missing, with `name` or NULL in it), the operator's key pair, secrets.vault. {made: [paths], kept: [paths]}.
 */
struct err *ops_init(struct doc **ret, const struct run *r, const char *name) ERR_MUST;

/* Checks cluster.yaml, and with `bundle` also the release, overrides and what would be rendered. {warnings:
 * [text]}. */
struct err *ops_validate(struct doc **ret, const struct run *r, bool bundle) ERR_MUST;

/* Called with each host's key before it is pinned; false leaves it out. */
typedef bool (*ops_confirm)(void *self, const char *host, const char *address, const char *type,
                            const char *fingerprint);
/*
 * Asks machines for their host keys and pins those that `confirm` accepts in known_hosts. `name`: one host,
 * NULL all that have no pinned key. {pinned: [{host, type, fingerprint}], kept: [host]}. A host that does not answer
 * does not keep the others from being pinned: *ret is set beside the error.
 */
struct err *ops_trust_hosts(struct doc **ret, const struct run *r, const char *name, ops_confirm confirm, void *self)
    ERR_MUST;

/* Called with a root document (chain_describe()) before it is pinned. */
typedef bool (*ops_confirm_root)(void *self, const struct doc *document);
/*
 * Pins the publisher of `file`, a bundle or a root.json, in the trust store. `fingerprint` (may be NULL): "sha256:..."
 * of one of its root documents, which the publisher told; else `confirm` is asked about the last. {result:
 * new|same|next|declined, product, version, fingerprint, path, document}. ERR_UNTRUSTED when the fingerprint is another
 * one, or something else is pinned.
 */
struct err *ops_trust_bundle(struct doc **ret, const char *file, const char *fingerprint, ops_confirm_root confirm,
                             void *self) ERR_MUST;

/* {hosts: [{host, checks: [{id, result: pass|warn|fail, value, want, fix}]}], failed, warned}. ERR_REFUSED
 * when one failed. */
struct err *ops_preflight(struct doc **ret, const struct run *r) ERR_MUST;

/* {hosts: [diff_node()], cluster: {apply: [object], prune: [object]}, floor: [{release, from?, to}], changes: n,
 * release}. */
struct err *ops_plan(struct doc **ret, const struct run *r) ERR_MUST;
/*
 * Carries out what ops_plan() says. The same tree, plus seconds, and for hosts {restarted, started, stopped}.
 * *ret is set as far as it got when an error is returned, else NULL. ERR_REFUSED when another run changes the cluster
 * from this folder.
 */
struct err *ops_apply(struct doc **ret, const struct run *r) ERR_MUST;

/*
 * What all hosts of each role hold of the release: packages, and images that are complete in the runtime. The list that
 * `bundle delta` takes as a base: {cluster, images: [{blobs, digest, name, role}], packages: [{digest, name, role}],
 * schema}. ERR_UNREACHABLE... when one host cannot be asked.
 */
struct err *ops_held(struct doc **ret, const struct run *r) ERR_MUST;

/* {release: {digest, profile, version}, addons: [the same], nodes: [{name, roles, state, generation, wanted, version,
 * units: [...], certificates: [...]}], etcd: {healthy, leader, members, version, alarms, each: [{name, healthy, leader,
 * ...}]}, ready}. */
struct err *ops_status(struct doc **ret, const struct run *r) ERR_MUST;

/* A kubeconfig with a client certificate of `hours`, for the API server of host `via` (NULL: the first that
 * answers). */
struct err *ops_kubeconfig(struct buf *out, const struct run *r, const char *via, int hours) ERR_MUST;

/* Takes everything of caisson off all hosts, or off `name`. {hosts: [{host, removed: n}]}. ERR_REFUSED as ops_apply().
 */
struct err *ops_reset(struct doc **ret, const struct run *r, const char *name) ERR_MUST;
