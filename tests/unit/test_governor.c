#include "table.h"

#include "governor.h"

enum { ACTION = true, READ = false };

/* One story on a clock, with eight a minute: reads stop at 7, actions at 8. */
static void test_story(void **state)
{
    static const struct {
        const char *name;
        int64_t at;
        int times;
        bool action;
        int64_t refused, want; /* refused: a 429 came before, with this Retry-After */
    } CASES[] = {
        { "what the limit allows may go at once", 100000, 6, READ, 0, 0 },
        { "a little later", 103000, 1, READ, 0, 0 },
        { "reads leave the last one to actions", 103500, 1, READ, 0, 58500 },
        { "the refusal counted nothing", 103500, 1, ACTION, 0, 0 },
        { "now actions wait too", 104000, 1, ACTION, 0, 58000 },
        { "more than a minute is counted", 161999, 1, ACTION, 0, 1 },
        { "the first six have left the window", 162000, 5, READ, 0, 0 },
        { "the second of 103 and the action are still in it", 162000, 1, READ, 0, 3000 },
        { "Retry-After holds all back", 200000, 1, ACTION, 7000, 7000 },
        { "a shorter hold does not end a longer one", 201000, 1, READ, 10, 6000 },
        { "after it", 207000, 1, READ, 0, 0 },
        { "no hold is longer than two minutes", 208000, 1, READ, 999000, 120000 },
        { "the clock was set back: everything is forgotten", 50000, 7, READ, 0, 0 },
        { "but counting goes on", 50000, 1, READ, 0, 62000 },
        { "a long time later", 9000000, 7, READ, 0, 0 },
    };
    (void)state;
    struct hl_rate r = { 0 };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        if (CASES[i].refused)
            hl_governor_refused(&r, 8, CASES[i].refused, CASES[i].at);
        for (int n = 0; n < CASES[i].times; n++)
            CHECK_EQ(CASES[i].name, hl_governor_take(&r, 8, CASES[i].action, CASES[i].at),
                     CASES[i].want);
    }
    CHECK_END();
}

/* A client that always asks as early as it may: no minute holds more than allowed, also
 * when the requests take up to a second longer to arrive than the first; and nearly as
 * many as allowed do get through. */
static void test_every_minute(void **state)
{
    static const struct {
        const char *name;
        int per_minute;
        bool action;
        long most, least; /* in a minute, in ten minutes */
    } CASES[] = {
        { "the documented limit", 125, ACTION, 120, 1150 },
        { "its reads", 125, READ, 110, 1050 },
        { "trial credentials", 25, ACTION, 24, 230 },
        { "their reads", 25, READ, 22, 210 },
        { "one a minute", 1, READ, 1, 9 },
        { "five a minute", 5, READ, 5, 45 },
        { "fast", 6000, READ, 5250, 50000 },
    };
    static int64_t starts[70000];
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct hl_rate r = { 0 };
        long n = 0, oldest = 0, most = 0;
        for (int64_t now = 5000; now < 605000 && n < (long)COUNT(starts);) {
            int64_t wait =
                hl_governor_take(&r, CASES[i].per_minute, CASES[i].action, now);
            now += wait;
            if (wait > 0)
                continue;
            starts[n++] = now;
            while (starts[oldest] <= now - 61000)
                oldest++;
            most = n - oldest > most ? n - oldest : most;
        }
        CHECK_EQ(CASES[i].name, most, CASES[i].most);
        CHECK_EQ(CASES[i].name, n >= CASES[i].least, true);
    }
    CHECK_END();
}

/* A server that counts a sliding minute and refuses beyond its own limit. */
static int64_t taken[1000];
static size_t taken_count;

static bool server_takes(int limit, int64_t now)
{
    size_t in_minute = 0;
    for (size_t i = 0; i < taken_count; i++)
        in_minute += taken[i] > now - 60000;
    if (in_minute >= (size_t)limit)
        return false;
    taken[taken_count++] = now;
    return true;
}

/* The limit is learned from what the server lets through, kept, and tried again later. */
static void test_learning(void **state)
{
    static const struct {
        const char *name;
        int limit, at_once, learned;
    } CASES[] = {
        { "trial credentials", 25, 1, 25 },
        { "with eight requests under way", 25, 8, 25 },
        { "others use half of it", 60, 1, 60 },
        { "others use nearly all of it: nothing lower than 25", 5, 1, 25 },
        { "the limit is as configured", 125, 8, 125 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct hl_rate r = { 0 };
        int64_t now = 1000000;
        long refused = 0;
        taken_count = 0;
        while (now < 1000000 + 300000) {
            int64_t wait = hl_governor_take(&r, 125, ACTION, now);
            int under_way = wait == 0 ? 1 : 0;
            while (under_way > 0 && under_way < CASES[i].at_once &&
                   hl_governor_take(&r, 125, ACTION, now) == 0)
                under_way++;
            for (int k = 0; k < under_way; k++) {
                if (server_takes(CASES[i].limit, now))
                    continue;
                refused++;
                hl_governor_refused(&r, 125, 60000, now);
            }
            now += wait + 10;
        }
        CHECK_EQ(CASES[i].name, hl_governor_limit(&r, 125, now), CASES[i].learned);
        if (CASES[i].limit >= HL_LEAST_PER_MINUTE)
            CHECK_EQ(CASES[i].name, refused <= CASES[i].at_once, true);
        CHECK_EQ("forgotten after a while",
                 hl_governor_limit(&r, 125, r.learned_ms + HL_LEARNED_MS), 125);
        CHECK_EQ("never above what is configured", hl_governor_limit(&r, 3, r.learned_ms),
                 3);
    }
    CHECK_END();
}

static void test_unlimited(void **state)
{
    struct hl_rate r = { 0 };
    (void)state;
    for (int i = 0; i < 1000; i++)
        CHECK_EQ("0 a minute is no limit", hl_governor_take(&r, 0, READ, 1), 0);
    hl_governor_refused(&r, 0, 30, 1);
    CHECK_EQ("but Retry-After holds", hl_governor_take(&r, 0, ACTION, 11), 20);
    CHECK_EQ("until it is over", hl_governor_take(&r, -1, READ, 31), 0);
    CHECK_EQ("and nothing is learned", hl_governor_limit(&r, 0, 31), 0);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_every_minute),
        cmocka_unit_test(test_learning),
        cmocka_unit_test(test_unlimited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
