#include "cli/amount.h"

#include "base/str.h"

#include <stdio.h>

enum { METER_STEP_MS = 1500, METER_LEAST_MS = 200 };

void meter_add(struct meter *m, uint64_t done, int64_t now_ms)
{
    if (m->base_ms == 0 || done < m->done)
        *m = (struct meter){.base_ms = now_ms, .next_ms = now_ms, .base_done = done, .next_done = done};
    m->done = done;
    m->now_ms = now_ms;
    if (now_ms - m->next_ms < METER_STEP_MS)
        return;
    m->base_ms = m->next_ms;
    m->base_done = m->next_done;
    m->next_ms = now_ms;
    m->next_done = done;
}

double meter_rate(const struct meter *m)
{
    int64_t ms = m->now_ms - m->base_ms;
    return ms < METER_LEAST_MS ? 0 : (double)(m->done - m->base_done) * 1000 / (double)ms;
}

static void rate_text(char *ret, size_t n, double rate)
{
    static const char *const units[] = {"B/s", "kB/s", "MB/s", "GB/s"};
    size_t u = 0;
    for (; rate >= 1000 && u + 1 < ARRAY_LEN(units); u++)
        rate /= 1000;
    (void)snprintf(ret, n, rate >= 10 || u == 0 ? "%.0f %s" : "%.1f %s", rate, units[u]);
}

void amount_seconds(char ret[32], int64_t s)
{
    if (s < 60)
        (void)snprintf(ret, 32, "%lld s", (long long)s);
    else if (s < 3600)
        (void)snprintf(ret, 32, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
    else
        (void)snprintf(ret, 32, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
}

void amount_text(char *ret, size_t n, uint64_t done, uint64_t total, double rate)
{
    char have[24], all[32] = "", speed[32] = "", left[48] = "", seconds[32];
    str_size(have, done);
    if (total) {
        str_size(all, total);
    }
    if (rate >= 1 && done != total) {
        rate_text(speed, sizeof speed, rate);
        if (total > done) {
            double rest = (double)(total - done) / rate; /* rounded up: "0 s left" says nothing */
            amount_seconds(seconds, rest < 1e9 ? (int64_t)rest + 1 : (int64_t)1e9);
            (void)snprintf(left, sizeof left, ", %s left", seconds);
        }
    }
    (void)snprintf(ret, n, "%s%s%s%s%s%s", have, *all ? " of " : "", all, *speed ? ", " : "", speed, left);
}
