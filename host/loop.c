#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <halo.h>

struct hl_loop {
    struct hl_clock clock;
    int64_t now_ms;
    CURLM *multi; /* made with the first transfer: most commands never need it */
    int transfers;
    bool spoilt;            /* a transfer has failed, or was given up: see renew_multi */
    struct hl_timer **heap; /* 1-based binary heap, earliest (at_ms, order) first */
    size_t timers, timers_room;
    uint64_t order;
    struct hl_fd *fds;
    size_t fd_count;
    struct hl_fd **polled; /* what the current turn polls, in the order of waits[1...] */
    struct curl_waitfd *waits;
    size_t polled_count, polled_room;
    int wake_read, wake_write;
};

static int64_t system_now(void *ud)
{
    (void)ud;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct hl_loop *hl_loop_new(const struct hl_clock *clock)
{
    int ends[2];
    struct hl_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return NULL;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        free(loop);
        return NULL;
    }
    loop->wake_read = ends[0];
    loop->wake_write = ends[1];
    if (clock)
        loop->clock = *clock;
    else
        loop->clock.now = system_now;
    loop->now_ms = loop->clock.now(loop->clock.ud);
    return loop;
}

void hl_loop_free(struct hl_loop *loop)
{
    if (!loop)
        return;
    if (loop->multi)
        curl_multi_cleanup(loop->multi);
    close(loop->wake_read);
    close(loop->wake_write);
    free(loop->heap);
    free(loop->polled);
    free(loop->waits);
    free(loop);
}

int64_t hl_loop_now(const struct hl_loop *loop)
{
    return loop->clock.now(loop->clock.ud);
}

double hl_loop_random(void)
{
    uint32_t bits = 0x80000000u;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) < 0)
        bits ^= (uint32_t)system_now(NULL); /* a machine that has just started */
    return bits / 4294967296.0;
}

void hl_loop_wakeup(struct hl_loop *loop)
{
    int saved = errno; /* may run in a signal handler */
    ssize_t n = write(loop->wake_write, "w", 1);
    (void)n; /* a full pipe wakes just as well */
    errno = saved;
}

/* ---- timers ---- */

static bool earlier(const struct hl_timer *a, const struct hl_timer *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void place(struct hl_loop *loop, size_t at, struct hl_timer *t)
{
    loop->heap[at] = t;
    t->place = at;
}

static void sift(struct hl_loop *loop, size_t at, struct hl_timer *t)
{
    while (at > 1 && earlier(t, loop->heap[at / 2])) {
        place(loop, at, loop->heap[at / 2]);
        at /= 2;
    }
    for (size_t child; (child = at * 2) <= loop->timers; at = child) {
        if (child < loop->timers && earlier(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (!earlier(loop->heap[child], t))
            break;
        place(loop, at, loop->heap[child]);
    }
    place(loop, at, t);
}

void hl_timer_stop(struct hl_loop *loop, struct hl_timer *t)
{
    if (t->place == 0)
        return;
    size_t at = t->place;
    struct hl_timer *last = loop->heap[loop->timers--];
    t->place = 0;
    if (last != t)
        sift(loop, at, last);
}

int hl_timer_start(struct hl_loop *loop, struct hl_timer *t, int64_t delay_ms,
                   void (*fire)(struct hl_timer *))
{
    hl_timer_stop(loop, t);
    if (loop->timers + 2 > loop->timers_room) {
        size_t room = loop->timers_room ? loop->timers_room * 2 : 16;
        struct hl_timer **heap = realloc(loop->heap, room * sizeof *heap);
        if (!heap)
            return HALO_NOMEM;
        loop->heap = heap;
        loop->timers_room = room;
    }
    t->at_ms = loop->clock.now(loop->clock.ud) + (delay_ms > 0 ? delay_ms : 0);
    t->order = ++loop->order;
    t->fire = fire;
    sift(loop, ++loop->timers, t);
    return HALO_OK;
}

/* Timers armed by the callbacks themselves wait for the next turn, so none can starve the
 * loop. */
static int fire_timers(struct hl_loop *loop)
{
    int fired = 0;
    uint64_t last = loop->order;
    while (loop->timers > 0 && loop->heap[1]->at_ms <= loop->now_ms &&
           loop->heap[1]->order <= last) {
        struct hl_timer *t = loop->heap[1];
        hl_timer_stop(loop, t);
        t->fire(t);
        fired++;
    }
    return fired;
}

/* ---- descriptors ---- */

void hl_fd_watch(struct hl_loop *loop, struct hl_fd *f, int fd, short events,
                 void (*ready)(struct hl_fd *))
{
    f->fd = fd;
    f->events = events;
    f->ready = ready;
    if (f->watched)
        return;
    f->watched = true;
    f->prev = NULL;
    f->next = loop->fds;
    if (loop->fds)
        loop->fds->prev = f;
    loop->fds = f;
    loop->fd_count++;
}

void hl_fd_unwatch(struct hl_loop *loop, struct hl_fd *f)
{
    if (!f->watched)
        return;
    f->watched = false;
    if (f->prev)
        f->prev->next = f->next;
    else
        loop->fds = f->next;
    if (f->next)
        f->next->prev = f->prev;
    loop->fd_count--;
    for (size_t i = 0; i < loop->polled_count;
         i++) /* its memory may go away during this turn */
        if (loop->polled[i] == f)
            loop->polled[i] = NULL;
}

/* Fills waits[] with the wake-up pipe and every watched descriptor. */
static int collect_fds(struct hl_loop *loop)
{
    if (loop->fd_count + 1 > loop->polled_room) {
        size_t room = loop->fd_count + 16;
        struct hl_fd **polled = realloc(loop->polled, room * sizeof *polled);
        if (polled)
            loop->polled = polled;
        struct curl_waitfd *waits = realloc(loop->waits, room * sizeof *waits);
        if (waits)
            loop->waits = waits;
        if (!polled || !waits)
            return HALO_NOMEM;
        loop->polled_room = room;
    }
    loop->polled_count = 0;
    loop->waits[0] =
        (struct curl_waitfd){ .fd = loop->wake_read, .events = CURL_WAIT_POLLIN };
    for (struct hl_fd *f = loop->fds; f; f = f->next) {
        loop->polled[loop->polled_count++] = f;
        loop->waits[loop->polled_count] =
            (struct curl_waitfd){ .fd = f->fd, .events = f->events };
    }
    return HALO_OK;
}

static int run_ready_fds(struct hl_loop *loop)
{
    int ran = 0;
    if (loop->waits[0].revents) {
        char drain[64];
        while (read(loop->wake_read, drain, sizeof drain) == (ssize_t)sizeof drain)
            ;
    }
    for (size_t i = 0; i < loop->polled_count; i++) {
        struct hl_fd *f = loop->polled[i];
        if (f && loop->waits[i + 1].revents) {
            f->ready(f);
            ran++;
        }
    }
    loop->polled_count = 0;
    return ran;
}

/* ---- transfers ---- */

int hl_transfer_start(struct hl_loop *loop, struct hl_transfer *t)
{
    if (!loop->multi) {
        loop->multi = curl_multi_init();
        if (!loop->multi)
            return HALO_NOMEM;
        curl_multi_setopt(loop->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
        curl_multi_setopt(loop->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 8L);
    }
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    if (curl_multi_add_handle(loop->multi, t->easy) != CURLM_OK)
        return HALO_NOMEM;
    t->running = true;
    loop->transfers++;
    return HALO_OK;
}

void hl_transfer_stop(struct hl_loop *loop, struct hl_transfer *t)
{
    if (!t->running)
        return;
    t->running = false;
    loop->spoilt = true;
    loop->transfers--;
    curl_multi_remove_handle(loop->multi, t->easy);
}

/* A connection that curl could not set up for want of memory may stay in its cache, and
 * with CURLOPT_PIPEWAIT (7.88) every later transfer to that host waits for it in vain. */
static void renew_multi(struct hl_loop *loop)
{
    if (!loop->multi || !loop->spoilt || loop->transfers > 0)
        return;
    curl_multi_cleanup(loop->multi);
    loop->multi = NULL;
    loop->spoilt = false;
}

static int finish_transfers(struct hl_loop *loop)
{
    int ran = 0, left = 0;
    renew_multi(loop);
    if (!loop->multi)
        return 0;
    curl_multi_perform(loop->multi, &left);
    for (CURLMsg *msg; (msg = curl_multi_info_read(loop->multi, &left)) != NULL;) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        CURLcode result =
            msg->data.result; /* the message dies with the handle's removal */
        struct hl_transfer *t = NULL;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        bool spoilt = loop->spoilt || result != CURLE_OK;
        hl_transfer_stop(loop, t);
        loop->spoilt = spoilt;
        t->done(t, result);
        ran++;
    }
    return ran;
}

/* ---- the turn ---- */

static int64_t until_timer(const struct hl_loop *loop)
{
    if (loop->timers == 0)
        return -1;
    int64_t left = loop->heap[1]->at_ms - loop->clock.now(loop->clock.ud);
    return left > 0 ? left : 0;
}

int hl_loop_timeout(struct hl_loop *loop)
{
    int64_t left = until_timer(loop);
    long curl_ms = -1;
    if (loop->multi && loop->transfers > 0)
        curl_multi_timeout(loop->multi, &curl_ms);
    if (curl_ms >= 0 && (left < 0 || curl_ms < left))
        left = curl_ms;
    return left > 1000000000 ? 1000000000 : (int)left;
}

static short poll_events(short curl_events)
{
    return (short)((curl_events & CURL_WAIT_POLLIN ? POLLIN : 0) |
                   (curl_events & CURL_WAIT_POLLOUT ? POLLOUT : 0));
}

/* The one place that blocks. */
static void block(struct hl_loop *loop, int timeout_ms)
{
    unsigned count = (unsigned)loop->polled_count + 1;
    if (loop->multi) {
        curl_multi_poll(loop->multi, loop->waits, count, timeout_ms, NULL);
        return;
    }
    struct pollfd few[16], *fds = count <= 16 ? few : calloc(count, sizeof *fds);
    if (!fds)
        return; /* nothing is marked ready; the next turn tries again */
    for (unsigned i = 0; i < count; i++)
        fds[i] = (struct pollfd){ .fd = loop->waits[i].fd,
                                  .events = poll_events(loop->waits[i].events) };
    if (poll(fds, count, timeout_ms) > 0)
        for (unsigned i = 0; i < count; i++)
            loop->waits[i].revents = fds[i].revents;
    if (fds != few)
        free(fds);
}

int hl_loop_turn(struct hl_loop *loop, int max_wait_ms)
{
    if (collect_fds(loop) != HALO_OK)
        return 0;
    int64_t wait = until_timer(loop);
    if (wait < 0 || (max_wait_ms >= 0 && max_wait_ms < wait))
        wait = max_wait_ms < 0 && wait < 0 ? 1000000000 : max_wait_ms;
    if (loop->clock.skip && loop->transfers == 0 && wait > 0) {
        if (loop->timers > 0 && (max_wait_ms < 0 || until_timer(loop) <= max_wait_ms))
            loop->clock.skip(loop->clock.ud, loop->heap[1]->at_ms);
        wait = 0;
    }
    block(loop, wait > 1000000000 ? 1000000000 : (int)wait);
    loop->now_ms = loop->clock.now(loop->clock.ud);
    int ran = finish_transfers(loop);
    ran += run_ready_fds(loop);
    return ran + fire_timers(loop);
}
