#include "table.h"

#include "pace_simulation.h"

/* Looks one after the other, each taking no time. -1 ends a row. */
static void test_rows(void **state)
{
    static const struct {
        const char *name;
        int64_t interval, timeout;
        double random;
        int64_t want[14];
    } CASES[] = {
        { "at once, then growing to 15 s",
          0,
          -1,
          0.5,
          { 0, 1000, 1500, 2250, 3375, 5062, 7593, 11389, 15000, 15000 } },
        { "up to a tenth earlier", 0, -1, 0.0, { 0, 900, 1350, 2025 } },
        { "up to a tenth later", 0, -1, 0.9999999, { 0, 1099, 1649, 2474 } },
        { "the caller's interval neither grows nor moves",
          20000,
          -1,
          0.9,
          { 0, 20000, 20000, 20000 } },
        { "the last look is at the deadline",
          0,
          4000,
          0.5,
          { 0, 1000, 1500, 1500, -1, -1 } },
        { "also with an interval", 3000, 7000, 0.5, { 0, 3000, 3000, 1000, -1 } },
        { "a deadline on a look", 2000, 4000, 0.5, { 0, 2000, 2000, -1 } },
        { "no time still is one look", 0, 0, 0.5, { 0, -1, -1 } },
        { "a timeout beyond time is none", 5, INT64_MAX, 0.5, { 0, 5, 5 } },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct hl_pace p;
        int64_t now = 123456;
        hl_pace_init(&p, now, CASES[i].interval, CASES[i].timeout);
        for (size_t j = 0; j < COUNT(CASES[i].want); j++) {
            int64_t want = CASES[i].want[j];
            if (j > 0 && want == 0)
                break;
            CHECK_EQ(CASES[i].name, hl_pace_next(&p, now, CASES[i].random), want);
            now += want > 0 ? want : 0;
        }
    }
    CHECK_END();
}

static void test_slow_look(void **state)
{
    struct hl_pace p;
    (void)state;
    hl_pace_init(&p, 0, 0, 10000);
    CHECK_EQ("the first look", hl_pace_next(&p, 0, 0.5), 0);
    CHECK_EQ("a look that lasts past the deadline is the last",
             hl_pace_next(&p, 12000, 0.5), -1);
    hl_pace_init(&p, 0, 0, 10);
    CHECK_EQ("a late first look is granted", hl_pace_next(&p, 12000, 0.5), 0);
    CHECK_END();
}

/* What is learned spends as many looks as one every 20 s, and sees the change sooner. */
static void test_learned(void **state)
{
    /* in the order of PACE_CASES: percent of the delay of a look every 20 s, and of its
     * looks, that are not to be exceeded */
    static const struct {
        int delay, looks;
    } MOST[] = { { 33, 103 }, { 33, 103 }, { 40, 103 }, { 66, 103 },  { 33, 103 },
                 { 33, 103 }, { 36, 103 }, { 64, 103 }, { 33, 103 },  { 33, 103 },
                 { 42, 150 }, { 75, 103 }, { 52, 103 }, { 100, 120 }, { 5, 120 },
                 { 10, 180 }, { 5, 160 },  { 33, 103 } };
    (void)state;
    CHECK_EQ("a bound for each", COUNT(MOST), COUNT(PACE_CASES));
    for (size_t i = 0; i < COUNT(PACE_CASES); i++) {
        struct pace_outcome o = pace_simulate(&PACE_CASES[i]);
        int delay = (int)(100 * o.delay_s / o.delay_20_s + 0.5);
        int looks = (int)(100 * o.looks / o.looks_20 + 0.5);
        CHECK_EQ(PACE_CASES[i].name, delay > MOST[i].delay ? delay : 0, 0);
        CHECK_EQ(PACE_CASES[i].name, looks > MOST[i].looks ? looks : 0, 0);
    }
    CHECK_END();
}

/* Whatever the durations: a look comes, within bounds, and none sooner than a second. */
static void test_any_durations(void **state)
{
    static const struct {
        const char *name;
        float seconds[4];
        int count;
    } CASES[] = {
        { "one", { 100 }, 1 },
        { "the shortest", { 1, 1, 1, 1 }, 4 },
        { "all the same", { 77, 77, 77, 77 }, 4 },
        { "the shortest and the longest", { 1, 86400, 1, 86400 }, 4 },
        { "days", { 500000, 700000 }, 2 },
        { "growing", { 1, 10, 100, 1000 }, 4 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct hl_pace_model m;
        struct hl_pace p;
        int64_t now = 5000, least = INT64_MAX, most = 0;
        hl_pace_model(&m, CASES[i].seconds, CASES[i].count);
        hl_pace_init(&p, now, 0, -1);
        hl_pace_next(&p, now, 0);
        hl_pace_learned(&p, &m, now - 100);
        for (int k = 0; k < 3000; k++) {
            int64_t wait = hl_pace_next(&p, now, k % 10 / 10.0);
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
            now += wait;
        }
        CHECK_EQ(CASES[i].name, least >= 900, true);
        CHECK_EQ(CASES[i].name, most <= 60000 || most <= (int64_t)(100 * m.end_s), true);
    }
    struct hl_pace_model none;
    struct hl_pace p;
    hl_pace_model(&none, NULL, 0);
    hl_pace_init(&p, 0, 0, -1);
    hl_pace_next(&p, 0, 0);
    hl_pace_learned(&p, &none, 0);
    CHECK_EQ("nothing known: gaps grow", hl_pace_next(&p, 0, 0.5), 1000);
    hl_pace_init(&p, 0, 7000, -1);
    hl_pace_next(&p, 0, 0);
    hl_pace_model(&none, CASES[0].seconds, 1);
    hl_pace_learned(&p, &none, 0);
    CHECK_EQ("fixed gaps stay fixed", hl_pace_next(&p, 0, 0.5), 7000);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learned),
        cmocka_unit_test(test_any_durations),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_slow_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
