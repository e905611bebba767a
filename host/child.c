#include "child.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_POLL_MS = 50 }; /* only where the kernel has no pidfd_open */

static void child_reap(struct hl_child *c)
{
    int status = 0;
    pid_t got = waitpid(c->pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) {
        return;
    }
    int pidfd = c->pidfd.fd;
    bool had_fd = c->pidfd.watched;
    hl_fd_unwatch(c->loop, &c->pidfd);
    hl_timer_stop(c->loop, &c->poll);
    if (had_fd)
        close(pidfd);
    c->pid = 0;
    c->exited(c, status);
}

static void child_fd_ready(struct hl_fd *f)
{
    child_reap((struct hl_child *)((char *)f - offsetof(struct hl_child, pidfd)));
}

static void child_poll(struct hl_timer *t)
{
    struct hl_child *c = (struct hl_child *)((char *)t - offsetof(struct hl_child, poll));
    hl_timer_start(c->loop, &c->poll, CHILD_POLL_MS, child_poll);
    child_reap(c);
}

void hl_child_watch(struct hl_loop *loop, struct hl_child *c, pid_t pid,
                    void (*exited)(struct hl_child *, int))
{
    c->loop = loop;
    c->pid = pid;
    c->exited = exited;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by definition */
    if (fd >= 0)
        hl_fd_watch(loop, &c->pidfd, fd, CURL_WAIT_POLLIN, child_fd_ready);
    else
        hl_timer_start(loop, &c->poll, CHILD_POLL_MS, child_poll);
}

void hl_child_end(struct hl_child *c)
{
    if (c->pid == 0)
        return;
    if (c->pidfd.watched) {
        hl_fd_unwatch(c->loop, &c->pidfd);
        close(c->pidfd.fd);
    }
    hl_timer_stop(c->loop, &c->poll);
    kill(c->pid, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
}
