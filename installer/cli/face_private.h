/* face_private: what the three faces share. Everything is used with `lock` held. */
#pragma once
#include "cli/amount.h"
#include "cli/face.h"

#include <pthread.h>

enum line_state { LINE_WORKING, LINE_DONE, LINE_FAILED };

/* One host, or (name "") the run itself. */
struct line {
    char *name;
    enum line_state state;
    char text[256];
    bool moving; /* bytes are on their way: the three below hold */
    uint64_t done, total;
    struct meter meter;
    int64_t since_ms; /* start of the step */
    int64_t said_ms;  /* plain and JSON: when progress was last written; 0: not in this step */
};

struct face {
    struct face_opts opts;
    struct events events;
    pthread_mutex_t lock;
    int64_t start_ms;
    struct line **lines; /* in the order of their first event */
    size_t n_lines;
    void *by_name; /* tsearch tree of the same: a thousand hosts emit thousands of events */
    bool finished;
    /* FACE_TERMINAL */
    bool paused, ticking;
    unsigned drawn; /* lines on the screen that belong to us, above the cursor */
    pthread_t ticker;
    pthread_cond_t wake;
};

/* Writes one whole piece; what cannot be shown is lost, the run goes on. */
void face_write(const struct face *f, const char *p, size_t n);

/* lines: an event as a plain line or a JSON line. */
void lines_event(struct face *f, struct line *l, const struct event *e);

/* terminal */
struct err *terminal_start(struct face *f) ERR_MUST;
/* Notes go above the live lines at once; the rest is drawn by the ticker, ten times a second at most. */
void terminal_note(struct face *f, const struct event *e);
void terminal_wipe(struct face *f);
/* Joins the ticker; called without `lock`. */
void terminal_stop(struct face *f);
/* The last frame. */
void terminal_last(struct face *f);
