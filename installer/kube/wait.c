/* Waiting for the API server and for objects, and saying what was missing when it did not come. */
#include "base/clock.h"
#include "base/str.h"
#include "kube/kstatus.h"
#include "kube/client.h"

#include <errno.h>
#include <string.h>

#define POLL_MS 300 /* a look is one small GET; an operator waits for the last one */
#define EVENTS_SHOWN 3

/* Sleeps before the next look; false when the deadline comes first. */
static bool pause_before(int64_t deadline_ms, const struct cancel *c, struct err **ret_e)
{
    int64_t left = deadline_ms < 0 ? POLL_MS : deadline_ms - clock_ms();
    if (left <= 0)
        return false;
    *ret_e = cancel_sleep(c, left < POLL_MS ? left : POLL_MS);
    return true;
}

/* ---- ready ---- */

struct err *kube_ready(struct kube *k, const char *path, int64_t deadline_ms)
{
    for (;;) {
        OWN_BUF struct buf text = {0};
        long status = 0;
        struct err *e = kube_probe(k, path, &status, &text);
        if (!e && status == 200)
            return NULL;
        if (e && err_kind(e) != ERR_UNREACHABLE)
            return e;
        struct err *stopped = NULL;
        if (pause_before(deadline_ms, kube_cancel(k), &stopped)) {
            err_ignore(e); /* not up yet: looked at again */
            TRY(stopped);
            continue;
        }
        if (e)
            return err_wrap(e, "the API server is not ready");
        return err_new(ERR_FAILED, "the API server is not ready: %s: HTTP %ld: %.500s", path, status, buf_text(&text));
    }
}

/* ---- events ---- */

static const char *event_time(const struct doc *event)
{
    const char *const paths[] = {"lastTimestamp", "eventTime", "metadata.creationTimestamp"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (doc_text(event, paths[i]))
            return doc_text(event, paths[i]);
    return "";
}

/* Events of the object and of what it made: ReplicaSets and pods carry its name in front. */
static bool event_fits(const struct doc *event, const char *name)
{
    const char *of = doc_text(event, "involvedObject.name");
    size_t n = strlen(name);
    return str_eq(doc_text(event, "type"), "Warning") && of && strncmp(of, name, n) == 0 && (!of[n] || of[n] == '-');
}

/* The newest fitting event older than `before` (NULL: any). Times are RFC 3339 in UTC, which sort as text. */
static const struct doc *newest_before(const struct doc *items, const char *name, const struct doc *before)
{
    const struct doc *best = NULL;
    DOC_EACH (e, items)
        if (event_fits(e, name) && (!before || strcmp(event_time(e), event_time(before)) < 0) &&
            (!best || strcmp(event_time(e), event_time(best)) > 0))
            best = e;
    return best;
}

/* Appends the last warnings about `object` to `text`; what cannot be asked for is left out. */
static struct err *add_events(struct kube *k, const struct doc *object, struct buf *text)
{
    OWN_DOC struct doc *answer = NULL;
    const char *ns = doc_text(object, "metadata.namespace"), *name = doc_text(object, "metadata.name");
    OWN_FREE char *path =
        str_fmt("/api/v1/namespaces/%s/events?limit=500&fieldSelector=type%%3DWarning", ns ? ns : "default");
    if (!path)
        return err_os(ENOMEM, "events");
    err_ignore(kube_get(k, &answer, path)); /* the reason is known without them; they only add to it */
    const struct doc *items = doc_get(answer, "items"), *event = newest_before(items, name, NULL);
    for (int i = 0; event && i < EVENTS_SHOWN; i++, event = newest_before(items, name, event)) {
        const char *reason = doc_text(event, "reason"), *message = doc_text(event, "message");
        TRY(buf_fmt(text, "; event %s of %s: %.200s", reason ? reason : "", doc_text(event, "involvedObject.name"),
                    message ? message : ""));
    }
    return NULL;
}

/* ---- objects ---- */

static struct err *not_current(struct kube *k, const struct doc *object, enum kstatus state, const char *why)
{
    OWN_FREE char *label = kube_label(object);
    OWN_BUF struct buf text = {0};
    TRY(buf_fmt(&text, "%s is not ready: %s: %s", label ? label : "", kstatus_name(state), why));
    TRY(add_events(k, object, &text));
    return err_new(ERR_FAILED, "%s", buf_text(&text));
}

static struct err *look(struct kube *k, const struct doc *object, enum kstatus *ret, char why[256])
{
    OWN_DOC struct doc *live = NULL;
    TRY(kube_get_object(k, &live, object));
    if (live) {
        *ret = kstatus(live, why);
        return NULL;
    }
    *ret = KSTATUS_IN_PROGRESS;
    (void)snprintf(why, 256, "does not exist");
    return NULL;
}

struct err *kube_wait(struct kube *k, const struct doc *object, int64_t deadline_ms)
{
    for (;;) {
        enum kstatus state = KSTATUS_IN_PROGRESS;
        char why[256] = "";
        struct err *stopped = NULL;
        TRY(look(k, object, &state, why));
        if (state == KSTATUS_CURRENT)
            return NULL;
        if (state == KSTATUS_FAILED || !pause_before(deadline_ms, kube_cancel(k), &stopped))
            return not_current(k, object, state, why);
        TRY(stopped);
    }
}

struct err *kube_wait_gone(struct kube *k, const struct doc *object, int64_t deadline_ms)
{
    for (;;) {
        OWN_DOC struct doc *live = NULL;
        struct err *stopped = NULL;
        TRY(kube_get_object(k, &live, object));
        if (!live)
            return NULL;
        if (!pause_before(deadline_ms, kube_cancel(k), &stopped)) {
            OWN_FREE char *label = kube_label(object);
            const struct doc *blocker = doc_path(live, "metadata.finalizers");
            blocker = blocker ? blocker->child : NULL;
            return err_new(ERR_FAILED, "%s is still there%s%s", label ? label : "", blocker ? "; it waits for " : "",
                           blocker ? blocker->text : "");
        }
        TRY(stopped);
    }
}
