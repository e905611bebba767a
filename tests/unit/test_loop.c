#include <stdlib.h>
#include <unistd.h>

#include <halo.h>

#include "loop_clock.h"

/* ---- timers with a letter, which write down that they fired --------------------------
 */

struct letter {
    struct hl_timer timer;
    struct hl_loop *loop;
    char name;
    struct letter *stops, *starts; /* what its callback does */
    int64_t delay;                 /* of what it starts */
    int times;                     /* how often it still starts it */
};

static void on_letter(struct hl_timer *t)
{
    struct letter *l = (struct letter *)((char *)t - offsetof(struct letter, timer));
    assert_int_equal(t->place, 0); /* disarmed before it is called */
    note(l->name);
    if (l->stops)
        hl_timer_stop(l->loop, &l->stops->timer);
    if (l->starts && l->times-- > 0)
        assert_int_equal(hl_timer_start(l->loop, &l->starts->timer, l->delay, on_letter),
                         HALO_OK);
}

static void start(struct letter *l, int64_t delay)
{
    assert_int_equal(hl_timer_start(l->loop, &l->timer, delay, on_letter), HALO_OK);
}

/* Timers a to d are started with a delay ("a10") or stopped ("a-"); then turns are taken
 * until none is left. */
static void test_timers(void **state)
{
    static const struct {
        const char *name, *steps, *want;
        int64_t took_ms;
        int turns;
    } CASES[] = {
        { "nothing", "", "", 0, 0 },
        { "one", "a50", "a", 50, 1 },
        { "at once", "a0", "a", 0, 1 },
        { "in the past is at once", "a-5", "a", 0, 1 },
        { "equal times: first in, first out", "a10 b10 c10 d10", "abcd", 10, 1 },
        { "negative ones are equal too", "a-1 b-9 c0", "abc", 0, 1 },
        { "by time", "a30 b10 c20 d10", "bdca", 30, 3 },
        { "stopped", "a10 b10 c10 b-", "ac", 10, 1 },
        { "the last one stopped", "a10 a-", "", 0, 0 },
        { "stopped twice, and never started", "a10 b- a- a-", "", 0, 0 },
        { "started again goes to the back", "a10 b10 a10", "ba", 10, 1 },
        { "started again for later", "a10 b20 a30", "ba", 30, 2 },
        { "started again for sooner", "a30 b20 a10", "ab", 20, 2 },
        { "stopped and started", "a10 a- b10 a10", "ba", 10, 1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct hl_loop *loop = new_loop();
        struct letter letters[4] = { 0 };
        for (int k = 0; k < 4; k++)
            letters[k] = (struct letter){ .loop = loop, .name = (char)('a' + k) };
        fired[0] = '\0';
        for (const char *at = CASES[i].steps; *at; at += strspn(at, " ")) {
            struct letter *l = &letters[*at++ - 'a'];
            char *end;
            long delay = strtol(at, &end, 10);
            if (end == at)
                hl_timer_stop(loop, &l->timer);
            else
                start(l, delay);
            at += strcspn(at, " ");
        }
        int turns = 0;
        for (; hl_loop_timeout(loop) >= 0; turns++)
            hl_loop_turn(loop, -1);
        CHECK_STR(CASES[i].name, fired, CASES[i].want);
        CHECK_EQ(CASES[i].name, now_ms - 1000, CASES[i].took_ms);
        CHECK_EQ(CASES[i].name, turns, CASES[i].turns);
        hl_loop_free(loop);
    }
    CHECK_END();
}

/* 300 timers in no order, some stopped, some started again: they fire by (time, order).
 */
static void test_many_timers(void **state)
{
    enum { MANY = 300 };
    static struct many {
        struct hl_timer timer;
        uint64_t last_order;
    } all[MANY];
    struct hl_loop *loop = new_loop();
    unsigned random = 12345;
    int64_t before_ms = 0;
    uint64_t before_order = 0;
    int live = 0;
    (void)state;
    memset(all, 0, sizeof all);
    for (int i = 0; i < 3 * MANY; i++) {
        random = random * 1103515245 + 12345;
        struct hl_timer *t = &all[(random >> 8) % MANY].timer;
        if (random >> 29 == 0)
            hl_timer_stop(loop, t);
        else
            assert_int_equal(hl_timer_start(loop, t, (random >> 16) % 50, NULL), HALO_OK);
    }
    for (int i = 0; i < MANY; i++)
        live += all[i].timer.place > 0;
    assert_in_range(live, MANY / 2, MANY);
    for (; hl_loop_timeout(loop) >= 0; live--) { /* the earliest is always at the top */
        struct hl_timer *top = NULL;
        for (int i = 0; i < MANY; i++)
            if (all[i].timer.place == 1)
                top = &all[i].timer;
        assert_non_null(top);
        assert_true(top->at_ms > before_ms ||
                    (top->at_ms == before_ms && top->order > before_order));
        assert_int_equal(hl_loop_timeout(loop), top->at_ms - now_ms);
        before_ms = top->at_ms;
        before_order = top->order;
        hl_timer_stop(loop, top);
    }
    assert_int_equal(live, 0);
    hl_loop_free(loop);
}

static void test_timers_in_callbacks(void **state)
{
    struct hl_loop *loop = new_loop();
    struct letter a = { .loop = loop, .name = 'a' }, b = { .loop = loop, .name = 'b' },
                  c = { .loop = loop, .name = 'c' };
    (void)state;

    fired[0] = '\0'; /* stops one that is due in the same turn, and itself */
    a.stops = &b;
    c.stops = &c;
    start(&a, 10);
    start(&b, 10);
    start(&c, 10);
    CHECK_EQ("two are left", hl_loop_turn(loop, -1), 2);
    CHECK_STR("the stopped one", fired, "ac");
    CHECK_EQ("none is armed", hl_loop_timeout(loop), -1);

    fired[0] = '\0'; /* starts itself again at once: the others and the turn go on */
    a = (struct letter){ .loop = loop, .name = 'a', .starts = &a, .times = 3 };
    b.stops = NULL;
    start(&a, 0);
    start(&b, 0);
    CHECK_EQ("first turn", hl_loop_turn(loop, -1), 2);
    CHECK_STR("each once", fired, "ab");
    CHECK_EQ("it is due", hl_loop_timeout(loop), 0);
    CHECK_EQ("second turn", hl_loop_turn(loop, -1), 1);
    CHECK_EQ("third turn", hl_loop_turn(loop, 0), 1);
    CHECK_EQ("fourth turn", hl_loop_turn(loop, -1), 1);
    CHECK_STR("one for each turn", fired, "abaaa");
    CHECK_EQ("no time passed", now_ms, 1010);

    fired[0] = '\0'; /* starts another, which waits behind what is due already */
    a = (struct letter){ .loop = loop, .name = 'a', .starts = &c, .times = 1 };
    c = (struct letter){ .loop = loop, .name = 'c' };
    start(&a, 5);
    start(&b, 5);
    hl_loop_turn(loop, -1);
    CHECK_STR("not in this turn", fired, "ab");
    hl_loop_turn(loop, -1);
    CHECK_STR("but in the next", fired, "abc");

    fired[0] = '\0'; /* moves another that is due away */
    a = (struct letter){
        .loop = loop, .name = 'a', .starts = &b, .times = 1, .delay = 7
    };
    start(&a, 5);
    start(&b, 5);
    hl_loop_turn(loop, -1);
    CHECK_STR("moved", fired, "a");
    CHECK_EQ("by 7 ms", hl_loop_timeout(loop), 7);
    hl_loop_turn(loop, -1);
    CHECK_STR("fires then", fired, "ab");
    hl_loop_free(loop);
    CHECK_END();
}

static void test_time(void **state)
{
    struct hl_loop *loop = new_loop();
    struct letter a = { .loop = loop, .name = 'a' };
    (void)state;
    fired[0] = '\0';
    CHECK_EQ("no timer", hl_loop_timeout(loop), -1);
    CHECK_EQ("nothing to do", hl_loop_turn(loop, 0), 0);
    start(&a, 100);
    CHECK_EQ("in 100 ms", hl_loop_timeout(loop), 100);
    CHECK_EQ("not within 99", hl_loop_turn(loop, 99), 0);
    CHECK_EQ("and the clock stays", now_ms, 1000);
    now_ms = 1040;
    CHECK_EQ("the time is always the clock's", hl_loop_now(loop), 1040);
    CHECK_EQ("what is left", hl_loop_timeout(loop), 60);
    hl_loop_turn(loop, 0);
    CHECK_EQ("the next turn's time", hl_loop_now(loop), 1040);
    CHECK_EQ("within 60", hl_loop_turn(loop, 60), 1);
    CHECK_EQ("then it is then", hl_loop_now(loop), 1100);
    start(&a, 10);
    now_ms = 5000;
    CHECK_EQ("overdue", hl_loop_timeout(loop), 0);
    CHECK_EQ("fires", hl_loop_turn(loop, -1), 1);
    CHECK_EQ("without another skip", now_ms, 5000);
    start(&a, INT64_C(10000000000));
    CHECK_EQ("far away, and an int", hl_loop_timeout(loop), 1000000000);
    hl_timer_stop(loop, &a.timer);
    hl_loop_free(loop);
    hl_loop_free(NULL);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_many_timers),
        cmocka_unit_test(test_timers_in_callbacks),
        cmocka_unit_test(test_time),
    };
    alarm(30); /* a turn that never returns ends the program instead */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
