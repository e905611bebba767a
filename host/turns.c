#include "turns.h"

#include <string.h>
#include <time.h>

#include <halo.h>

void hl_turns_init(struct hl_turns *turns, struct hl_loop *loop, int per_minute)
{
    memset(turns, 0, sizeof *turns);
    turns->loop = loop;
    turns->per_minute = per_minute;
}

void hl_turns_share(struct hl_turns *turns, const struct hl_userdir *dir, const char *url,
                    const char *client_id)
{
    if (turns->per_minute > 0)
        hl_ratefile_open(&turns->file, dir, url, client_id);
}

void hl_turns_stop(struct hl_turns *turns)
{
    if (turns->loop)
        hl_timer_stop(turns->loop, &turns->timer);
    hl_ratefile_close(&turns->file);
}

/* ---- the count, of this process or of all ---- */

/* What is shared is on the wall clock: the loop's is only this process's. */
static int64_t now_ms(const struct hl_turns *turns)
{
    struct timespec ts;
    if (!turns->file.open)
        return hl_loop_now(turns->loop);
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t take(struct hl_turns *turns, bool action)
{
    bool shared = hl_ratefile_begin(&turns->file, &turns->rate);
    int64_t wait =
        hl_governor_take(&turns->rate, turns->per_minute, action, now_ms(turns));
    if (shared)
        hl_ratefile_end(&turns->file, &turns->rate);
    return wait;
}

int hl_turns_refused(struct hl_turns *turns, int64_t hold_ms)
{
    bool shared = hl_ratefile_begin(&turns->file, &turns->rate);
    int64_t now = now_ms(turns);
    int before = hl_governor_limit(&turns->rate, turns->per_minute, now);
    hl_governor_refused(&turns->rate, turns->per_minute, hold_ms, now);
    int limit = hl_governor_limit(&turns->rate, turns->per_minute, now);
    if (shared)
        hl_ratefile_end(&turns->file, &turns->rate);
    return limit < before ? limit : 0;
}

/* ---- the queue ---- */

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
    for (struct hl_turn *t; turns->under_way < HL_TURNS_AT_ONCE &&
                            (t = turns->actions.first ? turns->actions.first
                                                      : turns->reads.first) != NULL;) {
        int64_t wait = take(turns, t->list == &turns->actions);
        if (wait > 0 &&
            hl_timer_start(turns->loop, &turns->timer, wait, on_timer) == HALO_OK)
            return;
        hl_turns_leave(t);
        t->turns = turns;
        turns->under_way++;
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
    if (action || turns->timer.place == 0) /* reads may have to wait where it need not */
        give(turns);
}

/* The next is given its turn later: when many are cancelled, it may be one of them. */
void hl_turns_over(struct hl_turn *t)
{
    struct hl_turns *turns = t->turns;
    if (!turns)
        return;
    t->turns = NULL;
    turns->under_way--;
    if (turns->timer.place == 0 && (turns->actions.first || turns->reads.first) &&
        hl_timer_start(turns->loop, &turns->timer, 0, on_timer) != HALO_OK)
        give(turns);
}
