#include "child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <halo.h>

enum { CHILD_POLL_MS = 50 }; /* only where the kernel has no pidfd_open */

int hl_child_spawn(pid_t *pid, const char *path, char *const argv[], const int ends[3],
                   bool own_group)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, ignored;
    sigemptyset(&none);
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    sigaddset(&ignored, SIGXFSZ);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attr) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &ignored);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr,
                             (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                     (own_group ? POSIX_SPAWN_SETPGROUP : 0)));
    int number = 0;
    for (int i = 0; i < 3 && number == 0; i++)
        if (ends[i] >= 0)
            number = posix_spawn_file_actions_adddup2(&actions, ends[i], i);
    if (number == 0)
        number = posix_spawnp(pid, path, &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return number;
}

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

int hl_child_watch(struct hl_loop *loop, struct hl_child *c, pid_t pid,
                   void (*exited)(struct hl_child *, int))
{
    c->loop = loop;
    c->pid = pid;
    c->exited = exited;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by definition */
    if (fd >= 0 && hl_fd_watch(loop, &c->pidfd, fd, false, child_fd_ready) == HALO_OK)
        return HALO_OK;
    if (fd >= 0)
        close(fd);
    return hl_timer_start(loop, &c->poll, CHILD_POLL_MS, child_poll);
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
