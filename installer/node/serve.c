/* serve: the table of operations, and what is common to all of them: the place, the lock, the fence. */
#include "base/own.h"
#include "node/node.h"
#include "wire/server.h"

#include <signal.h>
#include <unistd.h>

enum lock_mode { NO_LOCK, SHARED, EXCLUSIVE };

static const struct op {
    const char *name;
    struct err *(*run)(struct call *c);
    enum lock_mode lock; /* everything that writes below /var/lib/caisson takes it */
    bool makes_base;
} ops[] = {
    {"hello", op_hello, NO_LOCK, false},
    {"facts", op_facts, NO_LOCK, false},
    {"state", op_state, NO_LOCK, false},
    {"journal", op_journal, NO_LOCK, false},
    {"store.have", op_store_have, NO_LOCK, false},
    {"blob.put", op_blob_put, SHARED, true},
    {"tree.put", op_tree_put, SHARED, true},
    {"secret.put", op_secret_put, SHARED, true},
    {"generation.put", op_generation_put, EXCLUSIVE, true},
    {"generation.activate", op_generation_activate, EXCLUSIVE, true},
    {"leaf.request", op_leaf_request, EXCLUSIVE, true},
    {"leaf.install", op_leaf_install, EXCLUSIVE, true},
    {"runtime.put", op_runtime_put, EXCLUSIVE, true},
    {"image.recorded", op_image_recorded, EXCLUSIVE, true},
    {"floor.put", op_floor_put, EXCLUSIVE, true},
    {"reset", op_reset, EXCLUSIVE, true},
    {"run", op_run, NO_LOCK, false},
    {"dial", op_dial, NO_LOCK, false},
};

static const struct op *op_named(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LEN(ops); i++)
        if (str_eq(ops[i].name, name))
            return &ops[i];
    return NULL;
}

static struct err *handle(void *arg, struct stream *s, const struct doc *request, struct doc *reply)
{
    struct node *n = arg;
    const struct op *op = op_named(doc_text(request, "op"));
    OWN_FD int dir = -1;
    OWN_FD int lock = -1; /* behind `dir`: given back first */
    if (!op)
        return err_new(ERR_USAGE, "this helper knows no operation \"%s\"",
                       doc_text(request, "op") ? doc_text(request, "op") : "");
    struct call c = {.n = n, .dir = -1, .s = s, .request = request, .reply = reply};
    TRY(node_open(&dir, n, op->makes_base));
    c.dir = dir;
    if (op->lock != NO_LOCK)
        TRY(node_lock(&lock, &c, op->lock == EXCLUSIVE));
    if (op->lock == EXCLUSIVE)
        TRY(node_fence(&c));
    return op->run(&c);
}

struct err *serve_main(struct node *n)
{
    /* A session that ends must not end an activation: it goes on, and the next caller waits for it. */
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    store_sweep(n);
    struct wire_handler h = {.handle = handle, .arg = n};
    return wire_serve(STDIN_FILENO, STDOUT_FILENO, &h);
}
