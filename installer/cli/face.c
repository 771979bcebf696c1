#include "cli/face_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <search.h>
#include <string.h>

void face_write(const struct face *f, const char *p, size_t n)
{
    err_ignore(fd_write_all(f->opts.fd, p, n)); /* a closed or full terminal is no reason to stop an install */
}

static int line_compare(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

static struct line *line_new(struct face *f, const char *name)
{
    struct line **lines = reallocarray(f->lines, f->n_lines + 1, sizeof *lines);
    struct line *l = lines ? calloc(1, sizeof *l) : NULL;
    if (lines)
        f->lines = lines;
    if (l)
        l->name = strdup(name);
    if (!l || !l->name || !tsearch(l, &f->by_name, line_compare)) {
        if (l)
            free(l->name);
        free(l);
        return NULL;
    }
    f->lines[f->n_lines++] = l;
    return l;
}

static struct line *line_of(struct face *f, const char *host)
{
    struct line key = {.name = (char *)(host ? host : "")}; /* only compared */
    struct line **found = tfind(&key, &f->by_name, line_compare);
    return found ? *found : line_new(f, key.name);
}

static void line_say(struct line *l, const char *text)
{
    (void)snprintf(l->text, sizeof l->text, "%s", text);
    text_clean(l->text, strlen(l->text), 0);
}

static void line_progress(struct line *l, const struct event *e, int64_t now)
{
    if (!l->moving || strcmp(l->text, e->text) != 0) {
        l->meter = (struct meter){0};
        l->said_ms = 0;
        if (l->state != LINE_WORKING)
            l->since_ms = now;
        line_say(l, e->text);
    }
    l->state = LINE_WORKING;
    l->moving = true;
    l->done = e->done;
    l->total = e->total;
    meter_add(&l->meter, e->done, now);
}

static void line_note(struct line *l, const struct event *e)
{
    int64_t now = clock_ms();
    switch (e->kind) {
    case EVENT_PROGRESS:
        line_progress(l, e, now);
        return;
    case EVENT_STEP:
        l->state = LINE_WORKING;
        break;
    case EVENT_DONE:
        l->state = LINE_DONE;
        break;
    case EVENT_FAILED:
        l->state = LINE_FAILED;
        break;
    case EVENT_NOTE:
        return;
    }
    l->moving = false;
    l->said_ms = 0;
    l->since_ms = now;
    line_say(l, e->text);
}

static void emit(void *self, const struct event *e)
{
    struct face *f = self;
    pthread_mutex_lock(&f->lock);
    struct line *l = f->finished ? NULL : line_of(f, e->host);
    if (l) {
        line_note(l, e);
        if (f->opts.kind != FACE_TERMINAL)
            lines_event(f, l, e);
        else if (e->kind == EVENT_NOTE)
            terminal_note(f, e);
    }
    pthread_mutex_unlock(&f->lock);
}

enum face_kind face_choose(bool json, int fd)
{
    const char *term = getenv("TERM");
    if (json)
        return FACE_JSON;
    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0 ? FACE_TERMINAL : FACE_PLAIN;
}

struct err *face_open(struct face **ret, const struct face_opts *o)
{
    OWN_FREE struct face *f = calloc(1, sizeof *f);
    if (!f)
        return err_os(ENOMEM, "progress");
    f->opts = *o;
    f->events = (struct events){emit, f};
    f->start_ms = clock_ms();
    pthread_mutex_init(&f->lock, NULL);
    if (o->kind == FACE_TERMINAL)
        TRY(terminal_start(f));
    *ret = TAKE(f);
    return NULL;
}

const struct events *face_events(const struct face *f)
{
    return &f->events;
}

void face_pause(struct face *f)
{
    pthread_mutex_lock(&f->lock);
    if (f->opts.kind == FACE_TERMINAL)
        terminal_wipe(f);
    f->paused = true;
    pthread_mutex_unlock(&f->lock);
}

void face_resume(struct face *f)
{
    pthread_mutex_lock(&f->lock);
    f->paused = false;
    pthread_mutex_unlock(&f->lock);
}

void face_finish(struct face *f)
{
    pthread_mutex_lock(&f->lock);
    bool first = !f->finished;
    f->finished = true;
    pthread_mutex_unlock(&f->lock);
    if (!first || f->opts.kind != FACE_TERMINAL)
        return;
    terminal_stop(f);
    pthread_mutex_lock(&f->lock);
    terminal_last(f);
    pthread_mutex_unlock(&f->lock);
}

static void keep_node(void *node)
{
    (void)node; /* the lines are freed from the array */
}

void face_free(struct face *f)
{
    if (!f)
        return;
    face_finish(f);
    tdestroy(f->by_name, keep_node);
    for (size_t i = 0; i < f->n_lines; i++) {
        free(f->lines[i]->name);
        free(f->lines[i]);
    }
    free(f->lines);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
