#include "turns.h"

#include <string.h>

#include <halo.h>

enum { BURST = 20 }; /* requests that may go at once after a quiet time */

void hl_turns_init(struct hl_turns *turns, struct hl_loop *loop, int per_minute)
{
    memset(turns, 0, sizeof *turns);
    turns->loop = loop;
    hl_governor_init(&turns->governor, per_minute, BURST);
}

void hl_turns_stop(struct hl_turns *turns)
{
    if (turns->loop)
        hl_timer_stop(turns->loop, &turns->timer);
}

void hl_turns_leave(struct hl_turn *t)
{
    if (!t->list)
        return;
    if (t->prev)
        t->prev->next = t->next;
    else
        t->list->first = t->next;
    if (t->next)
        t->next->prev = t->prev;
    else
        t->list->last = t->prev;
    t->prev = t->next = NULL;
    t->list = NULL;
}

static void on_timer(struct hl_timer *timer);

/* Gives turns until the governor says to wait. */
static void give(struct hl_turns *turns)
{
    for (struct hl_turn *t; (t = turns->actions.first ? turns->actions.first
                                                      : turns->reads.first) != NULL;) {
        int64_t wait = hl_governor_take(&turns->governor, hl_loop_now(turns->loop));
        if (wait > 0 &&
            hl_timer_start(turns->loop, &turns->timer, wait, on_timer) == HALO_OK)
            return;
        hl_turns_leave(t);
        t->given(t);
    }
}

static void on_timer(struct hl_timer *timer)
{
    give((struct hl_turns *)((char *)timer - offsetof(struct hl_turns, timer)));
}

void hl_turns_wait(struct hl_turns *turns, struct hl_turn *t, bool action,
                   void (*given)(struct hl_turn *))
{
    t->list = action ? &turns->actions : &turns->reads;
    t->given = given;
    t->next = NULL;
    t->prev = t->list->last;
    if (t->prev)
        t->prev->next = t;
    else
        t->list->first = t;
    t->list->last = t;
    if (turns->timer.place == 0)
        give(turns);
}

void hl_turns_hold(struct hl_turns *turns, int64_t ms)
{
    hl_governor_hold(&turns->governor, hl_loop_now(turns->loop), ms);
}
