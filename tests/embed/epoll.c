/* Example: three hosts in the epoll loop of a program that has other things to do as
 * well, here a timer that ticks. */
#include <halo.h>

#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static const struct {
    const char *script, *args;
} WORK[] = {
    { "pause", "{\"instance\":\"3fa29c1e\"}" },
    { "pause", "{\"instance\":\"b8e2f5a6\"}" },
    { "resume", "{\"instance\":\"7c41d09b\"}" },
};
enum { HOSTS = sizeof WORK / sizeof *WORK };

/* Opens a host, adds its descriptor to our set, and starts its script. */
static int start(int epoll, int i, halo_host **host, halo_run **run)
{
    int fd, err = halo_open(host, NULL);
    if (err == HALO_OK && halo_fds(*host, &fd, 1) == 1) {
        struct epoll_event event = { .events = EPOLLIN, .data = { .fd = fd } };
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    if (err == HALO_OK)
        err = halo_start_string(*host, WORK[i].script, NULL, WORK[i].args, run);
    return err;
}

/* Milliseconds until the first of the hosts has something to do; -1: not of itself. */
static int next_timeout(halo_host *const *hosts)
{
    int least = -1;
    for (int i = 0; i < HOSTS; i++) {
        int ms = halo_timeout(hosts[i]);
        if (ms >= 0 && (least < 0 || ms < least))
            least = ms;
    }
    return least;
}

/* Lets every host do what it can without waiting. Returns how many runs are alive. */
static int step(halo_host *const *hosts)
{
    int alive = 0;
    for (int i = 0; i < HOSTS; i++)
        alive += halo_step(hosts[i], 0);
    return alive;
}

int main(void)
{
    halo_host *hosts[HOSTS] = { NULL };
    halo_run *runs[HOSTS] = { NULL };
    int err = HALO_OK, ticks = 0;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec often = { { 0, 10000000 }, { 0, 10000000 } };
    timerfd_settime(timer, 0, &often, NULL);
    struct epoll_event event = { .events = EPOLLIN, .data = { .fd = timer } };
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);

    for (int i = 0; i < HOSTS && err == HALO_OK; i++)
        err = start(epoll, i, &hosts[i], &runs[i]);
    while (err == HALO_OK && step(hosts) > 0) {
        uint64_t expired;
        if (epoll_wait(epoll, &event, 1, next_timeout(hosts)) > 0 &&
            event.data.fd == timer &&
            read(timer, &expired, sizeof expired) == sizeof expired)
            ticks++; /* the program's own work */
    }
    for (int i = 0; i < HOSTS; i++) {
        const char *json = NULL;
        if (runs[i] && halo_result(runs[i], &json, NULL) != HALO_OK)
            err = HALO_FAILED;
        printf("%s %s: %s\n", WORK[i].script, WORK[i].args,
               json      ? json
               : runs[i] ? halo_message(runs[i])
                         : halo_strerror(err));
        halo_close(hosts[i]);
    }
    close(timer);
    close(epoll);
    return err != HALO_OK || ticks == 0;
}
