/*
 * The process that holds a pod's namespaces. It is process 1 of the pod's pid namespace when containers
 * share one, so it has to reap the children that others leave behind; and it has to end at once when asked,
 * or every pod deletion would wait for its grace period.
 */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return EXIT_FAILURE;

    /* Blocked signals stay pending, so none is lost between two turns, and process 1 needs no handler. */
    for (;;) {
        int number = 0;

        if (sigwait(&set, &number) != 0)
            return EXIT_FAILURE;
        if (number != SIGCHLD)
            return EXIT_SUCCESS;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
    }
}
