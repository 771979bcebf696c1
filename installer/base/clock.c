#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

int64_t clock_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall_s(void)
{
    return (int64_t)time(NULL);
}

int64_t clock_wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void clock_rfc3339(char ret[32], int64_t wall_s)
{
    time_t t = (time_t)wall_s;
    struct tm tm;
    (void)gmtime_r(&t, &tm);
    (void)strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool clock_parse(const char *s, int64_t *ret)
{
    struct tm tm = {0};
    char again[32];
    const char *end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (!end || *end)
        return false;
    *ret = (int64_t)timegm(&tm);
    clock_rfc3339(again, *ret);
    return strcmp(again, s) == 0; /* neither 31 June nor " 1" for "01" */
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}
