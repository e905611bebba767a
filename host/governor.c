#include "governor.h"

#include <string.h>

enum { MINUTE_S = 60 };

static uint32_t *bucket(struct hl_rate *r, int64_t second)
{
    return &r->started[second % HL_WINDOW_S];
}

/* Moves the window to now: the seconds that have left it are forgotten. */
static void advance(struct hl_rate *r, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000;
    if (now_s < r->now_s || now_s - r->now_s >= HL_WINDOW_S) {
        memset(r->started, 0, sizeof r->started);
    } else {
        for (int64_t s = r->now_s + 1; s <= now_s; s++)
            *bucket(r, s) = 0;
    }
    r->now_s = now_s;
    if (r->held_ms - now_ms > HL_HOLD_MAX_MS)
        r->held_ms = 0; /* the clock was set back */
}

/* Requests that started in the last `seconds`, the current one included. */
static int64_t started(struct hl_rate *r, int seconds)
{
    int64_t sum = 0;
    for (int64_t s = r->now_s; s > r->now_s - seconds && s >= 0; s--)
        sum += *bucket(r, s);
    return sum;
}

/* ms until the oldest count leaves the window. */
static int64_t until_room(struct hl_rate *r, int64_t now_ms)
{
    int64_t s = r->now_s - HL_WINDOW_S + 1;
    while (s < 0 || *bucket(r, s) == 0)
        s++;
    return (s + HL_WINDOW_S) * 1000 - now_ms;
}

int hl_governor_limit(const struct hl_rate *r, int per_minute, int64_t now_ms)
{
    int64_t age = now_ms - r->learned_ms;
    bool learned = r->learned > 0 && age >= 0 && age < HL_LEARNED_MS;
    return learned && r->learned < per_minute ? r->learned : per_minute;
}

int64_t hl_governor_take(struct hl_rate *r, int per_minute, bool action, int64_t now_ms)
{
    advance(r, now_ms);
    if (r->held_ms > now_ms)
        return r->held_ms - now_ms;
    int limit = hl_governor_limit(r, per_minute, now_ms);
    int most = limit - limit / (action ? 25 : 8); /* 120 and 110 of 125 */
    if (limit > 0 && started(r, HL_WINDOW_S) >= most)
        return until_room(r, now_ms);
    ++*bucket(r, r->now_s);
    return 0;
}

void hl_governor_refused(struct hl_rate *r, int per_minute, int64_t hold_ms,
                         int64_t now_ms)
{
    advance(r, now_ms);
    if (hold_ms > HL_HOLD_MAX_MS)
        hold_ms = HL_HOLD_MAX_MS;
    if (now_ms + hold_ms > r->held_ms)
        r->held_ms = now_ms + hold_ms;
    /* the refused one does not count; which second it is taken from does not matter */
    for (int64_t s = r->now_s; s > r->now_s - MINUTE_S && s >= 0; s--) {
        if (*bucket(r, s) > 0) {
            --*bucket(r, s);
            break;
        }
    }
    int64_t let_through = started(r, MINUTE_S);
    int limit = hl_governor_limit(r, per_minute, now_ms);
    if (let_through < HL_LEAST_PER_MINUTE)
        let_through = HL_LEAST_PER_MINUTE;
    if (let_through < limit) {
        r->learned = (int32_t)let_through;
        r->learned_ms = now_ms;
    }
}
