/* Who may send next: those who wait for their turn, under one governor. Actions go before
 * reads, and among them first come is first served. */
#ifndef HL_TURNS_H
#define HL_TURNS_H

#include "governor.h"
#include "loop.h"

/* One that waits; embedded in its owner, zero-initialised. */
struct hl_turn {
    struct hl_turn *prev, *next;
    struct hl_turn_list *list;        /* NULL: does not wait */
    void (*given)(struct hl_turn *t); /* it is its turn; it waits no more */
};

struct hl_turns {
    struct hl_loop *loop;
    struct hl_governor governor;
    struct hl_timer timer; /* until the governor allows the next */
    struct hl_turn_list {
        struct hl_turn *first, *last;
    } actions, reads;
};

/* per_minute: as hl_governor_init. */
void hl_turns_init(struct hl_turns *turns, struct hl_loop *loop, int per_minute);
void hl_turns_stop(struct hl_turns *turns); /* nobody may wait any more */

/* Waits for a turn; `given` may be called before this returns. */
void hl_turns_wait(struct hl_turns *turns, struct hl_turn *t, bool action,
                   void (*given)(struct hl_turn *));
void hl_turns_leave(struct hl_turn *t); /* fine when it does not wait */

/* Nobody is given a turn for so long (Retry-After). */
void hl_turns_hold(struct hl_turns *turns, int64_t ms);

#endif
