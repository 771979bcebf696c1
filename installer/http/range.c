#include "http/range.h"

#include "base/clock.h"
#include "http/attempt.h"

#include <string.h>
#include <sys/random.h>

enum { PROGRESS = 1 << 20, WAIT_MAX_MS = 30000, WAIT_ASKED_MAX_S = 120 };

/* From half to all of the time that doubles with each try: many that were cut off at once do not come back at once. */
static int64_t pause_ms(const struct http_way *way, int tries)
{
    unsigned random = 0;
    int64_t most = way->wait_ms ? way->wait_ms : HTTP_WAIT_MS;
    for (int i = 1; i < tries && most < WAIT_MAX_MS; i++)
        most *= 2;
    most = most < WAIT_MAX_MS ? most : WAIT_MAX_MS;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = 0; /* only the jitter is lost */
    return most / 2 + (int64_t)(random % (unsigned)(most / 2 + 1));
}

/* Bytes that came already need no repetition, or there are none. */
static bool can_go_on(const struct attempt *a)
{
    return a->at == a->ask->from || (a->found->ranges && (*a->found->etag || a->ask->loose));
}

/* Waits for the next try. Takes `e`, and returns it when there is none. */
static struct err *wait_for_next(struct attempt *a, struct err *e, int tries)
{
    const struct http_way *way = a->way;
    if (!a->again || tries >= (way->tries ? way->tries : HTTP_TRIES))
        return e;
    if (!can_go_on(a)) {
        a->found->changed = true;
        return e;
    }
    if (a->wait_s > WAIT_ASKED_MAX_S)
        return err_hint(e, "the server asks to come back in %lld s", (long long)a->wait_s);
    int64_t ms = pause_ms(way, tries);
    err_free(e);
    return cancel_sleep(way->cancel, a->wait_s * 1000 > ms ? a->wait_s * 1000 : ms);
}

static struct err *run(struct attempt *a)
{
    for (int tries = 1;; tries++) {
        uint64_t before = a->at;
        struct err *e = attempt_run(a);
        if (!e)
            return NULL;
        if (a->at - before >= PROGRESS)
            tries = 1;
        TRY(wait_for_next(a, e, tries));
    }
}

struct err *http_range(struct http_found *ret, const struct http_range *ask, const struct http_way *way,
                       struct http *conn, const struct http_sink *sink)
{
    struct attempt a = {.ask = ask, .way = way, .conn = conn, .sink = sink, .found = ret, .at = ask->from};
    *ret = (struct http_found){.total = HTTP_UNKNOWN};
    if (ask->etag && strlen(ask->etag) < sizeof ret->etag)
        memcpy(ret->etag, ask->etag, strlen(ask->etag) + 1);
    TRY(cancel_check(way->cancel));
    return err_wrap(run(&a), "%s", ask->url);
}
