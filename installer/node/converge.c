/* converge: from what runs to what `current` says. Restarts are decided by what each running unit was started with. */
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "node/activate.h"
#include "node/kernel.h"
#include "node/links.h"
#include "node/manifest.h"
#include "node/node.h"
#include "node/probe.h"

#include <errno.h>
#include <string.h>

#define STARTED NODE_RUN "/started"
#define UNSURE "?" /* the note of a unit that is being (re)started: it may run, with these or other inputs */
#define POLL_MS 200
#define STATUS_MS 1000 /* asking systemd costs both sides more than all the probes do */
#define START_DEADLINE_MS 60000
#define RESTARTS_MAX 5 /* a unit that ended so often will not become ready by waiting for its deadline */

void change_done(struct change *c)
{
    strs_done(&c->restarted);
    strs_done(&c->started);
    strs_done(&c->stopped);
    strs_done(&c->failed);
}

/* ---- what the running units were started with; gone with a reboot, as they are ---- */

static struct err *started_note(const struct node *n, const char *unit, const char *inputs)
{
    OWN_FREE char *path = str_fmt(STARTED "/%s", unit);
    if (!path)
        return err_os(ENOMEM, "note start");
    if (!inputs)
        return file_remove_tree(n->rootfd, path);
    TRY(file_mkdirs(n->rootfd, STARTED, 0755));
    return file_replace(n->rootfd, path, inputs, strlen(inputs), 0644);
}

static bool started_with(const struct node *n, const char *unit, const char *inputs)
{
    OWN_FREE char *path = str_fmt(STARTED "/%s", unit);
    OWN_BUF struct buf have = {.max = 4096};
    if (!path)
        return false;
    err_ignore(file_read(&have, n->rootfd, path)); /* no note: unknown, so different */
    return str_eq(buf_text(&have), inputs);
}

struct err *started_note_all(const struct node *n, const struct doc *m)
{
    DOC_EACH (u, doc_get(m, "units")) {
        const char *name = doc_text(u, "name");
        OWN_FREE char *path = str_fmt(STARTED "/%s", name);
        if (!path)
            return err_os(ENOMEM, "note start");
        if (doc_bool(u, "enabled", true) && !file_exists(n->rootfd, path))
            TRY(started_note(n, name, doc_text(u, "inputs")));
    }
    return NULL;
}

/* ---- what has to be done ---- */

static void say(struct stream *s, const char *unit, const char *state)
{
    if (!s)
        return;
    OWN_DOC struct doc *d = doc_new_map();
    doc_set_text(d, "unit", unit);
    doc_set_text(d, "state", state);
    err_ignore(stream_event(s, d)); /* nobody may be listening any more: the work goes on */
}

/* Units with a note that `m` has no more, or has not enabled. */
static struct err *leaving(struct strs *ret, const struct node *n, const struct doc *m)
{
    OWN_STRS struct strs noted = {0};
    TRY(dir_names(&noted, n->rootfd, STARTED));
    for (size_t i = 0; i < noted.n; i++) {
        const struct doc *u = manifest_unit(m, noted.at[i]);
        if (str_ends(noted.at[i], ".new")) /* of a note that was cut off before its unit was touched */
            TRY(started_note(n, noted.at[i], NULL));
        else if (!u || !doc_bool(u, "enabled", true))
            TRY(strs_add(ret, noted.at[i]));
    }
    return NULL;
}

/* Those of `units` that run with other inputs or do not run. */
static struct err *differing(struct strs *restart, struct strs *start, struct node *n, const struct doc *m,
                             const struct strs *units)
{
    OWN_FREE struct unit_status *st = calloc(units->n + 1, sizeof *st);
    if (!st)
        return err_os(ENOMEM, "status of units");
    TRY(n->units->status(n, units, st));
    for (size_t i = 0; i < units->n; i++) {
        const char *inputs = doc_text(manifest_unit(m, units->at[i]), "inputs");
        bool runs =
            str_eq(st[i].active, "active") || str_eq(st[i].active, "activating") || str_eq(st[i].active, "reloading");
        if (!runs)
            TRY(strs_add(start, units->at[i]));
        else if (!started_with(n, units->at[i], inputs))
            TRY(strs_add(restart, units->at[i]));
    }
    return NULL;
}

static struct err *enabled_units(struct strs *ret, const struct doc *m)
{
    DOC_EACH (u, doc_get(m, "units"))
        if (doc_bool(u, "enabled", true))
            TRY(strs_add(ret, doc_text(u, "name")));
    return NULL;
}

struct err *converge_is_done(bool *ret, struct node *n, const struct doc *m)
{
    OWN_STRS struct strs out = {0}, units = {0}, restart = {0}, start = {0};
    bool links_changed = false;
    if (m)
        TRY(kernel_apply(n, m));
    TRY(links_derive(&links_changed, n, m));
    TRY(leaving(&out, n, m));
    TRY(enabled_units(&units, m));
    TRY(differing(&restart, &start, n, m, &units));
    *ret = !links_changed && !out.n && !restart.n && !start.n;
    return NULL;
}

/* ---- waiting ---- */

static int64_t deadline_of(const struct doc *unit)
{
    int64_t start_ms = doc_int(unit, "startDeadlineMs", START_DEADLINE_MS);
    int64_t ready_ms = doc_int(unit, "ready.deadlineMs", 0);
    return ready_ms > start_ms ? ready_ms : start_ms;
}

/* One look at a unit: *ret_ready, or an error once waiting is of no use. */
static struct err *look(bool *ret_ready, struct node *n, const struct doc *unit, const struct unit_status *st,
                        int64_t begun_ms)
{
    struct err *e = probe_ready(n, doc_get(unit, "ready"), st);
    const char *name = doc_text(unit, "name");
    int64_t limit_ms = deadline_of(unit);
    *ret_ready = e == NULL;
    if (e && str_eq(st->active, "failed"))
        return err_wrap(e, "%s", name);
    if (e && st->restarts >= RESTARTS_MAX)
        return err_wrap(e, "%s: ended and was started again %lld times", name, (long long)st->restarts);
    if (e && clock_ms() - begun_ms >= limit_ms)
        return err_wrap(e, "%s: not ready after %lld s", name, (long long)(limit_ms / 1000));
    err_free(e);
    return NULL;
}

struct waiting {
    struct strs units;
    bool *done;
    size_t n_done;
    struct unit_status *status;
    int64_t asked_ms;
};

/* What systemd says may be some hundred milliseconds old: too old where nothing else is asked. */
static bool needs_status(const struct node *n, const struct doc *unit)
{
    const char *type = doc_text(unit, "ready.type");
    return !n->units->real_probes || !type || str_eq(type, "active");
}

/* Looks at all that are not ready yet. */
static struct err *wait_round(struct waiting *w, struct change *ch, struct node *n, const struct doc *m,
                              struct stream *s, int64_t begun_ms)
{
    bool fresh = clock_ms() - w->asked_ms >= STATUS_MS;
    if (fresh) {
        TRY(n->units->status(n, &w->units, w->status));
        w->asked_ms = clock_ms();
    }
    for (size_t i = 0; i < w->units.n; i++) {
        bool ready = false;
        const struct doc *unit = manifest_unit(m, w->units.at[i]);
        if (w->done[i] || (!fresh && needs_status(n, unit)))
            continue;
        struct err *e = look(&ready, n, unit, &w->status[i], begun_ms);
        if (e) {
            say(s, w->units.at[i], "failed");
            err_ignore(strs_add(&ch->failed, w->units.at[i])); /* without memory only its log is missing */
            return e;
        }
        if (ready) {
            w->done[i] = true;
            w->n_done++;
            say(s, w->units.at[i], "ready");
        }
    }
    return NULL;
}

static struct err *wait_ready(struct change *ch, struct node *n, const struct doc *m, const struct strs *units,
                              struct stream *s)
{
    OWN_FREE bool *done = calloc(units->n + 1, sizeof *done);
    OWN_FREE struct unit_status *status = calloc(units->n + 1, sizeof *status);
    if (!done || !status)
        return err_os(ENOMEM, "wait for units");
    int64_t begun_ms = clock_ms();
    struct waiting w = {.units = *units, .done = done, .status = status, .asked_ms = begun_ms - STATUS_MS};
    for (;;) {
        TRY(wait_round(&w, ch, n, m, s, begun_ms));
        if (w.n_done == units->n)
            return NULL;
        clock_sleep_ms(POLL_MS);
    }
}

/* ---- the change itself ---- */

static struct err *stop_leaving(struct change *ch, struct node *n, const struct doc *m, struct stream *s)
{
    TRY(leaving(&ch->stopped, n, m));
    for (size_t i = 0; i < ch->stopped.n; i++)
        say(s, ch->stopped.at[i], "stopping");
    /* Before daemon-reload: systemd still knows how these want to be stopped. */
    TRY(n->units->stop(n, &ch->stopped));
    for (size_t i = 0; i < ch->stopped.n; i++)
        TRY(started_note(n, ch->stopped.at[i], NULL));
    return NULL;
}

/* Both lists in the order of `all`. */
static struct err *merge(struct strs *ret, const struct strs *all, const struct strs *a, const struct strs *b)
{
    for (size_t i = 0; i < all->n; i++)
        if (strs_has(a, all->at[i]) || strs_has(b, all->at[i]))
            TRY(strs_add(ret, all->at[i]));
    return NULL;
}

static struct err *start_differing(struct change *ch, struct node *n, int dir, const struct doc *m, struct stream *s)
{
    OWN_STRS struct strs all = {0}, go = {0};
    TRY(order_units(&all, m, dir, "current/units"));
    TRY(differing(&ch->restarted, &ch->started, n, m, &all));
    TRY(merge(&go, &all, &ch->restarted, &ch->started));
    for (size_t i = 0; i < go.n; i++) {
        TRY(started_note(n, go.at[i], UNSURE)); /* a cut between here and the next note means one restart more */
        say(s, go.at[i], strs_has(&ch->started, go.at[i]) ? "starting" : "restarting");
    }
    if (go.n)
        TRY(n->units->restart(n, &go));
    for (size_t i = 0; i < go.n; i++)
        TRY(started_note(n, go.at[i], doc_text(manifest_unit(m, go.at[i]), "inputs")));
    return wait_ready(ch, n, m, &go, s);
}

struct err *converge(struct change *ret, struct node *n, int dir, const struct doc *m, struct stream *s)
{
    bool changed = false;
    TRY(stop_leaving(ret, n, m, s));
    if (m)
        TRY(kernel_apply(n, m));
    TRY(links_derive(&changed, n, m));
    /* Always: a unit file behind a link may have changed although the link did not. */
    TRY(n->units->reload(n));
    return m ? start_differing(ret, n, dir, m, s) : NULL;
}
