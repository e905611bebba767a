#include "table.h"

#include "governor.h"

/* One story on a clock: 125 a minute, two at once. */
static void test_story(void **state)
{
    static const struct {
        const char *name;
        int64_t at, hold, want;
    } CASES[] = {
        { "two may go at once", 0, 0, 0 },
        { "the second of the burst", 0, 0, 0 },
        { "the third waits", 200, 0, 284 },
        { "the refusal counted nothing", 484, 0, 0 },
        { "Retry-After holds all back", 960, 7000, 7000 },
        { "a shorter hold does not end a longer one", 1960, 10, 6000 },
        { "the first after the hold", 7960, 0, 0 },
        { "no burst after a hold", 7960, 0, 484 },
        { "later the burst is full again", 20000, 0, 0 },
        { "its second", 20000, 0, 0 },
        { "and no third", 20000, 0, 484 },
    };
    (void)state;
    struct hl_governor g;
    hl_governor_init(&g, 125, 2);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        if (CASES[i].hold)
            hl_governor_hold(&g, CASES[i].at, CASES[i].hold);
        CHECK_EQ(CASES[i].name, hl_governor_take(&g, CASES[i].at), CASES[i].want);
    }
    CHECK_END();
}

/* A client that always asks as early as it may: no window of a minute holds more than
 * allowed, and nearly as many as allowed do get through. */
static void test_every_minute(void **state)
{
    static const struct {
        const char *name;
        int per_minute, burst;
        long least; /* starts in ten minutes */
    } CASES[] = {
        { "the documented limit", 125, 10, 1150 },
        { "trial credentials", 25, 5, 200 },
        { "one a minute", 1, 1, 10 },
        { "a burst of everything", 60, 60, 60 },
        { "a burst beyond the limit", 5, 50, 5 },
        { "fast", 6000, 10, 54000 },
        { "no burst at all", 125, 0, 1240 },
    };
    static int64_t starts[70000];
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct hl_governor g;
        long n = 0, oldest = 0, most = 0;
        hl_governor_init(&g, CASES[i].per_minute, CASES[i].burst);
        for (int64_t now = 5000; now < 605000 && n < (long)COUNT(starts);) {
            int64_t wait = hl_governor_take(&g, now);
            now += wait;
            if (wait > 0)
                continue;
            starts[n++] = now;
            while (starts[oldest] <= now - 60000)
                oldest++;
            most = n - oldest > most ? n - oldest : most;
        }
        CHECK_EQ(CASES[i].name, most <= CASES[i].per_minute, true);
        CHECK_EQ(CASES[i].name, n >= CASES[i].least, true);
    }
    CHECK_END();
}

static void test_unlimited(void **state)
{
    struct hl_governor g;
    (void)state;
    hl_governor_init(&g, 0, 5);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ("0 a minute is no limit", hl_governor_take(&g, 1), 0);
    hl_governor_hold(&g, 1, 30);
    CHECK_EQ("but Retry-After holds", hl_governor_take(&g, 11), 20);
    CHECK_EQ("until it is over", hl_governor_take(&g, 31), 0);
    hl_governor_init(&g, -1, 5);
    CHECK_EQ("nor is a negative one", hl_governor_take(&g, 1), 0);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_every_minute),
        cmocka_unit_test(test_unlimited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
