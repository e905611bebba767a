/* Keeps to the API's limit: so many requests a minute for each client id. What was sent
 * is counted by the second, over a little more than the minute in which the API counts,
 * so that requests which arrive late do not fall into one minute too many. Actions may
 * use all but a margin that is left to other users of the client id; reads stop earlier,
 * so that an action seldom waits behind them.
 *
 * A 429 shows that the limit is lower than thought (trial credentials have 25 a minute),
 * or that others use it too: what was let through in the last minute is then the limit,
 * for a quarter of an hour. Pure arithmetic: no clock, no memory, cannot fail. */
#ifndef HL_GOVERNOR_H
#define HL_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HL_WINDOW_S = 62,         /* seconds that are counted: the minute and the delays */
    HL_LEAST_PER_MINUTE = 25, /* no limit lower than that is learned: none is known */
    HL_LEARNED_MS = 15 * 60 * 1000, /* how long a learned limit is kept */
    HL_HOLD_MAX_MS = 120000         /* no hold is longer */
};

/* What was sent, and what came of it. All zero: nothing yet. A plain value, which
 * processes may share (ratefile.h). */
struct hl_rate {
    int64_t now_s;                 /* the second of the newest count */
    int64_t held_ms;               /* nothing starts before this (Retry-After) */
    int64_t learned_ms;            /* when a limit was learned */
    int32_t learned;               /* requests a minute; 0: none was */
    uint32_t started[HL_WINDOW_S]; /* requests by second, modulo the window */
};

/* Asks to start one request, at most per_minute (0 or less: no limit) in any minute.
 * now_ms: any clock; one that was set back forgets what was counted. Returns 0 and counts
 * the request, or the ms to wait and counts nothing. */
int64_t hl_governor_take(struct hl_rate *r, int per_minute, bool action, int64_t now_ms);

/* The API refused a request with 429: nothing starts for hold_ms (Retry-After), and the
 * limit is learned. */
void hl_governor_refused(struct hl_rate *r, int per_minute, int64_t hold_ms,
                         int64_t now_ms);

/* The limit in force: per_minute, or the lower one that was learned. */
int hl_governor_limit(const struct hl_rate *r, int per_minute, int64_t now_ms);

#endif
