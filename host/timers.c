#include "timers.h"

#include <stdlib.h>

static bool earlier(const struct hl_timer *a, const struct hl_timer *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void place(struct hl_timers *timers, size_t at, struct hl_timer *t)
{
    timers->heap[at] = t;
    t->place = at;
}

static void sift(struct hl_timers *timers, size_t at, struct hl_timer *t)
{
    struct hl_timer **heap = timers->heap;
    while (at > 1 && earlier(t, heap[at / 2])) {
        place(timers, at, heap[at / 2]);
        at /= 2;
    }
    for (size_t child; (child = at * 2) <= timers->count; at = child) {
        if (child < timers->count && earlier(heap[child + 1], heap[child]))
            child++;
        if (!earlier(heap[child], t))
            break;
        place(timers, at, heap[child]);
    }
    place(timers, at, t);
}

void hl_timers_remove(struct hl_timers *timers, struct hl_timer *t)
{
    if (t->place == 0)
        return;
    size_t at = t->place;
    struct hl_timer *last = timers->heap[timers->count--];
    t->place = 0;
    if (last != t)
        sift(timers, at, last);
}

bool hl_timers_add(struct hl_timers *timers, struct hl_timer *t, int64_t at_ms)
{
    if (timers->count + 2 > timers->room) {
        size_t room = timers->room ? timers->room * 2 : 16;
        struct hl_timer **heap = realloc(timers->heap, room * sizeof *heap);
        if (!heap)
            return false;
        timers->heap = heap;
        timers->room = room;
    }
    t->at_ms = at_ms;
    t->order = ++timers->order;
    sift(timers, ++timers->count, t);
    return true;
}
