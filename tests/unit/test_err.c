#include "table.h"

#include "err.h"

static void test_names(void **state)
{
    static const struct {
        const char *name;
        int err;
        const char *kind;
        int exit_code;
    } CASES[] = {
        { "done", HALO_OK, "ok", 0 },
        { "a script's own error", HALO_SCRIPT, "script", 1 },
        { "wrong usage", HALO_USAGE, "usage", 2 },
        { "the API refused", HALO_NOT_FOUND, "not_found", 3 },
        { "the network refused", HALO_TRANSPORT, "transport", 3 },
        { "nobody knows", HALO_AMBIGUOUS, "ambiguous", 3 },
        { "out of time", HALO_TIMEOUT, "timeout", 4 },
        { "verification", HALO_MISMATCH, "mismatch", 5 },
        { "declined", HALO_DENIED, "denied", 6 },
        { "interrupted", HALO_CANCELLED, "cancelled", 130 },
        { "an unknown number", -999, "script", 1 },
        { "a count is no error number", 7, "script", 1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CHECK_STR(CASES[i].name, hl_err_kind(CASES[i].err), CASES[i].kind);
        CHECK_EQ(CASES[i].name, halo_exit_code(CASES[i].err), CASES[i].exit_code);
        CHECK_EQ(CASES[i].name, strlen(halo_strerror(CASES[i].err)) > 0, true);
    }
    CHECK_STR("unknown", halo_strerror(-999), "unknown error");
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_names) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
