#include "ops/preflight.h"

#include "base/clock.h"
#include "base/file.h"
#include "ops/checks.h"
#include "ops/missing.h"
#include "ops/ops.h"

#include <fcntl.h>

/* ---- facts ---- */

/* How far the host's clock certainly is from ours: its answer was made between our two looks at the clock. */
static int64_t clock_offset(int64_t theirs, int64_t before, int64_t after)
{
    if (theirs < before)
        return theirs - before;
    return theirs > after ? theirs - after : 0;
}

/* The facts stay in m->done until the checks of all hosts were made (machine ids are compared). */
static struct err *ask(struct fleet *f, struct member *m)
{
    event_emit(f->x->events, EVENT_STEP, m->host->name, "preflight");
    int64_t before = clock_wall_ms();
    TRY(node_call(&m->done, m->node, "facts", checks_request(f), f->x->cancel));
    doc_set_int(m->done, "clockOffsetMs", clock_offset(doc_int(m->done, "clockMs", 0), before, clock_wall_ms()));
    event_emit(f->x->events, EVENT_DONE, m->host->name, "looked at");
    return NULL;
}

/* A host that stops answering is as good as one that was never reached: the others are still reported. */
static struct err *ask_noting(struct fleet *f, struct member *m)
{
    if (m->node && !m->error)
        m->error = ask(f, m);
    return NULL;
}

static struct err *ask_all(struct fleet *f)
{
    TRY(fleet_each(f, ask_noting));
    return cancel_check(f->x->cancel);
}

/* ---- simulated facts, for what a lab cannot have ---- */

static const char override_name[] = "CAISSON_FACTS_OVERRIDE";

static struct err *override_read(struct doc **ret, const struct context *x)
{
    const char *path = getenv(override_name);
    OWN_BUF struct buf text = {.max = 1 << 20};
    OWN_DOC struct doc *d = NULL;
    if (!path || !*path)
        return NULL;
    struct err *e = file_read(&text, AT_FDCWD, path);
    if (!e)
        e = doc_json(&d, path, buf_text(&text), text.len);
    if (e)
        return err_hint(err_wrap(err_as(e, ERR_USAGE), "%s", override_name), "unset %s for the real facts",
                        override_name);
    DOC_EACH (v, d)
        if (!cluster_host(x->cluster, v->key) || v->kind != DOC_MAP)
            return err_hint(
                err_new(ERR_USAGE, "%s: %s: \"%s\" is no host with a map of facts", override_name, path, v->key),
                "unset %s for the real facts", override_name);
    event_emit(x->events, EVENT_NOTE, NULL, "simulated facts from %s", path);
    *ret = TAKE(d);
    return NULL;
}

static void override_merge(struct fleet *f, const struct doc *all)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct doc *over = doc_get(all, f->at[i].host->name);
        if (!over || !f->at[i].done)
            continue;
        doc_merge(f->at[i].done, over);
        doc_set_bool(f->at[i].done, "simulatedFacts", true);
    }
}

/* ---- results ---- */

static struct err *check_member(struct doc *hosts, const struct fleet *f, const struct member *m)
{
    struct doc *host = doc_add(hosts, doc_new_map());
    doc_set_text(host, "host", m->host->name);
    if (doc_bool(m->done, "simulatedFacts", false))
        doc_set_bool(host, "simulated", true);
    return checks_of(doc_set(host, "checks", doc_new_list()), f, m);
}

static void forget_facts(struct fleet *f)
{
    for (size_t i = 0; i < f->n; i++) {
        doc_free(f->at[i].done);
        f->at[i].done = NULL;
    }
}

static int64_t count(const struct doc *result, const char *what)
{
    int64_t n = 0;
    DOC_EACH (h, doc_get(result, "hosts"))
        DOC_EACH (c, doc_get(h, "checks"))
            n += str_eq(doc_text(c, "result"), what);
    return n;
}

/* {hosts, failed, warned} of all hosts, or of those without a generation. */
static struct err *check_all(struct doc **ret, struct fleet *f, bool only_fresh)
{
    OWN_DOC struct doc *d = doc_new_map();
    struct doc *hosts = doc_set(d, "hosts", doc_new_list());
    for (size_t i = 0; i < f->n; i++)
        if (!only_fresh || doc_bool(f->at[i].diff, "fresh", false))
            TRY(check_member(hosts, f, &f->at[i]));
    doc_set_int(d, "failed", count(d, "fail"));
    doc_set_int(d, "warned", count(d, "warn"));
    *ret = TAKE(d);
    return NULL;
}

static struct err *failures_text(struct buf *text, const struct doc *result)
{
    DOC_EACH (h, doc_get(result, "hosts"))
        DOC_EACH (c, doc_get(h, "checks"))
            if (str_eq(doc_text(c, "result"), "fail"))
                TRY(buf_fmt(text, "\n%s: %s is %s, must be %s: %s", doc_text(h, "host"), doc_text(c, "id"),
                            doc_text(c, "value"), doc_text(c, "want"), doc_text(c, "fix")));
    return NULL;
}

struct err *preflight_fresh(struct fleet *f)
{
    OWN_DOC struct doc *d = NULL;
    OWN_BUF struct buf text = {0};
    TRY(ask_all(f));
    TRY(fleet_require_all(f));
    struct err *e = check_all(&d, f, true);
    forget_facts(f);
    TRY(e);
    int64_t failed = doc_int(d, "failed", 0);
    if (!failed)
        return NULL;
    TRY(failures_text(&text, d));
    return err_hint(err_new(ERR_REFUSED, "preflight: %lld check%s failed%s", (long long)failed, failed == 1 ? "" : "s",
                            buf_text(&text)),
                    "nothing was changed; correct these, then run it again");
}

/* A host key that is not the known one outweighs a host that cannot be reached, and that a failed check. */
static enum err_kind worst_kind(const struct fleet *f)
{
    enum err_kind worst = ERR_REFUSED;
    for (size_t i = 0; i < f->n; i++) {
        enum err_kind kind = f->at[i].error ? err_kind(f->at[i].error) : ERR_REFUSED;
        if (kind == ERR_UNTRUSTED)
            return ERR_UNTRUSTED;
        worst = kind == ERR_REFUSED ? worst : ERR_UNREACHABLE;
    }
    return worst;
}

static struct err *verdict_of(const struct doc *result, const struct fleet *f)
{
    int64_t failed = doc_int(result, "failed", 0);
    if (!failed)
        return NULL;
    return err_hint(err_new(worst_kind(f), "%lld check%s failed", (long long)failed, failed == 1 ? "" : "s"),
                    "nothing was changed; correct these, then run `caisson preflight` again");
}

struct err *ops_preflight(struct doc **ret, const struct run *r)
{
    OWN_CONTEXT struct context x = {.events = r->events, .cancel = r->cancel};
    OWN_FLEET struct fleet f = {0};
    OWN_DOC struct doc *override = NULL;
    *ret = NULL;
    TRY(context_full(&x, r->file));
    TRY(override_read(&override, &x));
    TRY(fleet_connect(&f, &x));
    TRY(missing_find(&f));
    TRY(ask_all(&f));
    override_merge(&f, override);
    TRY(check_all(ret, &f, false));
    return verdict_of(*ret, &f);
}
