/* The armed timers of a loop (loop.h): a binary heap, the earliest first; of equal ones
 * the one that was armed first. */
#ifndef HL_TIMERS_H
#define HL_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in its owner's memory, zero-initialised. */
struct hl_timer {
    size_t place; /* 1-based place in the heap; 0: not armed */
    int64_t at_ms;
    uint64_t order;
    void (*fire)(struct hl_timer *t); /* the timer is disarmed before this is called */
};

/* Zero-initialised. */
struct hl_timers {
    struct hl_timer **heap; /* 1-based; freed by its owner */
    size_t count, room;
    uint64_t order; /* of the timer that was armed last */
};

/* Arms one that is not armed, for at_ms. false when out of memory. */
bool hl_timers_add(struct hl_timers *timers, struct hl_timer *t, int64_t at_ms);
void hl_timers_remove(struct hl_timers *timers,
                      struct hl_timer *t); /* fine when not armed */

/* The next one; NULL when none is armed. */
static inline struct hl_timer *hl_timers_first(const struct hl_timers *timers)
{
    return timers->count > 0 ? timers->heap[1] : NULL;
}

#endif
