/*
 * face: shows the events of a run on one descriptor, with one of three faces: live lines on a terminal, plain lines in
 * a pipe or a log, JSON lines for programs. Events may come from any thread.
 */
#pragma once
#include "base/err.h"
#include "base/own.h"
#include "run/event.h"

#include <stdbool.h>

enum face_kind { FACE_TERMINAL, FACE_PLAIN, FACE_JSON };

struct face_opts {
    enum face_kind kind;
    int fd;     /* borrowed */
    bool color; /* FACE_TERMINAL only */
    bool keep;  /* FACE_TERMINAL: at the end each host's last line stays; else all are wiped away */
};

struct face;

struct err *face_open(struct face **ret, const struct face_opts *o) ERR_MUST;
const struct events *face_events(const struct face *f);
/* Wipes the live lines away and draws none until face_resume(): a question is asked meanwhile. Events are still noted.
 */
void face_pause(struct face *f);
void face_resume(struct face *f);
/* Last frame, end of the ticker. Events that come later are dropped. */
void face_finish(struct face *f);
/* Only after the last event; calls face_finish() when that was not done. */
void face_free(struct face *f);
OWN_DEFINE(face, face)
#define OWN_FACE OWN(face_freep)

/* The face for standard error: JSON lines when asked for, live lines on a terminal that can move its cursor, else
 * plain. */
enum face_kind face_choose(bool json, int fd);
