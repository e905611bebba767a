/* Child processes on the loop, without signal handlers. Embedded, zero-initialised. */
#ifndef HL_CHILD_H
#define HL_CHILD_H

#include "loop.h"

struct hl_child {
    pid_t pid;
    struct hl_fd pidfd;
    struct hl_timer poll; /* where the kernel has no pidfd_open */
    void (*exited)(struct hl_child *c,
                   int status); /* once, with wait(2)'s status; it was reaped */
    struct hl_loop *loop;
};
/* Starts a program; path is searched for in PATH when it has no slash. ends: its stdin, stdout and
 * stderr, each -1 for ours. own_group: Ctrl-C in our terminal does not reach it; otherwise it
 * may ask there. Signals that the program around us ignores are not ignored by the child.
 * Returns 0 or an errno. */
int hl_child_spawn(pid_t *pid, const char *path, char *const argv[], const int ends[3],
                   bool own_group);

/* The child must be a fresh one of the caller's that nobody else waits for. HALO_OK, or
 * HALO_NOMEM: then it is the caller's to end with hl_child_end. */
int hl_child_watch(struct hl_loop *loop, struct hl_child *c, pid_t pid,
                   void (*exited)(struct hl_child *, int));
/* Stops watching; when the child still runs it is killed (SIGKILL) and reaped. Fine when
 * not watched. */
void hl_child_end(struct hl_child *c);

#endif
