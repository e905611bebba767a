/* When to look next at something that is being waited for. The first look is at once;
 * then the gaps grow from 1 s by half to 15 s, each moved by up to 10 % so that many
 * waiters spread; or they are fixed when the caller says so. The last look is at the
 * deadline itself. Pure: time and chance are arguments. */
#ifndef HL_PACE_H
#define HL_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { HL_PACE_FIRST_MS = 1000, HL_PACE_LAST_MS = 15000 };

struct hl_pace {
    bool looked;         /* the first look has been granted */
    bool fixed;          /* the gap does not grow and is not moved */
    int64_t gap_ms;      /* the next gap */
    int64_t deadline_ms; /* on the caller's clock; INT64_MAX: none */
};

/* interval_ms: 0 for the growing gap. timeout_ms: from now on; negative for none. */
void hl_pace_init(struct hl_pace *p, int64_t now_ms, int64_t interval_ms,
                  int64_t timeout_ms);

/* ms to wait before the next look; -1 when the deadline has come and that look was taken
 * (the first look is always granted). random: 0 <= random < 1. */
int64_t hl_pace_next(struct hl_pace *p, int64_t now_ms, double random);

#endif
