#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <halo.h>

#include "child.h"

enum { MAX_OUTPUT = 64 * 1024 };

struct command {
    struct hl_loop *loop; /* of its own: nothing else goes on meanwhile */
    struct hl_child child;
    struct hl_fd output;
    struct hl_timer timer;
    char text[MAX_OUTPUT + 1];
    size_t len;
    int status;
    bool done, timed_out, too_much;
};

#define OF(type, member, p) ((type *)((char *)(p)-offsetof(type, member)))

/* Takes what is there. Too much ends it. */
static void drain(struct command *c)
{
    ssize_t n;
    while (c->len < MAX_OUTPUT &&
           (n = read(c->output.fd, c->text + c->len, MAX_OUTPUT - c->len)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return;
        c->len += (size_t)n;
    }
    hl_fd_unwatch(c->loop, &c->output);
    c->too_much = c->len == MAX_OUTPUT;
    c->done = c->done || c->too_much;
}

static void on_output(struct hl_fd *f)
{
    drain(OF(struct command, output, f));
}

static void on_exit_of(struct hl_child *child, int status)
{
    struct command *c = OF(struct command, child, child);
    drain(c);
    c->status = status;
    c->done = true;
}

static void on_timeout(struct hl_timer *t)
{
    struct command *c = OF(struct command, timer, t);
    c->timed_out = c->done = true;
}

/* Runs it to its end, or the time's. 0 or an errno. */
static int run(struct command *c, const char *command, int timeout_ms)
{
    char *const argv[] = { "sh", "-c", (char *)command, NULL };
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    int number = hl_child_spawn(&pid, "/bin/sh", argv, (int[]){ -1, ends[1], -1 }, false);
    close(ends[1]);
    if (number == 0) {
        if (hl_child_watch(c->loop, &c->child, pid, on_exit_of) != HALO_OK ||
            hl_fd_watch(c->loop, &c->output, ends[0], false, on_output) != HALO_OK ||
            hl_timer_start(c->loop, &c->timer, timeout_ms, on_timeout) != HALO_OK)
            number = ENOMEM;
        while (number == 0 && !c->done)
            hl_loop_turn(c->loop, -1);
        hl_child_end(&c->child);
        hl_timer_stop(c->loop, &c->timer);
        hl_fd_unwatch(c->loop, &c->output);
    }
    close(ends[0]);
    return number;
}

/* The first line of what it said, or NULL and why. Nothing it said is repeated. */
static char *first_line(struct command *c, int timeout_ms, char *why, size_t room)
{
    size_t len = strcspn(c->text, "\r\n");
    if (c->timed_out)
        snprintf(why, room, "took longer than %d s", timeout_ms / 1000);
    else if (c->too_much)
        snprintf(why, room, "printed more than %d KB", MAX_OUTPUT / 1024);
    else if (WIFSIGNALED(c->status))
        snprintf(why, room, "was ended by signal %d", WTERMSIG(c->status));
    else if (WEXITSTATUS(c->status) != 0)
        snprintf(why, room, "failed with exit code %d", WEXITSTATUS(c->status));
    else if (len == 0)
        snprintf(why, room, "printed nothing in its first line");
    else
        return strndup(c->text, len);
    return NULL;
}

char *hl_profile_command(const char *command, int timeout_ms, char *why, size_t room)
{
    char *secret = NULL;
    struct command *c = calloc(1, sizeof *c);
    snprintf(why, room, "%s", halo_strerror(HALO_NOMEM));
    if (c && (c->loop = hl_loop_new(NULL)) != NULL) {
        int number = run(c, command, timeout_ms);
        if (number == 0)
            secret = first_line(c, timeout_ms, why, room);
        else
            snprintf(why, room, "cannot be started: %s", strerror(number));
        hl_loop_free(c->loop);
        explicit_bzero(c->text, c->len);
    }
    free(c);
    return secret;
}
