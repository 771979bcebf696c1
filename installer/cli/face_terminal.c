#include "cli/face_private.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

enum { FRAME_MS = 100, NAME_MAX_COLUMNS = 24, MARK_COLUMNS = 7, WIDTH_DEFAULT = 80, HEIGHT_DEFAULT = 24 };

static const char *const colors[] = {[LINE_WORKING] = "", [LINE_DONE] = "\033[32m", [LINE_FAILED] = "\033[31m"};

static struct winsize screen(const struct face *f)
{
    struct winsize w = {0};
    if (ioctl(f->opts.fd, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
        w.ws_col = WIDTH_DEFAULT;
    if (w.ws_row == 0)
        w.ws_row = HEIGHT_DEFAULT;
    return w;
}

/* Cursor to the first of our lines; everything from there on goes. */
static struct err *wipe(struct buf *out, struct face *f)
{
    unsigned lines = f->drawn;
    f->drawn = 0;
    return lines ? buf_fmt(out, "\r\033[%uA\033[J", lines) : NULL;
}

static void mark_text(char *ret, size_t n, const struct line *l, bool last)
{
    char seconds[32];
    amount_seconds(seconds, (clock_ms() - l->since_ms) / 1000);
    if (l->state == LINE_WORKING && last)
        (void)snprintf(ret, n, "stopped");
    else
        (void)snprintf(ret, n, "%s", l->state == LINE_DONE ? "ok" : l->state == LINE_FAILED ? "failed" : seconds);
}

/* One line, clipped to the width: a wrapped one would put the cursor's way back out of step. */
static struct err *line_draw(struct buf *out, const struct face *f, const struct line *l, size_t name_columns,
                             size_t width, bool last)
{
    char mark[40], amount[160] = "";
    const char *name = *l->name ? l->name : "cluster", *color = f->opts.color ? colors[l->state] : "";
    mark_text(mark, sizeof mark, l, last);
    if (l->moving)
        amount_text(amount, sizeof amount, l->done, l->total, meter_rate(&l->meter));
    OWN_BUF struct buf text = {0};
    TRY(buf_fmt(&text, "%s%s%s", l->text, *amount ? "  " : "", amount));
    size_t used = name_columns + 2 + MARK_COLUMNS + 2;
    size_t clip = text_clip(buf_text(&text), width > used ? width - used : 0);
    size_t head = text_clip(name, name_columns);
    TRY(buf_fmt(out, "%.*s%*s  %s%*s%s  ", (int)head, name, (int)(name_columns > head ? name_columns - head : 0), "",
                color, MARK_COLUMNS, mark, *color ? "\033[0m" : ""));
    TRY(buf_add(out, buf_text(&text), clip));
    return buf_str(out, "\n");
}

static struct err *total_draw(struct buf *out, const struct face *f, size_t width)
{
    size_t count[3] = {0}, hosts = 0;
    uint64_t done = 0, total = 0;
    double rate = 0;
    bool moving = false;
    char amount[160], seconds[32];
    OWN_BUF struct buf text = {0};
    for (size_t i = 0; i < f->n_lines; i++) {
        const struct line *l = f->lines[i];
        count[l->state] += *l->name != '\0';
        hosts += *l->name != '\0';
        if (!l->moving)
            continue;
        moving = true;
        done += l->done;
        total += l->total;
        rate += l->done < l->total ? meter_rate(&l->meter) : 0;
    }
    amount_seconds(seconds, (clock_ms() - f->start_ms) / 1000);
    TRY(buf_fmt(&text, "total  %s", seconds));
    if (hosts)
        TRY(buf_fmt(&text, ", %zu host%s: %zu working, %zu done, %zu failed", hosts, hosts == 1 ? "" : "s",
                    count[LINE_WORKING], count[LINE_DONE], count[LINE_FAILED]));
    if (moving) {
        amount_text(amount, sizeof amount, done, total, rate);
        TRY(buf_fmt(&text, "; %s", amount));
    }
    TRY(buf_add(out, buf_text(&text), text_clip(buf_text(&text), width)));
    return buf_str(out, "\n");
}

/* With more hosts than lines the failed and the working ones are shown; the total line counts the rest. */
static bool is_shown(const struct face *f, const struct line *l, size_t room)
{
    return *l->text && (f->n_lines <= room || l->state != LINE_DONE);
}

static size_t name_width(const struct face *f)
{
    size_t most = strlen("total");
    for (size_t i = 0; i < f->n_lines; i++) {
        size_t n = strlen(*f->lines[i]->name ? f->lines[i]->name : "cluster");
        most = n > most ? n : most;
    }
    return most < NAME_MAX_COLUMNS ? most : NAME_MAX_COLUMNS;
}

static struct err *draw_state(struct buf *out, struct face *f, enum line_state state, size_t room, bool any, bool last)
{
    struct winsize w = screen(f);
    for (size_t i = 0; i < f->n_lines && f->drawn < room; i++) {
        if (!is_shown(f, f->lines[i], room) || (!any && f->lines[i]->state != state))
            continue;
        TRY(line_draw(out, f, f->lines[i], name_width(f), w.ws_col, last));
        f->drawn++;
    }
    return NULL;
}

static struct err *draw(struct buf *out, struct face *f, bool last)
{
    struct winsize w = screen(f);
    size_t room = w.ws_row > 3 ? w.ws_row - 2u : 1;
    TRY(buf_str(out, "\033[?7l")); /* no wrapping: a wide character is cut off instead */
    TRY(wipe(out, f));
    if (f->n_lines <= room) {
        TRY(draw_state(out, f, LINE_WORKING, room, true, last));
    } else {
        TRY(draw_state(out, f, LINE_FAILED, room, false, last));
        TRY(draw_state(out, f, LINE_WORKING, room, false, last));
    }
    if (!last) {
        TRY(total_draw(out, f, w.ws_col));
        f->drawn++;
    }
    return buf_str(out, "\033[?7h");
}

static void show(struct face *f, struct err *why, const struct buf *out)
{
    if (!why)
        face_write(f, buf_text(out), out->len);
    err_ignore(why); /* no memory for a frame: the next one may have it */
}

static void frame(struct face *f)
{
    OWN_BUF struct buf out = {0};
    if (!f->paused && f->n_lines)
        show(f, draw(&out, f, false), &out);
}

void terminal_wipe(struct face *f)
{
    OWN_BUF struct buf out = {0};
    show(f, wipe(&out, f), &out);
}

void terminal_note(struct face *f, const struct event *e)
{
    OWN_BUF struct buf out = {0};
    struct err *why = wipe(&out, f);
    size_t from = out.len;
    if (!why)
        why = buf_fmt(&out, "%s%s%s", e->host ? e->host : "", e->host ? ": " : "", e->text);
    if (!why) {
        text_clean(out.at + from, out.len - from, 1);
        why = buf_str(&out, "\n");
    }
    show(f, why, &out);
    frame(f);
}

void terminal_last(struct face *f)
{
    OWN_BUF struct buf out = {0};
    show(f, f->opts.keep ? draw(&out, f, true) : wipe(&out, f), &out);
    f->drawn = 0;
}

static void *tick(void *arg)
{
    struct face *f = arg;
    pthread_mutex_lock(&f->lock);
    while (f->ticking) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += FRAME_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&f->wake, &f->lock, &until); /* woken early only to end */
        if (f->ticking)
            frame(f);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

struct err *terminal_start(struct face *f)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&f->wake, &attr);
    pthread_condattr_destroy(&attr);
    f->ticking = true;
    int rc = pthread_create(&f->ticker, NULL, tick, f);
    return rc ? err_os(rc, "start a thread") : NULL;
}

void terminal_stop(struct face *f)
{
    pthread_mutex_lock(&f->lock);
    f->ticking = false;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->ticker, NULL);
    pthread_cond_destroy(&f->wake);
}
