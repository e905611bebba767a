/* The event loop: epoll, curl_multi, timers, watched descriptors (child.h: processes) and
 * a wake-up. hl_loop_turn is the only place in halo that blocks. Callbacks run inside a
 * turn, never from inside curl; they may start and stop anything. Times are milliseconds
 * of a monotonic clock. */
#ifndef HL_LOOP_H
#define HL_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <curl/curl.h>

#include "timers.h"

struct hl_loop;

/* A clock for tests. With one, a turn in which only timers wait does not block: the loop
 * asks `skip` to move the clock to the next timer. */
struct hl_clock {
    int64_t (*now)(void *ud);
    void (*skip)(void *ud, int64_t to_ms);
    void *ud;
};

/* clock may be NULL for the system's. NULL when out of memory. */
struct hl_loop *hl_loop_new(const struct hl_clock *clock);
void hl_loop_free(
    struct hl_loop *loop); /* everything must have been stopped; NULL is fine */

/* The time now: not that of the turn, as a script may have computed for long since. */
int64_t hl_loop_now(const struct hl_loop *loop);

/* 0 <= r < 1, from the system: no two processes share their jitter. */
double hl_loop_random(void);

/* Waits up to max_wait_ms (-1: without limit) for something to be due, then runs its
 * callback. Returns the number of callbacks run. */
int hl_loop_turn(struct hl_loop *loop, int max_wait_ms);

/* ms until the next timer or curl's own: 0 now, -1 never. */
int hl_loop_timeout(struct hl_loop *loop);

/* A descriptor that is readable whenever a turn has something to do before that time. It
 * is the same as long as the loop lives, and the loop's. */
int hl_loop_fd(const struct hl_loop *loop);

/* Makes a blocked turn return. Any thread, any signal handler. */
void hl_loop_wakeup(struct hl_loop *loop);

/* ---- timers: embedded in their owner's memory, zero-initialised; equal times fire first
 * in, first out */

/* (Re)arms. Returns HALO_OK or HALO_NOMEM. */
int hl_timer_start(struct hl_loop *loop, struct hl_timer *t, int64_t delay_ms,
                   void (*fire)(struct hl_timer *));
void hl_timer_stop(struct hl_loop *loop, struct hl_timer *t); /* fine when not armed */

/* ---- watched descriptors: embedded, zero-initialised; the descriptor stays its owner's
 */
struct hl_fd {
    int fd;
    bool watched;
    void (*ready)(struct hl_fd *f); /* also when the other end is gone */
};
/* Watches for reading, or for writing; may be called again to change what is watched.
 * HALO_OK or HALO_NOMEM: the system cannot watch it (more). */
int hl_fd_watch(struct hl_loop *loop, struct hl_fd *f, int fd, bool write,
                void (*ready)(struct hl_fd *));
void hl_fd_unwatch(struct hl_loop *loop, struct hl_fd *f); /* fine when not watched */

/* ---- transfers: `done` is called from hl_loop_turn after curl has let go of the handle
 */
struct hl_transfer {
    CURL *easy; /* the caller's; its CURLOPT_PRIVATE belongs to the loop while it runs */
    void (*done)(struct hl_transfer *t, CURLcode result);
    bool running;
    bool lost; /* about to fail, for curl has lost track of it */
    struct hl_transfer *prev, *next;
};
int hl_transfer_start(struct hl_loop *loop,
                      struct hl_transfer *t); /* HALO_OK or HALO_NOMEM */
void hl_transfer_stop(struct hl_loop *loop,
                      struct hl_transfer *t); /* fine when not running */

#endif
