/* amount: bytes, speeds and times as people read them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Speed over the last seconds, not since the start: a stalled transfer must show. */
struct meter {
    int64_t base_ms, next_ms; /* 0: nothing measured yet */
    uint64_t base_done, next_done, done;
    int64_t now_ms;
};

/* Notes that `done` bytes were through at `now_ms`. A smaller `done` than before starts anew. */
void meter_add(struct meter *m, uint64_t done, int64_t now_ms);
/* Bytes a second; 0 when too little was measured. */
double meter_rate(const struct meter *m);

/* "312.4 MB of 480.0 MB, 210 MB/s, 1 s left"; parts that are not known (total 0, rate 0) are left out. */
void amount_text(char *ret, size_t n, uint64_t done, uint64_t total, double rate);
/* "41 s", "3 min 5 s", "2 h 5 min". */
void amount_seconds(char ret[32], int64_t seconds);
