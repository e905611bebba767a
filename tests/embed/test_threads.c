/* halo_wakeup and halo_interrupt from another thread, and the latter from a signal
 * handler. Whoever waits here waits for ever: a call that is lost shows as a test that
 * ends by its time limit. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pthread.h>

#include <cmocka.h>
#include <halo.h>

static halo_host *host;

static void *wake(void *arg)
{
    halo_wakeup(arg);
    return NULL;
}

static void *interrupt(void *arg)
{
    halo_interrupt(arg);
    return NULL;
}

static void *interrupt_twice(void *arg)
{
    halo_interrupt(arg);
    halo_interrupt(arg);
    return NULL;
}

static void *send_signal(void *arg)
{
    pthread_kill(*(pthread_t *)arg, SIGUSR1);
    return NULL;
}

static void on_signal(int number)
{
    (void)number;
    halo_interrupt(host);
}

/* "ready": the script computes, or is about to wait: now is the time for the other thread
 * to do its work. */
static void *(*on_ready)(void *);
static void *ready_arg;
static pthread_t thread;

static void on_log(void *ud, int level, const char *text, size_t len)
{
    (void)ud;
    (void)level;
    (void)len;
    if (on_ready && strcmp(text, "ready") == 0)
        assert_int_equal(pthread_create(&thread, NULL, on_ready, ready_arg), 0);
}

static halo_run *start(const char *code, void *(*work)(void *), void *arg)
{
    halo_run *r = NULL;
    on_ready = work;
    ready_arg = arg;
    assert_int_equal(halo_start_string(host, NULL, code, NULL, &r), HALO_OK);
    return r;
}

static int open_host(void **state)
{
    halo_config cfg = HALO_CONFIG_INIT;
    (void)state;
    cfg.log = on_log;
    return halo_open(&host, &cfg);
}

static int close_host(void **state)
{
    (void)state;
    halo_close(host);
    return 0;
}

static const char WAITS[] = "print('ready') require('task').sleep(99999)";
static const char COMPUTES[] = "print('ready') while true do pcall(function()\n"
                               "  while true do end end) end";

static void test_a_wakeup_ends_the_wait_of_a_step(void **state)
{
    (void)state;
    start(WAITS, wake, host);
    assert_int_equal(halo_step(host, 0), 1); /* it says that it is ready */
    assert_int_equal(halo_step(host, -1), 1);
    pthread_join(thread, NULL);
}

static void test_a_wakeup_before_the_step_is_kept(void **state)
{
    (void)state;
    start(WAITS, NULL, NULL);
    assert_int_equal(halo_step(host, 0), 1);
    halo_wakeup(host);
    halo_wakeup(host);
    assert_int_equal(halo_step(host, -1), 1);
}

static void test_an_interrupt_ends_a_wait(void **state)
{
    (void)state;
    halo_run *r = start(WAITS, interrupt, host);
    assert_int_equal(halo_wait(r), HALO_CANCELLED);
    pthread_join(thread, NULL);
    halo_release(r);

    r = start("return 'the host can be used again'", NULL, NULL);
    assert_int_equal(halo_wait(r), HALO_OK);
}

static void test_the_script_may_handle_the_first_interrupt(void **state)
{
    (void)state;
    halo_run *r = start("print('ready')\n"
                        "local ok, err = pcall(require('task').sleep, 99999)\n"
                        "return err.kind",
                        interrupt, host);
    const char *json;
    assert_int_equal(halo_wait(r), HALO_OK);
    pthread_join(thread, NULL);
    assert_int_equal(halo_result(r, &json, NULL), HALO_OK);
    assert_string_equal(json, "\"cancelled\"");
}

static void test_the_second_interrupt_ends_a_script_that_computes(void **state)
{
    (void)state;
    halo_run *r = start(COMPUTES, interrupt_twice, host);
    assert_int_equal(halo_wait(r), HALO_CANCELLED);
    pthread_join(thread, NULL);
}

static void test_an_interrupt_from_a_signal_handler(void **state)
{
    struct sigaction action, before;
    pthread_t self = pthread_self();
    (void)state;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGUSR1, &action, &before);
    halo_run *r = start(WAITS, send_signal, &self);
    assert_int_equal(halo_wait(r), HALO_CANCELLED);
    pthread_join(thread, NULL);
    sigaction(SIGUSR1, &before, NULL);
}

/* Hosts in several threads at once, each with its own. */
static void *run_own_host(void *arg)
{
    int *err = arg;
    halo_host *h = NULL;
    halo_run *r = NULL;
    *err = halo_open(&h, NULL);
    for (int i = 0; i < 20 && *err == HALO_OK; i++) {
        *err = halo_start_string(h, NULL, "require('task').sleep(0.001)", NULL, &r);
        if (*err == HALO_OK)
            *err = halo_wait(r);
        halo_release(r);
    }
    halo_close(h);
    return NULL;
}

static void test_a_host_in_each_thread(void **state)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    int errors[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_own_host, &errors[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(errors[i], HALO_OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_wakeup_ends_the_wait_of_a_step),
        TEST(test_a_wakeup_before_the_step_is_kept),
        TEST(test_an_interrupt_ends_a_wait),
        TEST(test_the_script_may_handle_the_first_interrupt),
        TEST(test_the_second_interrupt_ends_a_script_that_computes),
        TEST(test_an_interrupt_from_a_signal_handler),
        cmocka_unit_test(test_a_host_in_each_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
