#include "cli/face_private.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "doc/doc.h"

#include <string.h>

/* How often progress of one host is written while it goes on. */
enum { PLAIN_EVERY_MS = 5000, JSON_EVERY_MS = 500 };

static const char *const kind_names[] = {
    [EVENT_STEP] = "step",     [EVENT_PROGRESS] = "progress", [EVENT_DONE] = "done",
    [EVENT_FAILED] = "failed", [EVENT_NOTE] = "note",
};

/*
 * Progress comes with every block sent: most of it is left out. The last one is written when others were, so that a
 * reader sees where it ended.
 */
static bool is_due(struct face *f, struct line *l, const struct event *e)
{
    if (e->kind != EVENT_PROGRESS)
        return true;
    bool json = f->opts.kind == FACE_JSON;
    int64_t now = clock_ms(), last = l->said_ms ? l->said_ms : l->meter.base_ms;
    bool end = e->total && e->done >= e->total && (l->said_ms || json);
    if (!end && now - last < (json ? JSON_EVERY_MS : PLAIN_EVERY_MS))
        return false;
    l->said_ms = now;
    return true;
}

static struct err *plain_line(struct buf *out, const struct face *f, const struct line *l, const struct event *e)
{
    char amount[160];
    TRY(buf_fmt(out, "%7.1f  %s%s", (double)(clock_ms() - f->start_ms) / 1000, l->name, *l->name ? ": " : ""));
    TRY(buf_str(out, e->kind == EVENT_FAILED ? "failed: " : ""));
    TRY(buf_str(out, e->text));
    if (e->kind == EVENT_PROGRESS) {
        amount_text(amount, sizeof amount, e->done, e->total, meter_rate(&l->meter));
        TRY(buf_fmt(out, ": %s", amount));
    }
    text_clean(out->at, out->len, 0);
    return buf_str(out, "\n");
}

static struct err *json_line(struct buf *out, const struct face *f, const struct line *l, const struct event *e)
{
    OWN_DOC struct doc *d = doc_new_map();
    OWN_FREE char *text = strdup(e->text);
    if (text)
        text_clean(text, strlen(text), 1);
    doc_set_text(d, "event", kind_names[e->kind]);
    if (*l->name)
        doc_set_text(d, "host", l->name);
    doc_set_int(d, "ms", clock_ms() - f->start_ms);
    doc_set_text(d, "text", text ? text : "");
    if (e->kind == EVENT_PROGRESS) {
        doc_set_int(d, "done", (int64_t)e->done);
        doc_set_int(d, "total", (int64_t)e->total);
    }
    TRY(doc_json_write(out, d));
    return buf_str(out, "\n");
}

void lines_event(struct face *f, struct line *l, const struct event *e)
{
    OWN_BUF struct buf out = {0};
    if (!is_due(f, l, e))
        return;
    struct err *why = f->opts.kind == FACE_JSON ? json_line(&out, f, l, e) : plain_line(&out, f, l, e);
    if (!why)
        face_write(f, out.at, out.len);
    err_ignore(why); /* no memory for a line of progress: the run goes on without it */
}
