/* The loop's descriptors, wake-up and children; test_loop.c has its timers. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <halo.h>

#include "child.h"
#include "loop_clock.h"

/* ---- descriptors: pipes with a letter ------------------------------------------------
 */

struct pipe_letter {
    struct hl_fd fd;
    struct hl_loop *loop;
    int read_end, write_end;
    char name;
    struct pipe_letter *
        *frees; /* what its callback unwatches and frees, itself perhaps */
    struct pipe_letter *watches;
};

static void on_pipe(struct hl_fd *f);

static struct pipe_letter *new_pipe(struct hl_loop *loop, char name, bool filled)
{
    int ends[2];
    struct pipe_letter *p = calloc(1, sizeof *p);
    assert_non_null(p);
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    p->loop = loop;
    p->name = name;
    p->read_end = ends[0];
    p->write_end = ends[1];
    if (filled)
        assert_int_equal(write(p->write_end, "x", 1), 1);
    assert_int_equal(hl_fd_watch(loop, &p->fd, p->read_end, false, on_pipe), HALO_OK);
    return p;
}

static void free_pipe(struct pipe_letter *p)
{
    hl_fd_unwatch(p->loop, &p->fd);
    hl_fd_unwatch(p->loop, &p->fd); /* fine when not watched */
    close(p->read_end);
    close(p->write_end);
    free(p);
}

static void on_pipe(struct hl_fd *f)
{
    struct pipe_letter *p =
        (struct pipe_letter *)((char *)f - offsetof(struct pipe_letter, fd));
    char c;
    note(p->name);
    if (p->watches) {
        struct pipe_letter *w = p->watches;
        hl_fd_watch(w->loop, &w->fd, w->read_end, false, on_pipe);
    }
    assert_int_equal(read(p->read_end, &c, 1), 1);
    if (p->frees) {
        struct pipe_letter *gone = *p->frees;
        *p->frees = NULL;
        free_pipe(gone);
    }
}

static void test_descriptors(void **state)
{
    struct hl_loop *loop = new_loop();
    struct pipe_letter *a = new_pipe(loop, 'a', false), *b = new_pipe(loop, 'b', true);
    (void)state;
    fired[0] = '\0';
    CHECK_EQ("one is ready", hl_loop_turn(loop, 0), 1);
    CHECK_EQ("and read empty", hl_loop_turn(loop, 0), 0);
    assert_int_equal(write(a->write_end, "xx", 2), 2);
    assert_int_equal(write(b->write_end, "x", 1), 1);
    CHECK_EQ("two are", hl_loop_turn(loop, 0), 2);
    CHECK_EQ("one has more", hl_loop_turn(loop, 0), 1);
    CHECK_EQ("how often", strlen(fired), 4);
    hl_fd_unwatch(loop, &b->fd);
    assert_int_equal(write(b->write_end, "x", 1), 1);
    CHECK_EQ("not watched", hl_loop_turn(loop, 0), 0);
    hl_fd_watch(loop, &b->fd, b->read_end, false, on_pipe);
    CHECK_EQ("watched again", hl_loop_turn(loop, 0), 1);
    hl_fd_watch(loop, &b->fd, b->read_end, true, on_pipe);
    assert_int_equal(write(b->write_end, "x", 1), 1);
    CHECK_EQ("for what never comes", hl_loop_turn(loop, 0), 0);
    hl_fd_watch(loop, &b->fd, a->write_end, true, on_pipe);
    CHECK_EQ("another descriptor, for writing", hl_loop_turn(loop, 0), 1);
    hl_fd_watch(loop, &b->fd, a->read_end, false, on_pipe);
    CHECK_EQ("and back", hl_loop_turn(loop, 0), 0);
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_EQ("what cannot be watched", hl_fd_watch(loop, &b->fd, file, false, on_pipe),
             HALO_NOMEM);
    CHECK_EQ("is not", b->fd.watched, false);
    close(file);
    hl_fd_unwatch(loop, &b->fd);
    free_pipe(a);
    free_pipe(b);
    hl_loop_free(loop);
    CHECK_END();
}

static struct hl_loop *busy_loop;

/* Is due again at once, each time. */
static void on_busy(struct hl_timer *t)
{
    note('t');
    assert_int_equal(hl_timer_start(busy_loop, t, 0, on_busy), HALO_OK);
}

/* What is ready runs before what is due; both in one turn. */
static void test_descriptors_and_timers(void **state)
{
    struct hl_loop *loop = new_loop();
    struct hl_timer t = { 0 };
    struct pipe_letter *p = new_pipe(loop, 'p', true);
    (void)state;
    fired[0] = '\0';
    busy_loop = loop;
    assert_int_equal(hl_timer_start(loop, &t, 0, on_busy), HALO_OK);
    CHECK_EQ("both", hl_loop_turn(loop, -1), 2);
    assert_int_equal(write(p->write_end, "x", 1), 1);
    CHECK_EQ("a busy timer starves no descriptor", hl_loop_turn(loop, -1), 2);
    CHECK_STR("in this order", fired, "ptpt");
    hl_timer_stop(loop, &t);
    free_pipe(p);
    hl_loop_free(loop);
    CHECK_END();
}

/* Two are ready in one turn and the first callback frees one of them: the sanitizer sees
 * whether it is touched again. */
static void test_descriptors_in_callbacks(void **state)
{
    (void)state;
    for (int itself = 0; itself <= 1; itself++) {
        struct hl_loop *loop = new_loop();
        struct pipe_letter *pipes[3];
        for (int i = 0; i < 3; i++)
            pipes[i] = new_pipe(loop, (char)('a' + i), true);
        for (int i = 0; i < 3; i++) /* whichever runs first */
            pipes[i]->frees = &pipes[itself ? i : (i + 1) % 3];
        fired[0] = '\0';
        int ran = hl_loop_turn(loop, 0);
        CHECK_EQ("each at most once", ran, (int)strlen(fired));
        CHECK_EQ(itself ? "all free themselves" : "the freed one does not run",
                 itself ? ran == 3 : ran < 3, true);
        for (int i = 0; i < 3; i++)
            if (pipes[i])
                free_pipe(pipes[i]);
        hl_loop_free(loop);
    }

    struct hl_loop *loop = new_loop(); /* one that is watched in a callback: next turn */
    struct pipe_letter *a = new_pipe(loop, 'a', true), *b = new_pipe(loop, 'b', true);
    hl_fd_unwatch(loop, &b->fd);
    a->watches = b;
    fired[0] = '\0';
    CHECK_EQ("the watching one", hl_loop_turn(loop, 0), 1);
    CHECK_EQ("the watched one", hl_loop_turn(loop, 0), 1);
    CHECK_STR("in turn", fired, "ab");
    free_pipe(a);
    free_pipe(b);

    struct pipe_letter *many[40]; /* more than fit where few do */
    for (int i = 0; i < 40; i++)
        many[i] = new_pipe(loop, 'm', i % 2);
    fired[0] = '\0';
    CHECK_EQ("every other one of many", hl_loop_turn(loop, 0), 20);
    for (int i = 0; i < 40; i++)
        free_pipe(many[i]);
    hl_loop_free(loop);
    CHECK_END();
}

/* ---- the wake-up: on the system's clock, since these turns do block -------------------
 */

struct waker {
    struct hl_loop *loop;
    atomic_int woke;
};

static void *wake(void *arg)
{
    struct waker *w = arg;
    atomic_store(&w->woke, 1);
    hl_loop_wakeup(w->loop);
    return NULL;
}

static struct hl_loop *signalled;

static void on_signal(int number)
{
    (void)number;
    hl_loop_wakeup(signalled);
}

static void test_wakeup(void **state)
{
    struct hl_loop *loop = hl_loop_new(NULL);
    struct waker w = { .loop = loop };
    pthread_t thread;
    (void)state;
    assert_non_null(loop);
    for (int i = 0; i < 50; i++) { /* before the turn or during it: it returns */
        atomic_store(&w.woke, 0);
        assert_int_equal(pthread_create(&thread, NULL, wake, &w), 0);
        CHECK_EQ("no callback", hl_loop_turn(loop, -1), 0);
        CHECK_EQ("only when woken", atomic_load(&w.woke), 1);
        pthread_join(thread, NULL);
    }
    for (int i = 0; i < 200000; i++) /* more than a pipe holds */
        hl_loop_wakeup(loop);
    CHECK_EQ("many are one", hl_loop_turn(loop, -1), 0);

    struct sigaction action = { .sa_handler = on_signal }, old;
    signalled = loop;
    sigaction(SIGUSR1, &action, &old);
    errno = EDOM;
    raise(SIGUSR1);
    CHECK_EQ("errno is kept", errno, EDOM);
    CHECK_EQ("from a handler", hl_loop_turn(loop, -1), 0);
    sigaction(SIGUSR1, &old, NULL);
    hl_loop_free(loop);
    CHECK_END();
}

/* ---- children ------------------------------------------------------------------------
 */

struct family {
    struct hl_child child;
    int status, calls;
    struct family *next; /* watched when this one has exited */
    pid_t next_pid;
};

static void on_exit_of(struct hl_child *c, int status)
{
    struct family *f = (struct family *)((char *)c - offsetof(struct family, child));
    f->status = status;
    f->calls++;
    if (f->next)
        hl_child_watch(c->loop, &f->next->child, f->next_pid, on_exit_of);
}

/* how: the code to exit with, or minus the signal to die of; 1000: waits to be killed. */
static pid_t child(int how)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (how < 0)
            raise(-how);
        while (how == 1000)
            pause();
        _exit(how);
    }
    assert_true(pid > 0);
    return pid;
}

static void test_children(void **state)
{
    static const struct {
        const char *name;
        int how;
    } CASES[] = {
        { "succeeds", 0 },
        { "fails", 7 },
        { "is killed", -SIGKILL },
        { "is terminated", -SIGTERM },
    };
    struct hl_loop *loop = hl_loop_new(NULL);
    (void)state;
    assert_non_null(loop);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct family f = { 0 };
        pid_t pid = child(CASES[i].how);
        hl_child_watch(loop, &f.child, pid, on_exit_of);
        while (f.calls == 0)
            hl_loop_turn(loop, -1);
        bool died = CASES[i].how < 0;
        CHECK_EQ(CASES[i].name, died ? WIFSIGNALED(f.status) : WIFEXITED(f.status), true);
        CHECK_EQ(CASES[i].name, died ? -WTERMSIG(f.status) : WEXITSTATUS(f.status),
                 CASES[i].how);
        CHECK_EQ(CASES[i].name, waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD, true);
        CHECK_EQ(CASES[i].name, hl_loop_turn(loop, 0), 0); /* told once */
        CHECK_EQ(CASES[i].name, f.child.pid, 0); /* it may be another's by now */
        hl_child_end(&f.child);
        CHECK_EQ(CASES[i].name, f.calls, 1);
    }

    struct family second = { 0 }, first = { .next = &second, .next_pid = child(2) };
    hl_child_watch(loop, &first.child, child(1), on_exit_of);
    while (second.calls == 0)
        hl_loop_turn(loop, -1);
    CHECK_EQ("one after the other",
             WEXITSTATUS(first.status) * 10 + WEXITSTATUS(second.status), 12);

    struct family running = { 0 };
    pid_t pid = child(1000);
    hl_child_watch(loop, &running.child, pid, on_exit_of);
    CHECK_EQ("it runs", hl_loop_turn(loop, 0), 0);
    hl_child_end(&running.child);
    CHECK_EQ("then it does not", kill(pid, 0) < 0 && errno == ESRCH, true);
    CHECK_EQ("nor has it a number", running.child.pid, 0);
    CHECK_EQ("which is not told", hl_loop_turn(loop, 0) + running.calls, 0);
    hl_child_end(&running.child);
    hl_loop_free(loop);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_descriptors_and_timers),
        cmocka_unit_test(test_descriptors_in_callbacks),
        cmocka_unit_test(test_wakeup),
        cmocka_unit_test(test_children),
    };
    alarm(30); /* a turn that never returns ends the program instead */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
