/* kill: a run in a process of its own that is killed somewhere. */
#pragma once
#include "check.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static inline int64_t kill_clock_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Runs and kills after `us` microseconds, or lets it end (negative). Returns how long it ran, in microseconds. */
static inline int64_t kill_run(void (*run)(void *), void *arg, int64_t us)
{
    int64_t start = kill_clock_us();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        run(arg);
        _exit(0);
    }
    if (us >= 0) {
        struct timespec t = {us / 1000000, us % 1000000 * 1000};
        (void)nanosleep(&t, NULL);
        (void)kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return kill_clock_us() - start;
}

/*
 * `rounds` runs that are killed at points all over a whole one's time; `check` after each: what has its final name must
 * be whole.
 */
static inline void kill_everywhere(void (*run)(void *), void (*check)(void *), void *arg, int rounds)
{
    int64_t whole = kill_run(run, arg, -1);
    unsigned seed = 7;
    check(arg);
    for (int i = 0; i < rounds; i++) {
        (void)kill_run(run, arg, rand_r(&seed) % (whole + whole / 8 + 1));
        check(arg);
    }
}
