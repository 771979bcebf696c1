/* boot: run by caisson-boot.service at every start of the machine, before anything of ours runs. */
#include "base/child.h"
#include "base/own.h"
#include "node/activate.h"
#include "node/collect.h"
#include "node/kernel.h"
#include "node/links.h"
#include "node/manifest.h"
#include "node/node.h"
#include "node/units.h"

static struct err *boot_start(struct node *n, const struct doc *m)
{
    if (n->simulated) {
        OWN_STRS struct strs all = {0};
        DOC_EACH (u, doc_get(m, "units"))
            if (doc_bool(u, "enabled", true))
                TRY(strs_add(&all, doc_text(u, "name")));
        return n->units->restart(n, &all);
    }
    /* One transaction, so that systemd orders all of them; not waited for: this unit is part of the boot itself. */
    const char *argv[] = {"systemctl", "start", "--no-block", "caisson.target", NULL};
    return child_run(argv, &(struct child_opts){.timeout_ms = 90000}, NULL);
}

/* Nothing of ours runs yet, so nothing can need what is not named any more. */
static void collect_free(int dir)
{
    OWN_FD int lock = node_lock_free(dir);
    if (lock >= 0)
        err_ignore(collect(dir, true)); /* only takes space; the next boot tries again */
}

struct err *boot_main(struct node *n)
{
    OWN_FD int dir = -1;
    int64_t current = 0;
    bool changed = false;
    TRY(node_open(&dir, n, false));
    TRY(generation_current(&current, dir));
    if (!current)
        return NULL;
    collect_free(dir);
    OWN_DOC struct doc *m = NULL;
    TRY(manifest_load(&m, NULL, dir, current));
    TRY(links_derive(&changed, n, m));
    TRY(n->units->reload(n));
    /* A setting that cannot be had must not keep the whole node down: it is said, and services start. */
    struct err *kernel = kernel_apply(n, m);
    struct err *e = started_note_all(n, m);
    if (!e)
        e = boot_start(n, m);
    if (e) {
        err_ignore(kernel);
        return e;
    }
    return kernel;
}
