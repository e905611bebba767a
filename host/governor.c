#include "governor.h"

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void hl_governor_init(struct hl_governor *g, int per_minute, int burst)
{
    *g = (struct hl_governor){ 0 };
    if (per_minute <= 0)
        return;
    if (burst < 1)
        burst = 1;
    if (burst > per_minute)
        burst = per_minute;
    /* A minute that begins with a burst holds `burst` and one more per interval. */
    int rest = per_minute - burst + 1;
    g->interval_ms = (60000 + rest - 1) / rest;
    g->slack_ms = g->interval_ms * (burst - 1);
}

int64_t hl_governor_take(struct hl_governor *g, int64_t now_ms)
{
    int64_t start = later(g->held_ms, g->next_ms - g->slack_ms);
    if (start > now_ms)
        return start - now_ms;
    g->next_ms = later(g->next_ms, now_ms) + g->interval_ms;
    return 0;
}

void hl_governor_hold(struct hl_governor *g, int64_t now_ms, int64_t ms)
{
    if (ms <= 0)
        return;
    g->held_ms = later(g->held_ms, now_ms + ms);
    g->next_ms = later(g->next_ms, g->held_ms + g->slack_ms);
}
