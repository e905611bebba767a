/* Tables of cases for cmocka: a case that fails is named and the others still run; the
 * test fails at its end. */
#ifndef TABLE_H
#define TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* How many cases of the running test have failed. */
static int failures;

#define CHECK_EQ(name, got, want) \
    check_eq(__FILE__, __LINE__, name, #got, (long long)(got), (long long)(want))
#define CHECK_STR(name, got, want) check_str(__FILE__, __LINE__, name, #got, got, want)

/* Last in every test. */
#define CHECK_END()                  \
    do {                             \
        int failed = failures;       \
        failures = 0;                \
        assert_int_equal(failed, 0); \
    } while (0)

static inline void check_eq(const char *file, int line, const char *name,
                            const char *what, long long got, long long want)
{
    if (got == want)
        return;
    failures++;
    print_error("%s:%d: \"%s\": %s is %lld, not %lld\n", file, line, name, what, got,
                want);
}

static inline void check_str(const char *file, int line, const char *name,
                             const char *what, const char *got, const char *want)
{
    if (strcmp(got, want) == 0)
        return;
    failures++;
    print_error("%s:%d: \"%s\": %s is\n  %s\nnot\n  %s\n", file, line, name, what, got,
                want);
}

#endif
