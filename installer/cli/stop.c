#include "cli/stop.h"

#include <pthread.h>
#include <signal.h>

enum { EXIT_CANCELLED = 130 };

static void signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

void stop_block(void)
{
    sigset_t set;
    signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* A thread that waits, not a handler: it may take locks, so the live lines can make way for the message. */
static void *watch(void *arg)
{
    struct cli *x = arg;
    sigset_t set;
    int sig;
    signals(&set);
    (void)sigwait(&set, &sig);
    event_emit(face_events(x->face), EVENT_NOTE, NULL, "stopping after the running step; Ctrl-C again stops at once");
    cancel_set(&x->cancel); /* after the message: the run may be over at once */
    (void)sigwait(&set, &sig);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* should the terminal be stuck, a third one still kills */
    face_finish(x->face);
    _exit(EXIT_CANCELLED);
}

struct err *stop_watch(struct cli *x)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, watch, x);
    if (rc)
        return err_os(rc, "start a thread");
    pthread_detach(thread);
    return NULL;
}
