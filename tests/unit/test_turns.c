#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <halo.h>

#include "fs.h"
#include "loop_clock.h"
#include "turns.h"
#include "user_dir.h"

/* Eight a minute: 7 reads, 8 actions. */
enum { ACTION = true, READ = false, RATE = 8 };

static struct hl_loop *loop;

static int setup(void **state)
{
    loop = new_loop();
    *fired = '\0';
    return user_dir_setup(state);
}

static int teardown(void **state)
{
    hl_loop_free(loop);
    return user_dir_teardown(state);
}

struct waiter {
    struct hl_turn turn;
    char name;
};

static void given(struct hl_turn *t)
{
    note(((struct waiter *)t)->name);
}

static void waits(struct hl_turns *turns, struct waiter *w, char name, bool action)
{
    *w = (struct waiter){ .name = name };
    hl_turns_wait(turns, &w->turn, action, given);
}

static void test_order(void **state)
{
    static struct waiter all[20];
    static const struct {
        const char *name, *who, *want; /* who: capitals are actions */
        int64_t until_ms;
    } CASES[] = {
        { "reads stop before the limit", "abcdefghi", "abcdefg", 1000 },
        { "an action goes before the reads that wait", "J", "abcdefgJ", 1000 },
        { "beyond the limit all wait", "KLm", "abcdefgJ", 62999 },
        { "a minute later: actions first, then first come", "", "abcdefgJKLhim", 63000 },
    };
    struct hl_turns turns;
    size_t n = 0;
    (void)state;
    hl_turns_init(&turns, loop, RATE);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        for (const char *who = CASES[i].who; *who; who++)
            waits(&turns, &all[n++], *who, *who < 'a');
        while (now_ms < CASES[i].until_ms &&
               now_ms + hl_loop_timeout(loop) <= CASES[i].until_ms)
            hl_loop_turn(loop, -1);
        CHECK_STR(CASES[i].name, fired, CASES[i].want);
    }
    waits(&turns, &all[n], 'n', READ);
    waits(&turns, &all[n + 1], 'O', ACTION);
    waits(&turns, &all[n + 2], 'P', ACTION);
    hl_turns_leave(&all[n].turn);
    hl_turns_leave(&all[n].turn); /* twice is fine */
    hl_turns_refused(&turns, 5000);
    for (int i = 0; i < 9; i++)
        hl_loop_turn(loop, -1);
    CHECK_STR("who left gets no turn", fired + 13, "nOP");
    hl_turns_stop(&turns);
    CHECK_END();
}

/* No more than so many at a time; the others follow as turns end. */
static void test_at_once(void **state)
{
    static struct waiter all[HL_TURNS_AT_ONCE + 5];
    struct hl_turns turns;
    (void)state;
    hl_turns_init(&turns, loop, 0);
    for (size_t i = 0; i < HL_TURNS_AT_ONCE; i++)
        waits(&turns, &all[i], 'x', READ);
    CHECK_EQ("that many go at once", strlen(fired), HL_TURNS_AT_ONCE);
    for (size_t i = 0; i < 5; i++)
        waits(&turns, &all[HL_TURNS_AT_ONCE + i], "abCde"[i], i == 2);
    CHECK_EQ("the others wait", strlen(fired), HL_TURNS_AT_ONCE);
    hl_turns_leave(&all[0].turn);
    hl_turns_leave(&all[0].turn); /* twice is fine */
    hl_loop_turn(loop, -1);
    CHECK_STR("an action first", fired + HL_TURNS_AT_ONCE, "C");
    hl_turns_leave(&all[HL_TURNS_AT_ONCE + 1].turn);
    hl_turns_leave(&all[HL_TURNS_AT_ONCE + 2].turn);
    hl_turns_leave(&all[1].turn);
    hl_loop_turn(loop, -1);
    CHECK_STR("then first come, but who left", fired + HL_TURNS_AT_ONCE, "Cad");
    hl_turns_leave(&all[2].turn);
    hl_turns_leave(&all[3].turn);
    hl_loop_turn(loop, -1);
    CHECK_STR("all", fired + HL_TURNS_AT_ONCE, "Cade");
    hl_turns_stop(&turns);
    CHECK_END();
}

/* Waits of a fleet that look every 20 s (pace.h): each is a turn again and again. */
enum { FLEET = 500, GAP_MS = 20000, MINUTES = 20 };

static struct watcher {
    struct hl_turn turn;
    struct hl_timer timer;
    int64_t looked_ms;
} fleet[FLEET];
static struct hl_turns fleet_turns;
static int64_t looks[FLEET * 3 * MINUTES], longest_ms;
static int look_count;

static void fleet_asks(struct hl_timer *t);

static void fleet_looks(struct hl_turn *t)
{
    struct watcher *w = (struct watcher *)t;
    if (now_ms - w->looked_ms > longest_ms)
        longest_ms = now_ms - w->looked_ms;
    w->looked_ms = looks[look_count++] = now_ms;
    hl_turns_leave(t);
    assert_int_equal(hl_timer_start(loop, &w->timer, GAP_MS, fleet_asks), HALO_OK);
}

static void fleet_asks(struct hl_timer *t)
{
    struct watcher *w = (struct watcher *)((char *)t - offsetof(struct watcher, timer));
    hl_turns_wait(&fleet_turns, &w->turn, READ, fleet_looks);
}

/* The bound of turns.h, and no minute with more than the API allows. */
static void test_fleet(void **state)
{
    int most = 0;
    (void)state;
    hl_turns_init(&fleet_turns, loop, 125);
    for (int i = 0; i < FLEET; i++) {
        fleet[i].looked_ms = now_ms;
        fleet_asks(&fleet[i].timer);
    }
    while (now_ms < MINUTES * 60000)
        hl_loop_turn(loop, -1);
    for (int i = 0, oldest = 0; i < look_count; i++) {
        while (looks[oldest] <= looks[i] - 60000)
            oldest++;
        most = i - oldest + 1 > most ? i - oldest + 1 : most;
    }
    CHECK_EQ("reads in the fullest minute", most, 110);
    CHECK_EQ("all that is allowed is used", look_count >= (MINUTES - 1) * 60 / 62 * 110,
             true);
    CHECK_EQ("nobody waits longer than the bound",
             longest_ms <= GAP_MS + (FLEET + 109) / 110 * 62000, true);
    CHECK_EQ("and the bound is close", longest_ms > 4 * 62000, true);
    for (int i = 0; i < FLEET; i++) {
        hl_turns_leave(&fleet[i].turn);
        hl_timer_stop(loop, &fleet[i].timer);
    }
    hl_turns_stop(&fleet_turns);
    CHECK_END();
}

/* The only file of the directory. */
static void rate_file(char *path, size_t room)
{
    char key[HL_USERDIR_KEY + 1];
    assert_true(hl_userdir_key(key, (const char *const[]){ "url", "id" }, 2));
    snprintf(path, room, "%s/%s.rate", dir, key);
}

static struct hl_turns shared(const char *url, const char *id)
{
    struct hl_turns turns;
    hl_turns_init(&turns, loop, RATE);
    hl_turns_share(&turns, &user_dir, url, id);
    return turns;
}

/* How many of ten requests go at once. */
static int at_once(struct hl_turns *turns, bool action)
{
    struct waiter w[10];
    *fired = '\0';
    for (int i = 0; i < 10; i++)
        waits(turns, &w[i], 'x', action);
    for (int i = 0; i < 10; i++)
        hl_turns_leave(&w[i].turn);
    return (int)strlen(fired);
}

static void test_shared(void **state)
{
    (void)state;
    struct hl_turns a = shared("url", "id"), b = shared("url", "id"),
                    c = shared("url", "other"), d = shared("other", "id");
    CHECK_EQ("the first takes what reads may", at_once(&a, READ), 7);
    CHECK_EQ("nothing is left for the second", at_once(&b, READ), 0);
    CHECK_EQ("but one action", at_once(&b, ACTION), 1);
    CHECK_EQ("and that was the last", at_once(&a, ACTION), 0);
    CHECK_EQ("another client has its own", at_once(&c, READ), 7);
    CHECK_EQ("another service, too", at_once(&d, READ), 7);
    hl_turns_stop(&a);
    hl_turns_stop(&b);
    a = shared("url", "id");
    CHECK_EQ("it outlives processes", at_once(&a, READ), 0);
    hl_turns_stop(&a);

    CHECK_EQ("refused", hl_turns_refused(&c, 60000), 0);
    a = shared("url", "other");
    CHECK_EQ("all hold back", at_once(&a, ACTION), 0);
    hl_turns_stop(&a);
    hl_turns_stop(&c);
    hl_turns_stop(&d);
    CHECK_END();
}

static void test_learned(void **state)
{
    struct hl_turns a, b;
    (void)state;
    hl_turns_init(&a, loop, 125);
    hl_turns_init(&b, loop, 125);
    hl_turns_share(&a, &user_dir, "url", "id");
    hl_turns_share(&b, &user_dir, "url", "id");
    at_once(&a, READ);
    CHECK_EQ("told the first time", hl_turns_refused(&a, 0), 25);
    CHECK_EQ("not again", hl_turns_refused(&b, 0), 0);
    int sum = 9; /* one of the ten was refused */
    for (int i = 0; i < 5; i++)
        sum += at_once(&b, ACTION);
    CHECK_EQ("the other keeps to it", sum <= 25, true);
    hl_turns_stop(&a);
    hl_turns_stop(&b);
    CHECK_END();
}

/* Files that are not what they should be. */
static void test_bad_files(void **state)
{
    static const char NOISE[4096] =
        "halo rate 1\n\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff";
    char path[400];
    (void)state;
    rate_file(path, sizeof path);
    struct hl_turns a = shared("url", "id");
    assert_int_equal(at_once(&a, READ), 7);
    for (size_t len = 0; len < sizeof NOISE; len += 100) {
        assert_int_equal(hl_fs_write(path, NOISE, len, 0600), HALO_OK);
        struct hl_turns b = shared("url", "id");
        CHECK_EQ("as if nothing was sent", at_once(&b, READ), 7);
        CHECK_EQ("written anew", at_once(&b, READ), 0);
        hl_turns_stop(&b);
    }
    assert_int_equal(chmod(path, 0644), 0);
    struct hl_turns b = shared("url", "id");
    CHECK_EQ("open to others: not used", b.file.open, false);
    CHECK_EQ("each for itself", at_once(&b, READ), 7);
    hl_turns_stop(&b);
    assert_int_equal(unlink(path) || symlink("/dev/null", path), 0);
    b = shared("url", "id");
    CHECK_EQ("a symlink: not used", b.file.open, false);
    hl_turns_stop(&b);
    hl_turns_stop(&a);
    CHECK_END();
}

/* A process that was stopped while it had the lock does not stop the others. */
static void test_lock(void **state)
{
    char path[400];
    (void)state;
    rate_file(path, sizeof path);
    struct hl_turns a = shared("url", "id");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && flock(fd, LOCK_EX) == 0);
    CHECK_EQ("it goes on by itself", at_once(&a, READ), 7);
    close(fd);
    CHECK_EQ("what it sent meanwhile is not known to all", at_once(&a, ACTION), 8);
    hl_turns_stop(&a);

    struct hl_turns none;
    hl_turns_init(&none, loop, 0);
    hl_turns_share(&none, &user_dir, "url", "id");
    CHECK_EQ("without a limit nothing is shared", none.file.open, false);
    CHECK_EQ("and nothing waits", at_once(&none, READ), 10);
    hl_turns_stop(&none);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_learned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
