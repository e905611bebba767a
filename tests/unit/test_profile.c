#include <stdlib.h>

#include <halo.h>

#include "table.h"

#include "profile.h"

static void test_command(void **state)
{
    static const struct {
        const char *name, *command, *want, *why;
    } CASES[] = {
        { "one line", "echo one", "one", "" },
        { "no newline", "printf one", "one", "" },
        { "the first of several", "printf 'one\\ntwo\\n'", "one", "" },
        { "a carriage return", "printf 'one\\r\\n'", "one", "" },
        { "blanks stay", "echo ' one '", " one ", "" },
        { "an empty first line", "echo; echo two", "", "printed nothing" },
        { "it fails", "echo one; false", "", "failed with exit code 1" },
        { "it is killed", "kill -9 $$", "", "was ended by signal 9" },
        { "it says too much", "yes", "", "printed more than 64 KB" },
        { "it does not end", "while :; do :; done", "", "took longer than 1 s" },
        { "it closed its output, and does not end", "exec >&-; while :; do :; done", "",
          "took longer than 1 s" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char why[128] = "";
        char *got = hl_profile_command(CASES[i].command, 1000, why, sizeof why);
        CHECK_STR(CASES[i].name, got ? got : "", CASES[i].want);
        if (!got)
            CHECK_EQ(CASES[i].name, strncmp(why, CASES[i].why, strlen(CASES[i].why)), 0);
        free(got);
    }
    CHECK_END();
}

static int result_of(halo_config *cfg, const char *code)
{
    halo_host *host;
    halo_run *run = NULL;
    int err = halo_open(&host, cfg);
    if (err == HALO_OK)
        err = halo_start_string(host, "test", code, NULL, &run);
    if (err == HALO_OK)
        err = halo_wait(run);
    halo_close(host);
    return err;
}

/* A host's credentials go only where it says, whatever a restricted script wishes. */
static void test_hosts(void **state)
{
#define AUTH(what) "require('aura').auth{" what "}"
    static const struct {
        const char *name, *profile, *id;
        int restricted, no_profiles;
        const char *code;
        int want;
    } CASES[] = {
        { "its own", NULL, "i", 1, 0, AUTH(""), HALO_OK },
        { "the script's own, elsewhere", NULL, "i", 1, 0,
          AUTH("client_id = 'x', client_secret = 'y', base_url = 'http://localhost'"),
          HALO_OK },
        { "the host's, elsewhere", NULL, "i", 1, 0, AUTH("base_url = 'http://localhost'"),
          HALO_DENIED },
        { "half the host's, elsewhere", NULL, "i", 1, 0,
          AUTH("client_id = 'x', base_url = 'http://localhost'"), HALO_DENIED },
        { "elsewhere, trusted", NULL, "i", 0, 0, AUTH("base_url = 'http://localhost'"),
          HALO_OK },
        { "a profile", NULL, "i", 1, 0, AUTH("profile = 'missing'"), HALO_DENIED },
        { "a profile, trusted", NULL, "i", 0, 0, AUTH("profile = 'missing'"),
          HALO_USAGE },
        { "a profile where none is read", NULL, "i", 0, 1, AUTH("profile = 'missing'"),
          HALO_OK },
        { "the host's profile", "missing", NULL, 0, 0, AUTH(""), HALO_USAGE },
        { "not used", "missing", NULL, 0, 0, AUTH("client_id = 'x', client_secret = 'y'"),
          HALO_OK },
        { "a profile and credentials", "missing", "i", 0, 0, "", HALO_USAGE },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        halo_config cfg = HALO_CONFIG_INIT;
        cfg.profile = CASES[i].profile;
        cfg.client_id = CASES[i].id;
        cfg.client_secret = CASES[i].id ? "secret" : NULL;
        cfg.restricted = CASES[i].restricted;
        cfg.no_profiles = CASES[i].no_profiles;
        CHECK_EQ(CASES[i].name, result_of(&cfg, CASES[i].code), CASES[i].want);
    }
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
