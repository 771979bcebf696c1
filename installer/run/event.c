#include "run/event.h"

#include <stdarg.h>
#include <stdio.h>

void event_emit(const struct events *to, enum event_kind kind, const char *host, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    if (!to || !to->emit)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    to->emit(to->self, &(struct event){.kind = kind, .host = host, .text = text});
}

void event_progress(const struct events *to, const char *host, const char *text, uint64_t done, uint64_t total)
{
    if (to && to->emit)
        to->emit(to->self, &(struct event){EVENT_PROGRESS, host, text, done, total});
}
