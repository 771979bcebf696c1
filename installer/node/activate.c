/*
 * generation.activate: check everything, flip `current`, converge; when that fails flip back and converge again.
 * The flip is the only commit point. activation.json beside the manifest says what came before and how it ended.
 */
#include "node/activate.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/text.h"
#include "crypt/digest.h"
#include "node/collect.h"
#include "node/links.h"
#include "node/manifest.h"
#include "node/node.h"
#include "node/units.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define LOG_LINES 20

struct activation {
    struct call *c;
    int64_t to, from;
    int64_t back; /* where a failure goes; `to` itself: nowhere */
    struct doc *manifest;
    struct change change;
    int64_t begun_ms;
};

static void activation_done(struct activation *a)
{
    doc_free(a->manifest);
    change_done(&a->change);
}

/* ---- checks before anything happens ---- */

static struct err *file_check(int dir, const char *path, const char *digest)
{
    char have[65];
    OWN_FD int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_os(errno, "%s", path);
    TRY(digest_fd(have, fd, NULL));
    return str_eq(have, digest) ? NULL : err_new(ERR_UNTRUSTED, "%s has digest %s, not %s", path, have, digest);
}

/* Secrets are named by keyed digests that only the vault's owner can compute: of them existence is checked. */
static struct err *files_check(const struct activation *a)
{
    DOC_EACH (f, doc_get(a->manifest, "files")) {
        OWN_FREE char *path = str_fmt("generations/%lld/files/%s", (long long)a->to, doc_text(f, "name"));
        if (!path)
            return err_os(ENOMEM, "check");
        if (!str_eq(doc_text(f, "source"), "secret"))
            TRY(file_check(a->c->dir, path, doc_text(f, "digest")));
        else if (!file_exists(a->c->dir, path))
            return err_os(ENOENT, "%s", path);
    }
    DOC_EACH (u, doc_get(a->manifest, "units")) {
        OWN_FREE char *path = str_fmt("generations/%lld/units/%s", (long long)a->to, doc_text(u, "name"));
        if (!path)
            return err_os(ENOMEM, "check");
        TRY(file_check(a->c->dir, path, doc_text(u, "digest")));
    }
    return NULL;
}

static struct err *parts_check(const struct activation *a)
{
    DOC_EACH (v, doc_get(a->manifest, "trees")) {
        OWN_FREE char *path = str_fmt("tree/%s", v->text);
        if (!path || !file_exists(a->c->dir, path))
            return err_new(ERR_FAILED, "package %s is not on this node", v->text);
    }
    DOC_EACH (v, doc_get(a->manifest, "leafs")) {
        OWN_FREE char *path = str_fmt("pki/%s/tls.crt", doc_text(v, "name"));
        if (!path || !file_exists(a->c->dir, path))
            return err_new(ERR_FAILED, "certificate %s is not on this node", doc_text(v, "name"));
    }
    return NULL;
}

static struct err *floor_get(int64_t *ret, int dir)
{
    OWN_BUF struct buf b = {.max = 64};
    struct err *e = file_read(&b, dir, "rollbackFloor");
    *ret = 0;
    if (e && err_errno(e) == ENOENT) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    return str_int(buf_text(&b), 0, INT32_MAX, ret) ? NULL : err_new(ERR_FAILED, "rollbackFloor is damaged");
}

static struct err *floor_check(int dir, int64_t to)
{
    int64_t floor = 0;
    TRY(floor_get(&floor, dir));
    if (to < floor)
        return err_new(ERR_REFUSED, "generation %lld lies below the rollback floor %lld", (long long)to,
                       (long long)floor);
    return NULL;
}

/* ---- the flip ---- */

static struct err *note_put(const struct activation *a, const char *state)
{
    OWN_DOC struct doc *d = doc_new_map();
    doc_set_text(d, "state", state);
    doc_set_int(d, "previous", a->from);
    doc_set_int(d, "at", clock_wall_s());
    if (doc_get(a->c->request, "release"))
        doc_set(d, "release", doc_clone(doc_get(a->c->request, "release")));
    if (doc_get(a->c->request, "epoch"))
        doc_set(d, "epoch", doc_clone(doc_get(a->c->request, "epoch")));
    return activation_store(a->c->dir, a->to, d);
}

/* A rerun of what is current already keeps what came before it. */
static struct err *note_finish(struct activation *a)
{
    OWN_DOC struct doc *d = NULL;
    TRY(activation_load(&d, a->c->dir, a->to));
    if (!d)
        return note_put(a, "done");
    if (str_eq(doc_text(d, "state"), "done"))
        return NULL;
    doc_set_text(d, "state", "done");
    return activation_store(a->c->dir, a->to, d);
}

static struct err *flip(int dir, int64_t to)
{
    if (to == 0) {
        if (unlinkat(dir, "current", 0) < 0 && errno != ENOENT)
            return err_os(errno, "delete link current");
        return file_sync_parent(dir, "current");
    }
    OWN_FREE char *target = str_fmt("generations/%lld", (long long)to);
    return target ? link_replace(dir, "current", target) : err_os(ENOMEM, "flip");
}

static struct err *floor_raise(const struct activation *a)
{
    int64_t wanted = doc_int(a->c->request, "rollbackFloor", 0), floor = 0;
    TRY(floor_get(&floor, a->c->dir));
    if (wanted <= floor)
        return NULL;
    OWN_FREE char *text = str_fmt("%lld", (long long)wanted);
    return text ? file_replace(a->c->dir, "rollbackFloor", text, strlen(text), 0644) : err_os(ENOMEM, "floor");
}

/* ---- when it fails ---- */

static struct err *details_units(struct doc *details, struct node *n, const struct strs *failed)
{
    struct doc *list = doc_set(details, "units", doc_new_list());
    for (size_t i = 0; i < failed->n; i++) {
        OWN_BUF struct buf log = {.max = 1 << 20};
        struct err *e = n->units->log(n, failed->at[i], LOG_LINES, &log);
        if (e)
            TRY(buf_fmt(&log, "no log: %s", err_text(e)));
        err_free(e);
        text_clean(log.at, log.len, 1);
        struct doc *u = doc_add(list, doc_new_map());
        doc_set_text(u, "name", failed->at[i]);
        doc_set_text(u, "log", buf_text(&log));
    }
    return NULL;
}

static struct err *roll_back(struct activation *a)
{
    OWN_DOC struct doc *old = NULL;
    OWN(change_done) struct change undo = {0};
    TRY(floor_check(a->c->dir, a->back));
    if (a->back)
        TRY(manifest_load(&old, NULL, a->c->dir, a->back));
    TRY(flip(a->c->dir, a->back));
    return converge(&undo, a->c->n, a->c->dir, old, a->c->s);
}

/* One error that tells both: what failed, and what runs now. */
static struct err *both_outcomes(struct err *why, const struct err *undo, int64_t back)
{
    OWN_FREE char *now =
        undo   ? str_fmt("going back to generation %lld failed as well: %s", (long long)back, err_text(undo))
        : back ? str_fmt("generation %lld runs again", (long long)back)
               : strdup("the node is empty again");
    struct err *e = err_new(err_kind(why), "%s; %s", err_text(why), now ? now : "");
    err_free(why);
    return e;
}

/* `why` goes to the caller, with how the way back went. */
static struct err *fail(struct activation *a, struct err *why)
{
    struct doc *details = doc_set(a->c->reply, "details", doc_new_map());
    struct err *e = details_units(details, a->c->n, &a->change.failed);
    err_ignore(e);                /* only the logs are missing then */
    bool same = a->back == a->to; /* nothing to go back to: it was current before */
    e = same ? NULL : roll_back(a);
    doc_set_bool(details, "rolledBack", !same && !e);
    if (e)
        doc_set_text(details, "rollbackError", err_text(e));
    if (same)
        return why;
    why = both_outcomes(why, e, a->back);
    err_free(e);
    err_ignore(note_put(a, "failed")); /* for people only; `current` has been decided */
    return why;
}

/* ---- the operation ---- */

static void answer(struct activation *a, bool changed)
{
    struct doc *r = a->c->reply;
    doc_set_bool(r, "changed", changed);
    doc_set_texts(r, "restarted", &a->change.restarted);
    doc_set_texts(r, "started", &a->change.started);
    doc_set_texts(r, "stopped", &a->change.stopped);
    doc_set_int(r, "seconds", (clock_ms() - a->begun_ms + 500) / 1000);
    doc_set_int(r, "milliseconds", clock_ms() - a->begun_ms);
}

/* A run that was cut off behind its flip may still have to go back to what was there before it. */
static struct err *back_find(struct activation *a)
{
    a->back = a->from;
    if (a->from != a->to || !a->to)
        return NULL;
    OWN_DOC struct doc *note = NULL;
    TRY(activation_load(&note, a->c->dir, a->to));
    if (!str_eq(doc_text(note, "state"), "done"))
        a->back = doc_int(note, "previous", a->to);
    return NULL;
}

static struct err *prepare(struct activation *a)
{
    struct call *c = a->c;
    TRY(generation_current(&a->from, c->dir));
    TRY(floor_check(c->dir, a->to));
    TRY(back_find(a));
    if (!a->to)
        return NULL;
    char digest[65];
    const char *wanted = NULL;
    TRY(call_digest(&wanted, c, "digest"));
    TRY(manifest_load(&a->manifest, digest, c->dir, a->to));
    if (!str_eq(digest, wanted))
        return err_new(ERR_UNTRUSTED, "generation %lld is %s, not %s", (long long)a->to, digest, wanted);
    TRY(files_check(a));
    return parts_check(a);
}

static struct err *commit(struct activation *a)
{
    TRY(space_check(a->c->dir, 0));
    TRY(links_boot_install(a->c->n));
    TRY(floor_raise(a));
    if (a->to && a->to != a->from)
        TRY(note_put(a, "pending"));
    return a->to == a->from ? NULL : flip(a->c->dir, a->to);
}

static struct err *activate(struct activation *a)
{
    bool done = false;
    TRY_CTX(prepare(a), "generation %lld", (long long)a->to);
    if (a->to == a->from)
        TRY(converge_is_done(&done, a->c->n, a->manifest));
    if (done && a->to)
        TRY(links_boot_install(a->c->n));
    if (!done) {
        TRY(commit(a));
        struct err *e = converge(&a->change, a->c->n, a->c->dir, a->manifest, a->c->s);
        if (e)
            return fail(a, err_wrap(e, "generation %lld", (long long)a->to));
    }
    if (a->to)
        TRY(note_finish(a));
    if (a->to && !done)
        err_ignore(collect(a->c->dir, false)); /* only takes space; the next activation tries again */
    answer(a, !done);
    return NULL;
}

struct err *op_generation_activate(struct call *c)
{
    int64_t to = doc_int(c->request, "generation", -1);
    if (to < 0 || to > INT32_MAX)
        return err_new(ERR_USAGE, "request without generation");
    OWN(activation_done) struct activation a = {.c = c, .to = to, .begun_ms = clock_ms()};
    return activate(&a);
}
