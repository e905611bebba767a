/* What halo.h promises of questions, events, and calls from inside a callback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <halo.h>

struct seen {
    halo_host *host;
    int answer;         /* what the confirm callback answers */
    char question[256]; /* the last one */
    char log[512];      /* "LEVEL text\n" for each line */
    char event[512];    /* the last one */
    int calls[4];       /* what was answered to calls from inside a callback */
};

static void on_log(void *ud, int level, const char *text, size_t len)
{
    struct seen *seen = ud;
    size_t at = strlen(seen->log);
    assert_int_equal(text[len], '\0');
    snprintf(seen->log + at, sizeof seen->log - at, "%d %s\n", level, text);
}

static void on_event(void *ud, const char *json, size_t len)
{
    struct seen *seen = ud;
    assert_int_equal(len, strlen(json));
    snprintf(seen->event, sizeof seen->event, "%s", json);
}

static int on_confirm(void *ud, halo_run *run, const char *question)
{
    struct seen *seen = ud;
    assert_int_equal(halo_answer(run, 1), HALO_USAGE); /* it is not open yet */
    snprintf(seen->question, sizeof seen->question, "%s", question);
    return seen->answer;
}

static struct seen seen;

static int open_host(void **state)
{
    halo_config cfg = HALO_CONFIG_INIT;
    (void)state;
    memset(&seen, 0, sizeof seen);
    cfg.ud = &seen;
    cfg.log = on_log;
    cfg.event = on_event;
    cfg.confirm = on_confirm;
    return halo_open(&seen.host, &cfg);
}

static int close_host(void **state)
{
    (void)state;
    halo_close(seen.host);
    return 0;
}

static halo_run *start(const char *code)
{
    halo_run *r = NULL;
    assert_int_equal(halo_start_string(seen.host, NULL, code, NULL, &r), HALO_OK);
    return r;
}

static const char *result(const halo_run *r)
{
    const char *json = NULL;
    assert_int_equal(halo_result(r, &json, NULL), HALO_OK);
    return json;
}

/* ---- questions ---- */

static const char ASK[] = "local ok, yes = pcall(require('ui').confirm, 'Really?')\n"
                          "return ok and yes or not ok and yes.kind";

static halo_run *ask_later(const char *code)
{
    seen.answer = HALO_LATER;
    halo_run *r = start(code);
    assert_int_equal(halo_step(seen.host, 0), 1);
    assert_string_equal(seen.question, "Really?");
    return r;
}

static void test_answers_at_once(void **state)
{
    (void)state;
    seen.answer = HALO_YES;
    halo_run *yes = start(ASK);
    assert_int_equal(halo_wait(yes), HALO_OK);
    assert_string_equal(result(yes), "true");
    assert_int_equal(halo_answer(yes, 1), HALO_USAGE);
    seen.answer = HALO_NO;
    halo_run *no = start(ASK);
    assert_int_equal(halo_wait(no), HALO_OK);
    assert_string_equal(result(no), "false");
}

static void test_nobody_to_ask(void **state)
{
    halo_host *h;
    halo_run *r;
    (void)state;
    assert_int_equal(halo_open(&h, NULL), HALO_OK);
    assert_int_equal(halo_start_string(h, NULL, ASK, NULL, &r), HALO_OK);
    assert_int_equal(halo_wait(r), HALO_OK);
    assert_string_equal(result(r), "false");
    halo_close(h);
}

static void test_answers_later(void **state)
{
    (void)state;
    for (int yes = 0; yes < 2; yes++) {
        halo_run *r = ask_later(ASK);
        halo_run *other = start("return 'not held up'");
        assert_int_equal(halo_wait(other), HALO_OK);
        assert_int_equal(halo_step(seen.host, 0), 1); /* still open */
        assert_int_equal(halo_timeout(seen.host), -1);
        assert_int_equal(halo_answer(r, yes), HALO_OK);
        assert_int_equal(halo_timeout(seen.host), 0);
        assert_int_equal(halo_answer(r, yes), HALO_USAGE); /* once is enough */
        assert_int_equal(halo_wait(r), HALO_OK);
        assert_string_equal(result(r), yes ? "true" : "false");
    }
}

static void test_cancel_while_a_question_is_open(void **state)
{
    (void)state;
    halo_run *r = ask_later(ASK);
    assert_int_equal(halo_cancel(r), HALO_OK);
    assert_int_equal(halo_answer(r, 1), HALO_USAGE); /* too late */
    assert_int_equal(halo_wait(r), HALO_OK);
    assert_string_equal(result(r), "\"cancelled\"");

    r = ask_later("require('ui').confirm('Really?')");
    assert_int_equal(halo_cancel(r), HALO_OK);
    assert_int_equal(halo_wait(r), HALO_CANCELLED);

    r = ask_later(ASK);
    assert_int_equal(halo_cancel(r), HALO_OK);
    assert_int_equal(halo_cancel(r), HALO_OK); /* ends it where it stands */
    assert_int_equal(halo_answer(r, 1), HALO_USAGE);
    assert_int_equal(halo_wait(r), HALO_CANCELLED);
    assert_int_equal(halo_cancel(r), HALO_OK); /* fine for one that has ended */
}

static void test_release_while_a_question_is_open(void **state)
{
    (void)state;
    halo_run *r = ask_later("local log <close> = setmetatable({},\n"
                            "  { __close = function() print('closed') end })\n"
                            "require('ui').confirm('Really?')");
    halo_release(r);
    assert_string_equal(seen.log, "0 closed\n");
    assert_int_equal(halo_step(seen.host, 0), 0);
    ask_later(ASK); /* and this one is left to halo_close */
}

/* ---- log and events ---- */

static void test_log_levels(void **state)
{
    (void)state;
    assert_int_equal(halo_wait(start("local ui = require 'ui'\n"
                                     "print('a', 1) ui.say('b') ui.warn('c')\n"
                                     "return 'd'")),
                     HALO_OK);
    assert_string_equal(seen.log, "0 a\t1\n4 b\n3 c\n1 d\n");
}

static void test_events_of_scripts(void **state)
{
    static const struct {
        const char *code, *want;
    } CASES[] = {
        { "require('ui').event { event = 'mine', b = 1, a = { 'x' } }",
          "{\"event\":\"mine\",\"a\":[\"x\"],\"b\":1}" },
        { "require('ui').event { event = 'bare' }", "{\"event\":\"bare\"}" },
        { "require('progress').step(5, 'Delete', 'delete it')",
          "{\"event\":\"step\",\"name\":\"Delete\",\"state\":\"started\",\"step\":"
          "\"5\"}" },
        { "require('progress').recorded('5a', 'Delete', 'today')",
          "{\"event\":\"step\",\"name\":\"Delete\",\"state\":\"recorded\",\"step\":"
          "\"5a\"}" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        assert_int_equal(halo_wait(start(CASES[i].code)), HALO_OK);
        assert_string_equal(seen.event, CASES[i].want);
    }
}

/* ---- from inside a callback ---- */

static void call_back(void *ud, int level, const char *text, size_t len)
{
    struct seen *s = ud;
    halo_run *r = (halo_run *)s; /* to see that it is set to NULL */
    (void)level;
    (void)len;
    if (strcmp(text, "call") != 0)
        return;
    s->calls[0] = halo_step(s->host, 0);
    s->calls[1] = halo_start(s->host, "list", NULL, &r);
    assert_null(r);
    s->calls[2] = halo_start_string(s->host, NULL, "", NULL, &r);
    s->calls[3] = halo_module(s->host, "m", NULL);
    halo_close(s->host);
}

static void test_busy(void **state)
{
    halo_config cfg = HALO_CONFIG_INIT;
    struct seen s;
    halo_run *r;
    (void)state;
    memset(&s, 0, sizeof s);
    cfg.ud = &s;
    cfg.log = call_back;
    assert_int_equal(halo_open(&s.host, &cfg), HALO_OK);
    assert_int_equal(halo_start_string(s.host, NULL, "print('call') return 1", NULL, &r),
                     HALO_OK);
    assert_int_equal(halo_wait(r), HALO_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(s.calls[i], HALO_BUSY);
    halo_close(s.host);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers_at_once),
        TEST(test_nobody_to_ask),
        TEST(test_answers_later),
        TEST(test_cancel_while_a_question_is_open),
        TEST(test_release_while_a_question_is_open),
        TEST(test_log_levels),
        TEST(test_events_of_scripts),
        cmocka_unit_test(test_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
