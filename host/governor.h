/* Spreads requests so that no more than `per_minute` start in any minute, with up to
 * `burst` at once (the generic cell rate algorithm). To keep that promise in the minute
 * that holds a burst, the burst is paid for by a slightly longer interval. Pure
 * arithmetic: no clock, no memory, cannot fail. */
#ifndef HL_GOVERNOR_H
#define HL_GOVERNOR_H

#include <stdint.h>

struct hl_governor {
    int64_t interval_ms; /* one request per this long, on average; 0: no limit */
    int64_t slack_ms;    /* how far ahead a burst may run */
    int64_t next_ms;     /* when the bucket would be full again */
    int64_t held_ms;     /* nothing starts before this (Retry-After) */
};

/* per_minute: 0 or less for no limit. burst: clamped to 1 .. per_minute. */
void hl_governor_init(struct hl_governor *g, int per_minute, int burst);

/* Asks to start one request. now_ms: a monotonic clock, never going back. Returns 0 and
 * counts the request, or the ms to wait and counts nothing. */
int64_t hl_governor_take(struct hl_governor *g, int64_t now_ms);

/* Nothing starts for the next `ms`, and no burst right after (Retry-After). Holds also
 * without a limit. An earlier, longer hold stays. */
void hl_governor_hold(struct hl_governor *g, int64_t now_ms, int64_t ms);

#endif
