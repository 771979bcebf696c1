/*
 * event: what a run reports while it goes on. Emitted by ops/ and run/, shown by cli/ with one of three faces
 * (terminal, plain lines, JSON lines). Only cli/ prints.
 */
#pragma once
#include <stdint.h>

enum event_kind { EVENT_STEP, EVENT_PROGRESS, EVENT_DONE, EVENT_FAILED, EVENT_NOTE };

struct event {
    enum event_kind kind;
    const char *host;     /* NULL: the run or the cluster */
    const char *text;     /* "send etcd", "activate generation" */
    uint64_t done, total; /* EVENT_PROGRESS: bytes */
};

/* Where events go; `emit` is called from many threads, one at a time is the sink's own business. */
struct events {
    void (*emit)(void *self, const struct event *e);
    void *self;
};

/* Emits with formatted text; `to` may be NULL. */
void event_emit(const struct events *to, enum event_kind kind, const char *host, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Emits progress in bytes. */
void event_progress(const struct events *to, const char *host, const char *text, uint64_t done, uint64_t total);
