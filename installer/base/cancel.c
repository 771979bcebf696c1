#include "base/cancel.h"

#include "base/clock.h"
#include "base/own.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>

struct err *cancel_init(struct cancel *c)
{
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return c->fd < 0 ? err_os(errno, "create eventfd") : NULL;
}

void cancel_set(const struct cancel *c)
{
    uint64_t one = 1;
    ssize_t n = write(c->fd, &one, sizeof one); /* fails only when already set 2^64-1 times */
    (void)n;
}

bool cancel_is_set(const struct cancel *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

struct err *cancel_check(const struct cancel *c)
{
    return c && cancel_is_set(c) ? err_new(ERR_CANCELLED, "cancelled") : NULL;
}

void cancel_done(struct cancel *c)
{
    own_close(&c->fd);
    c->fd = -1;
}

struct err *wait_fd(int fd, short events, int64_t deadline_ms, const struct cancel *c)
{
    struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = c ? c->fd : -1, .events = POLLIN}};
    for (;;) {
        int64_t left = deadline_ms < 0 ? -1 : deadline_ms - clock_ms();
        if (deadline_ms >= 0 && left < 0)
            left = 0;
        int n = poll(p, 2, left > INT32_MAX ? INT32_MAX : (int)left);
        if (n < 0 && errno != EINTR)
            return err_os(errno, "poll");
        if (n > 0 && p[1].revents)
            return err_new(ERR_CANCELLED, "cancelled");
        if (n > 0)
            return NULL;
        if (n == 0 && left >= 0)
            return err_new(ERR_UNREACHABLE, "timed out");
    }
}

struct err *cancel_sleep(const struct cancel *c, int64_t ms)
{
    struct err *e = wait_fd(-1, 0, clock_ms() + ms, c);
    if (e && err_kind(e) == ERR_UNREACHABLE) { /* the deadline is what we wanted */
        err_free(e);
        return NULL;
    }
    return e;
}
