/* What halo.h promises of configurations, arguments, limits, results and errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <halo.h>

static halo_host *host;

static int open_host(void **state)
{
    (void)state;
    return halo_open(&host, NULL);
}

static int close_host(void **state)
{
    (void)state;
    halo_close(host);
    return 0;
}

/* Runs code, or where it is NULL the script called name, with this effect at most. */
static halo_run *run(const char *name, const char *code, const char *args, int effect,
                     int want)
{
    halo_run *r = NULL;
    assert_int_equal(halo_start_string(host, name, code, args, &r), HALO_OK);
    assert_int_equal(halo_limit(r, effect), HALO_OK);
    int err = halo_wait(r);
    if (err != want)
        print_error("%s: %s\n", code ? code : name, halo_message(r));
    assert_int_equal(err, want);
    return r;
}

static const char *error_of(const halo_run *r, int want)
{
    const char *json;
    size_t len;
    assert_int_equal(halo_error(r, &json, &len), want);
    assert_non_null(json);
    assert_int_equal(len, strlen(json));
    return json;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
}

/* ---- configurations ---- */

static void test_older_and_newer_configurations(void **state)
{
    struct {
        halo_config cfg;
        char later[64]; /* fields of a version to come */
    } new = { HALO_CONFIG_INIT, { 0 } };
    static const struct {
        const char *what;
        size_t size;
        char later;
        int want;
    } CASES[] = {
        { "as it is", sizeof(halo_config), 0, HALO_OK },
        { "an older program", offsetof(halo_config, dry_run), 0, HALO_OK },
        { "the oldest", sizeof(size_t), 0, HALO_OK },
        { "a newer program", sizeof new, 0, HALO_OK },
        { "one that asks for what is not known", sizeof new, 1, HALO_USAGE },
        { "without HALO_CONFIG_INIT", 0, 0, HALO_USAGE },
        { "never set", (size_t)-1, 0, HALO_USAGE },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        halo_host *h = NULL;
        new.cfg.size = CASES[i].size;
        new.later[sizeof new.later - 1] = CASES[i].later;
        int err = halo_open(&h, &new.cfg);
        if (err != CASES[i].want)
            fail_msg("%s: %d", CASES[i].what, err);
        assert_true((err == HALO_OK) == (h != NULL));
        halo_close(h);
    }
}

static void test_fields_beyond_an_older_size_are_not_read(void **state)
{
    halo_config cfg = HALO_CONFIG_INIT;
    halo_host *h = NULL;
    (void)state;
    cfg.effect = 99;
    assert_int_equal(halo_open(&h, &cfg), HALO_USAGE);
    assert_null(h);
    cfg.size = offsetof(halo_config, effect);
    assert_int_equal(halo_open(&h, &cfg), HALO_OK);
    halo_close(h);
}

/* ---- results ---- */

static void test_results(void **state)
{
    static const struct {
        const char *code, *args, *want;
    } CASES[] = {
        { "return { answer = 6 * 7 }", NULL, "{\"answer\":42}" },
        { "", NULL, "null" },
        { "return arg.name", "{\"name\":\"moon\"}", "\"moon\"" },
        { "return arg[2]", "[\"sun\",\"moon\"]", "\"moon\"" },
        { "require('task').sleep(0.01) return true", NULL, "true" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        halo_run *r = run("code", CASES[i].code, CASES[i].args, HALO_DESTROY, HALO_OK);
        const char *json = NULL;
        size_t len = 0;
        assert_int_equal(halo_result(r, &json, &len), HALO_OK);
        assert_string_equal(json, CASES[i].want);
        assert_int_equal(len, strlen(json));
        assert_string_equal(halo_message(r), "");
        assert_int_equal(halo_error(r, &json, &len), HALO_OK);
        assert_null(json);
        assert_int_equal(len, 0);
        halo_release(r);
    }
    halo_release(NULL);
    halo_close(NULL);
    assert_int_equal(halo_version(), HALO_VERSION_HEX);
}

static void test_results_of_failed_runs(void **state)
{
    static const struct {
        const char *code, *want; /* NULL: none */
        int err;
    } CASES[] = {
        { "require 'fail'('failed', 'x', { result = { { id = 'a' } } })",
          "[{\"id\":\"a\"}]", HALO_FAILED },
        { "require 'fail'('failed', 'x', { result = 'text' })", NULL, HALO_FAILED },
        { "require 'fail'('failed', 'x', { result = { print } })", NULL, HALO_FAILED },
        { "error('x')", NULL, HALO_SCRIPT },
        { "return { result = { print } }", NULL, HALO_INVALID },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        halo_run *r = run("code", CASES[i].code, NULL, HALO_DESTROY, CASES[i].err);
        const char *json = "";
        size_t len = 9;
        assert_int_equal(halo_result(r, &json, &len), CASES[i].err);
        if (CASES[i].want)
            assert_string_equal(json, CASES[i].want);
        else
            assert_null(json);
        assert_int_equal(len, json ? strlen(json) : 0);
        halo_release(r);
    }
}

static void test_nothing_is_known_of_a_run_that_goes_on(void **state)
{
    halo_run *r;
    const char *json = "";
    (void)state;
    assert_int_equal(halo_start_string(host, NULL, "return 1", NULL, &r), HALO_OK);
    assert_int_equal(halo_result(r, &json, NULL), HALO_USAGE);
    assert_null(json);
    json = "";
    assert_int_equal(halo_error(r, &json, NULL), HALO_USAGE);
    assert_null(json);
    assert_string_equal(halo_message(r), "");
    halo_release(r);
}

static void test_errors(void **state)
{
    static const struct {
        const char *code;
        int want;
        const char *json;
    } CASES[] = {
        { "error('on purpose', 0)", HALO_SCRIPT,
          "{\"kind\":\"script\",\"message\":\"on purpose\"}" },
        { "error()", HALO_SCRIPT,
          "{\"kind\":\"script\",\"message\":\"the script raised an error\"}" },
        { "error({ kind = 'mismatch', message = 'two fields', id = 'x', status = 409,\n"
          "  field = false, errors = { { reason = 'r' } }, password = 'pw', body = 'b' "
          "})",
          HALO_MISMATCH,
          "{\"errors\":[{\"reason\":\"r\"}],\"id\":\"x\",\"kind\":\"mismatch\","
          "\"message\":"
          "\"two fields\",\"status\":409}" },
        { "error({ kind = 'no kind', message = 'm' })", HALO_SCRIPT,
          "{\"kind\":\"script\",\"message\":\"m\"}" },
        { "error(setmetatable({}, { __tostring = function() return 'said' end }))",
          HALO_SCRIPT, "{\"kind\":\"script\",\"message\":\"said\"}" },
        { "error(setmetatable({}, { __index = error, __tostring = error }))", HALO_SCRIPT,
          "{\"kind\":\"script\",\"message\":\"the script raised an error\"}" },
        { "return print", HALO_SCRIPT,
          "{\"kind\":\"script\",\"message\":\"cannot write a function as JSON\"}" },
        { "require 'fail' ('usage', 'so not', { op = 'do', hint = 'so' })", HALO_USAGE,
          "{\"hint\":\"so\",\"kind\":\"usage\",\"message\":\"so "
          "not\",\"op\":\"do\",\"where\":"
          "\"code:1\"}" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        halo_run *r = run(NULL, CASES[i].code, NULL, HALO_DESTROY, CASES[i].want);
        assert_string_equal(error_of(r, CASES[i].want), CASES[i].json);
        assert_true(halo_message(r)[0]);
        halo_release(r);
    }
}

/* ---- bundled scripts with JSON arguments ---- */

static void test_bundled_scripts(void **state)
{
    const char *json;
    halo_run *r = run("help", NULL, "{\"name\":\"pause\"}", HALO_READ, HALO_OK);
    (void)state;
    assert_int_equal(halo_result(r, &json, NULL), HALO_OK);
    assert_has(json, "halo pause");
    halo_release(r);
    r = run("help", NULL, "{\"nam\":\"pause\"}", HALO_READ, HALO_USAGE);
    assert_has(error_of(r, HALO_USAGE), "did you mean");
    halo_release(r);
    r = run("no-such", NULL, NULL, HALO_READ, HALO_USAGE);
    assert_has(error_of(r, HALO_USAGE), "no script named no-such");
    halo_release(r);

    assert_int_equal(halo_start_string(host, NULL, NULL, NULL, &r), HALO_USAGE);
    assert_null(r);
    assert_int_equal(halo_start_string(host, "help", NULL, "pause", &r), HALO_USAGE);
    assert_null(r);
    assert_int_equal(halo_start_string(host, "help", NULL, "7", &r), HALO_USAGE);
}

/* ---- limits of the effect ---- */

#define DECLARED(effect) \
    "return { summary = 's', effect = '" effect "', run = function() return 'ran' end }"

/* What is wrong with a file of certificates is told by the first call. */
static void test_a_ca_file_that_is_missing(void **state)
{
    halo_config cfg = HALO_CONFIG_INIT;
    halo_host *h;
    halo_run *run;
    (void)state;
    cfg.client_id = "id";
    cfg.client_secret = "secret";
    cfg.base_url = "https://127.0.0.1:1";
    cfg.ca_file = "/missing/ca.pem";
    assert_int_equal(halo_open(&h, &cfg), HALO_OK);
    assert_int_equal(halo_start_string(h, "x", "require('aura').list()", NULL, &run),
                     HALO_OK);
    assert_int_equal(halo_wait(run), HALO_USAGE);
    assert_has(halo_message(run), "/missing/ca.pem");
    halo_close(h);
}

static void test_a_limit_refuses_the_script_before_it_runs(void **state)
{
    static const struct {
        const char *code;
        int effect, want;
        const char *said;
    } CASES[] = {
        { DECLARED("read"), HALO_READ, HALO_OK, NULL },
        { DECLARED("change"), HALO_CHANGE, HALO_OK, NULL },
        { DECLARED("destroy"), HALO_DESTROY, HALO_OK, NULL },
        { DECLARED("destroy"), HALO_CHANGE, HALO_DENIED,
          "declares the effect \\\"destroy\\\", but may only \\\"change\\\" here" },
        { DECLARED("change"), HALO_READ, HALO_DENIED,
          "declares the effect \\\"change\\\", but may only \\\"read\\\" here" },
        { "require('aura').delete('3fa29c1e')", HALO_CHANGE, HALO_DENIED,
          "this call has the effect \\\"destroy\\\"" },
        { "require('halo').effect('change')", HALO_READ, HALO_DENIED, "\\\"change\\\"" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        halo_run *r = run(NULL, CASES[i].code, NULL, CASES[i].effect, CASES[i].want);
        if (CASES[i].said)
            assert_has(error_of(r, CASES[i].want), CASES[i].said);
        halo_release(r);
    }
    halo_release(
        run("delete", NULL, "{\"instance\":\"3fa29c1e\"}", HALO_CHANGE, HALO_DENIED));
}

static void test_a_limit_only_goes_down(void **state)
{
    halo_run *r;
    (void)state;
    assert_int_equal(halo_start_string(host, NULL, DECLARED("change"), NULL, &r),
                     HALO_OK);
    assert_int_equal(halo_limit(r, 0), HALO_USAGE);
    assert_int_equal(halo_limit(r, HALO_DESTROY + 1), HALO_USAGE);
    assert_int_equal(halo_limit(r, HALO_READ), HALO_OK);
    assert_int_equal(halo_limit(r, HALO_DESTROY), HALO_OK);
    assert_int_equal(halo_wait(r), HALO_DENIED);
    assert_int_equal(halo_limit(r, HALO_READ), HALO_USAGE);
    halo_release(r);

    halo_config cfg = HALO_CONFIG_INIT;
    halo_host *reader;
    cfg.effect = HALO_READ;
    assert_int_equal(halo_open(&reader, &cfg), HALO_OK);
    assert_int_equal(halo_start_string(reader, NULL, DECLARED("change"), NULL, &r),
                     HALO_OK);
    assert_int_equal(halo_limit(r, HALO_DESTROY), HALO_OK);
    assert_int_equal(halo_wait(r), HALO_DENIED);
    halo_close(reader);
}

static void test_a_limit_holds_in_the_middle_of_a_run(void **state)
{
    halo_run *r;
    (void)state;
    assert_int_equal(halo_start_string(host, NULL,
                                       "require('task').sleep(0.001)\n"
                                       "require('aura').pause('3fa29c1e')",
                                       NULL, &r),
                     HALO_OK);
    assert_int_equal(halo_step(host, 0), 1);
    assert_int_equal(halo_limit(r, HALO_READ), HALO_OK);
    assert_int_equal(halo_wait(r), HALO_DENIED);
    halo_release(r);
}

/* A dry run changes nothing, but shows what a script would do: its declaration may ask
 * for anything. */
static void test_a_dry_run_is_no_limit(void **state)
{
    halo_config cfg = HALO_CONFIG_INIT;
    halo_host *dry;
    halo_run *r;
    (void)state;
    cfg.dry_run = 1;
    assert_int_equal(halo_open(&dry, &cfg), HALO_OK);
    assert_int_equal(halo_start_string(dry, NULL, DECLARED("destroy"), NULL, &r),
                     HALO_OK);
    assert_int_equal(halo_wait(r), HALO_OK);
    assert_int_equal(
        halo_start_string(dry, NULL, "require('aura').pause('3fa29c1e')", NULL, &r),
        HALO_OK);
    assert_int_equal(halo_wait(r), HALO_DENIED);
    assert_has(error_of(r, HALO_DENIED), "dry run");
    halo_close(dry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_older_and_newer_configurations),
        cmocka_unit_test(test_fields_beyond_an_older_size_are_not_read),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_results_of_failed_runs),
        cmocka_unit_test(test_nothing_is_known_of_a_run_that_goes_on),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_bundled_scripts),
        cmocka_unit_test(test_a_ca_file_that_is_missing),
        cmocka_unit_test(test_a_limit_refuses_the_script_before_it_runs),
        cmocka_unit_test(test_a_limit_only_goes_down),
        cmocka_unit_test(test_a_limit_holds_in_the_middle_of_a_run),
        cmocka_unit_test(test_a_dry_run_is_no_limit),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
