#include "pace.h"

void hl_pace_init(struct hl_pace *p, int64_t now_ms, int64_t interval_ms,
                  int64_t timeout_ms)
{
    *p = (struct hl_pace){
        .fixed = interval_ms > 0,
        .gap_ms = interval_ms > 0 ? interval_ms : HL_PACE_FIRST_MS,
        .deadline_ms = INT64_MAX,
    };
    if (timeout_ms >= 0 && timeout_ms < INT64_MAX - now_ms)
        p->deadline_ms = now_ms + timeout_ms;
}

int64_t hl_pace_next(struct hl_pace *p, int64_t now_ms, double random)
{
    if (!p->looked) {
        p->looked = true;
        return 0;
    }
    if (now_ms >= p->deadline_ms)
        return -1;
    int64_t wait = p->gap_ms;
    if (!p->fixed) {
        wait = (int64_t)((double)wait * (0.9 + 0.2 * random));
        p->gap_ms += p->gap_ms / 2;
        if (p->gap_ms > HL_PACE_LAST_MS)
            p->gap_ms = HL_PACE_LAST_MS;
    }
    int64_t left = p->deadline_ms - now_ms;
    return wait < left ? wait : left;
}
