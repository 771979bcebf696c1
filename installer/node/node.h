/*
 * node: what the operations share: places, the lock, the fence. Private to the room.
 *
 *   /var/lib/caisson/store/sha256/<digest>   immutable blobs
 *                    tree/<digest>/          unpacked packages
 *                    secrets/<id>            0600, travel once
 *                    generations/<n>/        manifest.json activation.json files/ units/
 *                    current -> generations/<n>   the only commit point; absent: generation 0
 *                    pki/<leaf> -> .<leaf>.<k>    tls.key tls.crt leaf.json
 *                    runtime/<name>  images  epoch  floors  sysctl.before  owned  lock
 *   /run/caisson/started/<unit>              inputs that the running unit was started with
 *
 * Every path is taken below `root`, which is / on a real machine.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "doc/doc.h"
#include "wire/stream.h"

#include <stdbool.h>
#include <stdint.h>

#define NODE_BASE "var/lib/caisson"
#define NODE_RUN "run/caisson"
#define NODE_RUN_UNITS "run/systemd/system"
#define NODE_ETC_UNITS "etc/systemd/system"
#define NODE_SPACE_KEPT ((uint64_t)64 << 20) /* bytes that stay free for the flip, journal and logs */

struct unit_manager;

struct node {
    const char *root; /* "" on a real machine, else the folder that stands for / */
    int rootfd;
    bool simulated;
    const struct unit_manager *units;
    char digest[65]; /* of this program */
};

/* One request in work. */
struct call {
    struct node *n;
    int dir; /* NODE_BASE, or -1 when there is none yet and the operation only reads */
    struct stream *s;
    const struct doc *request;
    struct doc *reply;
};

/* Fills `ret`; `root` NULL means the real machine. */
struct err *node_init(struct node *ret, const char *root) ERR_MUST;
void node_done(struct node *n);
/* NODE_BASE as a descriptor; made when `create`, else *ret is -1 when it is missing. */
struct err *node_open(int *ret, const struct node *n, bool create) ERR_MUST;
/* An absolute path of the machine as a path below rootfd: "/a/b" is "a/b". */
const char *node_below(const char *absolute);

/* Holds `lock` until the descriptor is closed. Gives up with ERR_UNREACHABLE when the caller has gone meanwhile. */
struct err *node_lock(int *ret_fd, const struct call *c, bool exclusive) ERR_MUST;
/*
 * CRASH-4: request.epoch {number, run} (or a number) must not be older than the highest one seen, nor the same
 * number of another run; a higher one is kept. Requests without an epoch pass. Needs the exclusive lock.
 */
struct err *node_fence(const struct call *c) ERR_MUST;
/* The stored epoch, or NULL. */
struct err *node_epoch(struct doc **ret, int dir) ERR_MUST;

/* The releases that were here (wire/floor.h); an empty map when there is no record. */
struct err *node_floors(struct doc **ret, int dir) ERR_MUST;

/* Text at `key` of the request; ERR_USAGE when missing. */
struct err *call_text(const char **ret, const struct call *c, const char *key) ERR_MUST;
/* The same for 64 hex digits. */
struct err *call_digest(const char **ret, const struct call *c, const char *key) ERR_MUST;
/* True for a name that is one path part of [A-Za-z0-9._@:-], does not begin with a dot and is not too long. */
bool name_is_plain(const char *s);
/* True for a relative path of such parts (a part may begin with one dot only when something follows it). */
bool name_is_path(const char *s);
/* True for an absolute path without ".", ".." and empty parts. */
bool name_is_absolute(const char *s);
/* Reads and parses a JSON file; *ret stays NULL when there is none. */
struct err *json_load(struct doc **ret, int dirfd, const char *name) ERR_MUST;
/* Replaces a JSON file durably, 0644. */
struct err *json_store(int dirfd, const char *name, const struct doc *d) ERR_MUST;
/* Makes `name` a link to `target`, replacing atomically and durably what was there. */
struct err *link_replace(int dirfd, const char *name, const char *target) ERR_MUST;
/* Names in a folder, sorted, those with a leading dot too (not . and ..); a missing folder is empty. */
struct err *dir_names(struct strs *ret, int dirfd, const char *name) ERR_MUST;
/* Gives the open file to uid:gid; on a simulated node without privilege nothing is done. */
struct err *file_give(const struct node *n, int fd, int64_t uid, int64_t gid) ERR_MUST;
/* Enough space below `dir` for `bytes` and what is kept free. */
struct err *space_check(int dir, uint64_t bytes) ERR_MUST;

/* ---- the operations; the table is in serve.c ---- */
struct err *op_hello(struct call *c) ERR_MUST;
struct err *op_facts(struct call *c) ERR_MUST;
struct err *op_state(struct call *c) ERR_MUST;
struct err *op_store_have(struct call *c) ERR_MUST;
struct err *op_blob_put(struct call *c) ERR_MUST;
struct err *op_tree_put(struct call *c) ERR_MUST;
struct err *op_secret_put(struct call *c) ERR_MUST;
struct err *op_generation_put(struct call *c) ERR_MUST;
struct err *op_generation_activate(struct call *c) ERR_MUST;
struct err *op_leaf_request(struct call *c) ERR_MUST;
struct err *op_leaf_install(struct call *c) ERR_MUST;
struct err *op_runtime_put(struct call *c) ERR_MUST;
struct err *op_image_recorded(struct call *c) ERR_MUST;
struct err *op_floor_put(struct call *c) ERR_MUST;
struct err *op_run(struct call *c) ERR_MUST;
struct err *op_dial(struct call *c) ERR_MUST;
struct err *op_journal(struct call *c) ERR_MUST;
struct err *op_reset(struct call *c) ERR_MUST;

/* Takes the lock if nobody holds it; -1: somebody does, or there is none yet. The caller closes it. */
int node_lock_free(int dir);
/* Deletes what killed uploads left; only while nobody else holds the lock. */
void store_sweep(const struct node *n);

/* ---- the programs behind main.c ---- */
struct err *serve_main(struct node *n) ERR_MUST;
struct err *boot_main(struct node *n) ERR_MUST;
struct lb_opts {
    const char *targets; /* file with one "address:port" a line */
    const char *listen;  /* "127.0.0.1:7443", or NULL: sockets from systemd */
    const char *ca;      /* look for health by GET /readyz over TLS, checked against this file; NULL: by connecting */
    const char *name;    /* name in the certificates; NULL: the target's address */
};
struct err *lb_main(const struct lb_opts *o) ERR_MUST;
