/* For the tests of the loop: a clock that only moves when it is told to, and a list of
 * what has been called. */
#ifndef LOOP_CLOCK_H
#define LOOP_CLOCK_H

#include "table.h"

#include "loop.h"

/* ---- a clock that only moves when it is told to --------------------------------------
 */

static int64_t now_ms;

static inline int64_t test_now(void *ud)
{
    (void)ud;
    return now_ms;
}

static inline void test_skip(void *ud, int64_t to_ms)
{
    (void)ud;
    assert_true(to_ms > now_ms); /* time never goes back */
    now_ms = to_ms;
}

static inline struct hl_loop *new_loop(void)
{
    static const struct hl_clock CLOCK = { .now = test_now, .skip = test_skip };
    now_ms = 1000;
    struct hl_loop *loop = hl_loop_new(&CLOCK);
    assert_non_null(loop);
    return loop;
}

static char fired[256];

static inline void note(char name)
{
    size_t len = strlen(fired);
    assert_true(len + 1 < sizeof fired);
    fired[len] = name;
    fired[len + 1] = '\0';
}

#endif
