#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <halo.h>

enum {
    EVENTS = 64, /* taken in one turn; what is left comes in the next */
    MAX_WAIT_MS = 1000000000,
    /* To one host, where it does not speak HTTP/2, which needs one only. Where answers
     * take their time, more are waited for at once; still not more than a few browsers
     * would. */
    CONNECTIONS = 8,
    CONNECTIONS_IF_SLOW = 24,
    CONNECTIONS_KEPT = 256, /* to all hosts */
    SLOW_US = 50000
};

struct hl_loop {
    struct hl_clock clock;
    int64_t now_ms;
    int epoll; /* stands for everything that is watched */
    struct epoll_event events[EVENTS];
    int events_left;
    CURLM *multi; /* made with the first transfer: most commands never need it */
    struct hl_transfer *running;
    int transfers;        /* how many of them */
    curl_off_t answer_us; /* what an answer took lately; 0: none came */
    int64_t curl_at_ms; /* when curl wants to be called, on the system's clock; -1: not */
    bool spoilt;        /* a transfer has failed, or was given up: see renew_multi */
    struct hl_timers timers;
    int wake_read, wake_write;
};

/* What an event belongs to: one of curl's sockets (an odd number), the wake-up, or a
 * struct hl_fd (its address). */
enum { WAKE_UP = 0 };
static uint64_t of_socket(curl_socket_t fd)
{
    return (uint64_t)fd << 1 | 1;
}

static int64_t system_now(void *ud)
{
    (void)ud;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct hl_loop *hl_loop_new(const struct hl_clock *clock)
{
    struct epoll_event wake = { .events = EPOLLIN, .data.u64 = WAKE_UP };
    int ends[2] = { -1, -1 };
    struct hl_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return NULL;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0 ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, ends[0], &wake) != 0) {
        for (int i = 0; i < 2; i++)
            if (ends[i] >= 0)
                close(ends[i]);
        if (loop->epoll >= 0)
            close(loop->epoll);
        free(loop);
        return NULL;
    }
    loop->wake_read = ends[0];
    loop->wake_write = ends[1];
    loop->curl_at_ms = -1;
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
    close(loop->epoll);
    free(loop->timers.heap);
    free(loop);
}

int hl_loop_fd(const struct hl_loop *loop)
{
    return loop->epoll;
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

void hl_timer_stop(struct hl_loop *loop, struct hl_timer *t)
{
    hl_timers_remove(&loop->timers, t);
}

int hl_timer_start(struct hl_loop *loop, struct hl_timer *t, int64_t delay_ms,
                   void (*fire)(struct hl_timer *))
{
    hl_timer_stop(loop, t);
    t->fire = fire;
    int64_t at_ms = loop->clock.now(loop->clock.ud) + (delay_ms > 0 ? delay_ms : 0);
    return hl_timers_add(&loop->timers, t, at_ms) ? HALO_OK : HALO_NOMEM;
}

/* Timers armed by the callbacks themselves wait for the next turn, so none can starve the
 * loop. */
static int fire_timers(struct hl_loop *loop)
{
    int fired = 0;
    uint64_t last = loop->timers.order;
    for (struct hl_timer *t; (t = hl_timers_first(&loop->timers)) != NULL &&
                             t->at_ms <= loop->now_ms && t->order <= last;) {
        hl_timer_stop(loop, t);
        t->fire(t);
        fired++;
    }
    return fired;
}

/* ---- descriptors ---- */

/* Watches a descriptor for other events, or for the first time. curl may have closed one
 * behind our back, and the system given its number to another. */
static int watch(struct hl_loop *loop, int fd, uint32_t events, uint64_t of)
{
    struct epoll_event e = { .events = events, .data.u64 = of };
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ||
        (errno == EEXIST && epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &e) == 0))
        return HALO_OK;
    return HALO_NOMEM;
}

static void unwatch(struct hl_loop *loop, int fd, uint64_t of)
{
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, &(struct epoll_event){ 0 });
    for (int i = 1; i <= loop->events_left; i++) /* it may go away during this turn */
        if (loop->events[EVENTS - i].data.u64 == of)
            loop->events[EVENTS - i].events = 0;
}

int hl_fd_watch(struct hl_loop *loop, struct hl_fd *f, int fd, bool write,
                void (*ready)(struct hl_fd *))
{
    if (f->watched && f->fd != fd)
        hl_fd_unwatch(loop, f);
    f->fd = fd;
    f->ready = ready;
    int err = watch(loop, fd, write ? EPOLLOUT : EPOLLIN, (uintptr_t)f);
    f->watched = err == HALO_OK;
    return err;
}

void hl_fd_unwatch(struct hl_loop *loop, struct hl_fd *f)
{
    if (f->watched)
        unwatch(loop, f->fd, (uintptr_t)f);
    f->watched = false;
}

/* ---- transfers ---- */

/* curl says what to watch a socket of its own for. Here and in on_curl_timer nothing is
 * done but to note it. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ud, void *own)
{
    struct hl_loop *loop = ud;
    (void)easy;
    (void)own;
    if (what == CURL_POLL_REMOVE) {
        unwatch(loop, fd, of_socket(fd));
        return 0;
    }
    uint32_t events =
        (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    return watch(loop, fd, events, of_socket(fd)) == HALO_OK ? 0 : -1;
}

static int on_curl_timer(CURLM *multi, long ms, void *ud)
{
    struct hl_loop *loop = ud;
    (void)multi;
    loop->curl_at_ms = ms < 0 ? -1 : system_now(NULL) + ms;
    return 0;
}

static long connections(const struct hl_loop *loop)
{
    return loop->answer_us >= SLOW_US ? CONNECTIONS_IF_SLOW : CONNECTIONS;
}

int hl_transfer_start(struct hl_loop *loop, struct hl_transfer *t)
{
    if (!loop->multi) {
        loop->multi = curl_multi_init();
        if (!loop->multi)
            return HALO_NOMEM;
        curl_multi_setopt(loop->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
        curl_multi_setopt(loop->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections(loop));
        /* kept open between calls: by default curl closes those beyond four times the
         * transfers of the moment */
        curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
        curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
        curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
        curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
        curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    }
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    if (curl_multi_add_handle(loop->multi, t->easy) != CURLM_OK)
        return HALO_NOMEM;
    t->running = true;
    t->prev = NULL;
    t->next = loop->running;
    if (t->next)
        t->next->prev = t;
    loop->running = t;
    loop->transfers++;
    return HALO_OK;
}

static void leave(struct hl_loop *loop, struct hl_transfer *t)
{
    t->running = false;
    if (t->prev)
        t->prev->next = t->next;
    else
        loop->running = t->next;
    if (t->next)
        t->next->prev = t->prev;
    loop->transfers--;
}

void hl_transfer_stop(struct hl_loop *loop, struct hl_transfer *t)
{
    if (!t->running)
        return;
    leave(loop, t);
    loop->spoilt = true;
    curl_multi_remove_handle(loop->multi, t->easy);
}

/* Lets curl act. Without memory to note who uses a socket, curl (7.88) forgets what it has
 * noted, and divides by zero when that handle is removed. So the multi is cleaned up with
 * the handles in it, which curl allows, and what was under way has failed. */
static void act(struct hl_loop *loop, curl_socket_t fd, int what)
{
    int left;
    if (curl_multi_socket_action(loop->multi, fd, what, &left) != CURLM_OUT_OF_MEMORY)
        return;
    curl_multi_cleanup(loop->multi);
    loop->multi = NULL;
    for (struct hl_transfer *t = loop->running; t; t = t->next)
        t->lost = true;
    for (struct hl_transfer *t = loop->running; t;) {
        if (!t->lost) { /* started by the callback of one that was */
            t = t->next;
            continue;
        }
        t->lost = false;
        leave(loop, t);
        t->done(t, CURLE_OUT_OF_MEMORY);
        t = loop->running;
    }
}

/* Called neither too late nor, as curl then would not ask again, too early for good. */
static void call_curl_in_time(struct hl_loop *loop)
{
    long ms = -1;
    if (loop->curl_at_ms < 0 || loop->curl_at_ms > system_now(NULL))
        return;
    loop->curl_at_ms = -1;
    act(loop, CURL_SOCKET_TIMEOUT, 0);
    if (loop->multi && loop->curl_at_ms < 0 &&
        curl_multi_timeout(loop->multi, &ms) == CURLM_OK && ms >= 0)
        loop->curl_at_ms = system_now(NULL) + (ms > 0 ? ms : 1);
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

static void choose_connections(struct hl_loop *loop, CURL *easy)
{
    curl_off_t sent = 0, came = 0, before = loop->answer_us;
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
    curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &came);
    if (sent == 0 || came <= sent) /* there was none */
        return;
    loop->answer_us = before == 0 ? came - sent : before + (came - sent - before) / 8;
    if ((loop->answer_us >= SLOW_US) != (before >= SLOW_US))
        curl_multi_setopt(loop->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections(loop));
}

static int finish_transfers(struct hl_loop *loop)
{
    int ran = 0, left = 0;
    renew_multi(loop);
    if (!loop->multi)
        return 0;
    call_curl_in_time(loop);
    if (!loop->multi)
        return 0;
    for (CURLMsg *msg; (msg = curl_multi_info_read(loop->multi, &left)) != NULL;) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        CURLcode result =
            msg->data.result; /* the message dies with the handle's removal */
        struct hl_transfer *t = NULL;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        choose_connections(loop, t->easy);
        bool spoilt = loop->spoilt || result != CURLE_OK;
        hl_transfer_stop(loop, t);
        loop->spoilt = spoilt;
        t->done(t, result);
        ran++;
    }
    return ran;
}

/* ---- the turn ---- */

/* ms until the next timer or curl's own; -1: neither waits. */
static int64_t until_timer(const struct hl_loop *loop)
{
    const struct hl_timer *first = hl_timers_first(&loop->timers);
    int64_t left = first ? first->at_ms - loop->clock.now(loop->clock.ud) : -1;
    if (first && left < 0)
        left = 0;
    if (loop->curl_at_ms >= 0 && loop->transfers > 0) {
        int64_t curl = loop->curl_at_ms - system_now(NULL);
        if (left < 0 || curl < left)
            left = curl > 0 ? curl : 0;
    }
    return left;
}

int hl_loop_timeout(struct hl_loop *loop)
{
    int64_t left = until_timer(loop);
    return left > MAX_WAIT_MS ? MAX_WAIT_MS : (int)left;
}

/* The one place that blocks. Answers how many events there are, at the end of events[]. */
static int block(struct hl_loop *loop, int64_t wait)
{
    struct epoll_event taken[EVENTS];
    int timeout = wait > MAX_WAIT_MS ? MAX_WAIT_MS : (int)wait;
    int n = epoll_wait(loop->epoll, taken, EVENTS, timeout);
    if (n > 0)
        memcpy(loop->events + EVENTS - n, taken, (size_t)n * sizeof *taken);
    return n > 0 ? n : 0; /* a signal ends it, too */
}

static void drain_wake_up(struct hl_loop *loop)
{
    char drain[64];
    while (read(loop->wake_read, drain, sizeof drain) == (ssize_t)sizeof drain)
        ;
}

static int handle(struct hl_loop *loop, const struct epoll_event *e)
{
    if (e->events == 0) /* no longer watched */
        return 0;
    if (e->data.u64 == WAKE_UP) {
        drain_wake_up(loop);
    } else if (e->data.u64 & 1) {
        int what = (e->events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                   (e->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (e->events & EPOLLERR ? CURL_CSELECT_ERR : 0);
        if (loop->multi)
            act(loop, (curl_socket_t)(e->data.u64 >> 1), what);
    } else {
        struct hl_fd *f = (struct hl_fd *)(uintptr_t)e->data.u64;
        f->ready(f);
        return 1;
    }
    return 0;
}

int hl_loop_turn(struct hl_loop *loop, int max_wait_ms)
{
    int ran = 0;
    int64_t wait = until_timer(loop);
    if (wait < 0 || (max_wait_ms >= 0 && max_wait_ms < wait))
        wait = max_wait_ms;
    if (loop->clock.skip && loop->transfers == 0 && wait != 0) {
        const struct hl_timer *first = hl_timers_first(&loop->timers);
        if (first && (max_wait_ms < 0 || until_timer(loop) <= max_wait_ms))
            loop->clock.skip(loop->clock.ud, first->at_ms);
        wait = 0;
    }
    for (loop->events_left = block(loop, wait); loop->events_left > 0;) {
        struct epoll_event e = loop->events[EVENTS - loop->events_left--];
        ran += handle(loop, &e);
    }
    loop->now_ms = loop->clock.now(loop->clock.ud);
    ran += finish_transfers(loop);
    return ran + fire_timers(loop);
}
