#include "table.h"

#include "pace.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_slow_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
