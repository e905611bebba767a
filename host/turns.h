/* Who may send next: those who wait for their turn, as the governor allows, and so many
 * at a time. Actions go before reads, and among them first come is first served. Where it
 * is shared, all processes of the user that have the same client id are under one limit.
 *
 * So whoever asks for a turn again and again is served round and round: of W waits, each
 * looks once in every W / R minutes, R being the reads a minute that the governor allows
 * (110 of 125), or at its own pace where that is slower. A change is thus seen at most
 * one gap of that pace (pace.h: 20 s at most) + ceil(W / R) * 62 s after it happened. */
#ifndef HL_TURNS_H
#define HL_TURNS_H

#include "governor.h"
#include "loop.h"
#include "ratefile.h"

/* Requests under way at once: what a server grants on one connection of HTTP/2. Each
 * costs memory, and more would only wait elsewhere. */
enum { HL_TURNS_AT_ONCE = 100 };

/* One that waits, or whose turn it is; embedded in its owner, zero-initialised. */
struct hl_turn {
    struct hl_turns *turns;
    struct hl_turn *prev, *next;
    struct hl_turn_list *list;        /* NULL: does not wait */
    bool has;                         /* it is its turn */
    void (*given)(struct hl_turn *t); /* it is its turn, until hl_turns_leave */
};

struct hl_turns {
    struct hl_loop *loop;
    int per_minute;
    struct hl_rate rate;
    struct hl_ratefile file; /* closed unless shared */
    struct hl_timer timer;   /* until the next may be given */
    int under_way;
    struct hl_turn_list {
        struct hl_turn *first, *last;
    } actions, reads;
};

/* per_minute: 0 or less for no limit. */
void hl_turns_init(struct hl_turns *turns, struct hl_loop *loop, int per_minute);
/* Shares it with the user's other processes; without a limit there is nothing to share. */
void hl_turns_share(struct hl_turns *turns, const struct hl_userdir *dir, const char *url,
                    const char *client_id);
void hl_turns_stop(struct hl_turns *turns); /* nobody may wait any more */

/* Waits for a turn; `given` may be called before this returns. */
void hl_turns_wait(struct hl_turns *turns, struct hl_turn *t, bool action,
                   void (*given)(struct hl_turn *));
void hl_turns_leave(struct hl_turn *t); /* waits no more, or ends its turn; or neither */

/* The API refused a request with 429: nobody is given a turn for so long. Returns the
 * requests a minute that are left when that taught a lower limit, otherwise 0. */
int hl_turns_refused(struct hl_turns *turns, int64_t hold_ms);

#endif
