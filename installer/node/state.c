/* state, hello, journal: what this node is and has; nothing here changes anything. */
#include "base/file.h"
#include "base/own.h"
#include "base/text.h"
#include "crypt/digest.h"
#include "node/leaf.h"
#include "node/manifest.h"
#include "node/node.h"
#include "node/units.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

struct err *op_hello(struct call *c)
{
    struct utsname u;
    if (uname(&u) < 0)
        return err_os(errno, "uname");
    doc_set_text(c->reply, "version", CAISSON_VERSION);
    doc_set_text(c->reply, "digest", c->n->digest);
    doc_set_text(c->reply, "arch", u.machine);
    doc_set_bool(c->reply, "simulated", c->n->simulated);
    return NULL;
}

static struct err *units_state(struct doc *list, struct node *n, const struct doc *m)
{
    OWN_STRS struct strs names = {0};
    DOC_EACH (u, doc_get(m, "units"))
        TRY(strs_add(&names, doc_text(u, "name")));
    OWN_FREE struct unit_status *st = calloc(names.n + 1, sizeof *st);
    if (!st)
        return err_os(ENOMEM, "status of units");
    TRY(n->units->status(n, &names, st));
    const struct doc *wanted = doc_get(m, "units") ? doc_get(m, "units")->child : NULL;
    for (size_t i = 0; i < names.n; i++, wanted = wanted->next) {
        struct doc *d = doc_add(list, doc_new_map());
        doc_set_text(d, "name", names.at[i]);
        doc_set_text(d, "inputs", doc_text(wanted, "inputs") ? doc_text(wanted, "inputs") : "");
        doc_set_text(d, "active", st[i].active);
        doc_set_text(d, "sub", st[i].sub);
        doc_set_text(d, "invocationId", st[i].invocation);
        if (st[i].pid)
            doc_set_int(d, "pid", st[i].pid);
    }
    return NULL;
}

static struct err *runtime_state(struct doc *map, int dir)
{
    OWN_STRS struct strs names = {0};
    TRY(dir_names(&names, dir, "runtime"));
    for (size_t i = 0; i < names.n; i++) {
        OWN_FREE char *path = str_fmt("runtime/%s", names.at[i]);
        OWN_BUF struct buf text = {.max = 4 << 20};
        char digest[65];
        if (!path)
            return err_os(ENOMEM, "state");
        if (str_ends(names.at[i], ".new"))
            continue; /* of a write that was cut off */
        TRY(file_read(&text, dir, path));
        TRY(digest_hex(digest, text.at, text.len));
        doc_set_text(map, names.at[i], digest);
    }
    return NULL;
}

/* What ran before the current generation, and whether that one was ever found good. */
static struct err *previous_state(struct doc *reply, int dir, int64_t current)
{
    OWN_DOC struct doc *note = NULL, *m = NULL;
    char digest[65] = "";
    TRY(activation_load(&note, dir, current));
    int64_t previous = doc_int(note, "previous", 0);
    doc_set_bool(reply, "pending", current != 0 && !str_eq(doc_text(note, "state"), "done"));
    struct doc *p = doc_set(reply, "previous", doc_new_map());
    doc_set_int(p, "generation", previous);
    if (previous)
        TRY(manifest_load(&m, digest, dir, previous));
    doc_set_text(p, "digest", digest);
    return NULL;
}

/* Cluster and node of the newest generation that was ever written here: whose leftovers this machine's are. */
static struct err *owner_state(struct doc *reply, int dir)
{
    OWN_STRS struct strs names = {0};
    int64_t newest = 0, n;
    OWN_DOC struct doc *m = NULL;
    TRY(dir_names(&names, dir, "generations"));
    for (size_t i = 0; i < names.n; i++)
        if (str_int(names.at[i], 1, INT64_MAX, &n) && n > newest)
            newest = n;
    if (!newest)
        return NULL;
    TRY(manifest_load(&m, NULL, dir, newest));
    doc_set_text(reply, "cluster", doc_text(m, "cluster"));
    doc_set_text(reply, "node", doc_text(m, "node"));
    return NULL;
}

static struct err *generation_state(struct call *c)
{
    int64_t current = 0;
    char digest[65] = "";
    OWN_DOC struct doc *m = NULL;
    TRY(generation_current(&current, c->dir));
    if (current)
        TRY(manifest_load(&m, digest, c->dir, current));
    doc_set_int(c->reply, "generation", current);
    doc_set_text(c->reply, "digest", digest);
    TRY(previous_state(c->reply, c->dir, current));
    return units_state(doc_set(c->reply, "units", doc_new_list()), c->n, m);
}

/* A damaged record is told as such: it keeps nobody from a look at this machine, or from a reset. */
static void say_floors(struct call *c)
{
    OWN_DOC struct doc *floors = NULL;
    struct err *e = c->dir >= 0 ? node_floors(&floors, c->dir) : NULL;
    if (e)
        doc_set_text(c->reply, "floorsError", err_text(e));
    err_free(e);
    doc_set(c->reply, "floors", floors ? TAKE(floors) : doc_new_map());
}

struct err *op_state(struct call *c)
{
    OWN_DOC struct doc *images = NULL, *epoch = NULL;
    struct utsname u;
    if (uname(&u) < 0)
        return err_os(errno, "uname");
    if (c->dir >= 0) {
        TRY(json_load(&images, c->dir, "images"));
        TRY(node_epoch(&epoch, c->dir));
        TRY(owner_state(c->reply, c->dir));
    }
    TRY(generation_state(c));
    TRY(leaf_states(doc_set(c->reply, "leafs", doc_new_map()), c->dir));
    TRY(runtime_state(doc_set(c->reply, "runtime", doc_new_map()), c->dir));
    doc_set(c->reply, "images", images ? TAKE(images) : doc_new_list());
    doc_set(c->reply, "epoch", epoch ? TAKE(epoch) : doc_new_null());
    say_floors(c);
    doc_set_text(c->reply, "arch", u.machine);
    doc_set_bool(c->reply, "simulated", c->n->simulated);
    return NULL;
}

struct err *op_journal(struct call *c)
{
    const char *unit = NULL;
    TRY(call_text(&unit, c, "unit"));
    int64_t lines = doc_int(c->request, "lines", 100);
    if (!name_is_plain(unit) || unit[0] == '-' || lines < 1 || lines > 10000)
        return err_new(ERR_USAGE, "journal: unit or lines are not sound");
    OWN_BUF struct buf text = {.max = 3 << 20};
    TRY(c->n->units->log(c->n, unit, (int)lines, &text));
    text_clean(text.at, text.len, 1);
    doc_set_text(c->reply, "text", buf_text(&text));
    return NULL;
}
