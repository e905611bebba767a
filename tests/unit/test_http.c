/* What curl is told: the limits in time of a call and of a token, and that it may neither
 * go where it is sent by an answer nor say what it sends. */
#include "table.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "call.h"

/* ---- curl_easy_setopt, between the library and curl ---- */

static long timeout_ms, connect_ms, stall_bytes, stall_s;
static char asked[64]; /* the end of the URL */
static int forbidden;  /* an option that must not be set */

#undef curl_easy_setopt
CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    static CURLcode (*real)(CURL *, CURLoption, ...);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "curl_easy_setopt");
    va_list args;
    CURLcode code;
    va_start(args, option);
    switch (option) {
    case CURLOPT_FOLLOWLOCATION:
    case CURLOPT_UNRESTRICTED_AUTH:
    case CURLOPT_VERBOSE:
    case CURLOPT_DEBUGFUNCTION:
    case CURLOPT_STDERR:
    case CURLOPT_SSL_VERIFYPEER:
    case CURLOPT_SSL_VERIFYHOST:
    case CURLOPT_PROXY_SSL_VERIFYPEER:
    case CURLOPT_PROXY_SSL_VERIFYHOST:
    case CURLOPT_NETRC:
        forbidden = (int)option;
        break;
    default:
        break;
    }
    if (option < CURLOPTTYPE_OBJECTPOINT) {
        long value = va_arg(args, long);
        long *kept = option == CURLOPT_TIMEOUT_MS          ? &timeout_ms
                     : option == CURLOPT_CONNECTTIMEOUT_MS ? &connect_ms
                     : option == CURLOPT_LOW_SPEED_LIMIT   ? &stall_bytes
                     : option == CURLOPT_LOW_SPEED_TIME    ? &stall_s
                                                           : NULL;
        if (kept)
            *kept = value;
        code = real(easy, option, value);
    } else if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB) {
        code = real(easy, option, va_arg(args, curl_off_t));
    } else {
        void *value = va_arg(args, void *);
        if (option == CURLOPT_URL)
            snprintf(asked, sizeof asked, "%s", strrchr(value, '/'));
        code = real(easy, option, value);
    }
    va_end(args);
    return code;
}

/* ---- the tests ---- */

static void on_done(struct hl_call *c)
{
    (void)c;
}

/* The options of the next request of one call; token: whether there is one. */
static void first_request(const char *base_url, int64_t timeout, bool token)
{
    char why[256];
    struct hl_client *client;
    struct hl_loop *loop = hl_loop_new(NULL);
    assert_non_null(loop);
    assert_int_equal(
        hl_client_new(&client, loop, base_url, "id", "secret", NULL, 0, why, sizeof why),
        HALO_OK);
    if (token) {
        client->token.value = strdup("token");
        client->token.expires_ms = INT64_MAX;
    }
    struct hl_call call = { .effect = HALO_READ, .timeout_ms = timeout, .done = on_done };
    call.path = strdup("/v1/instances");
    timeout_ms = connect_ms = stall_bytes = stall_s = 0;
    asked[0] = '\0';
    hl_call_start(client, &call);
    for (int i = 0; i < 100 && !timeout_ms; i++)
        hl_loop_turn(loop, 10);
    CHECK_STR("asks for", asked, token ? "/instances" : "/token");
    hl_call_end(&call);
    hl_client_unref(client);
    hl_loop_free(loop);
}

static void test_limits(void **state)
{
    (void)state;
    first_request("https://127.0.0.1:1", 0, true);
    CHECK_EQ("deadline of a call", timeout_ms, 60000);
    CHECK_EQ("to connect", connect_ms, 10000);
    CHECK_EQ("less than a byte a second", stall_bytes, 1);
    CHECK_EQ("is a stalled transfer after", stall_s, 30);
    first_request("https://127.0.0.1:1", 0, false);
    CHECK_EQ("deadline of a token", timeout_ms, 30000);
    CHECK_EQ("to connect", connect_ms, 10000);
    CHECK_EQ("stalled after", stall_s, 30);
    first_request("http://127.0.0.1:1", 5000, true);
    CHECK_EQ("a deadline of one's own", timeout_ms > 4000 && timeout_ms <= 5000, true);
    CHECK_EQ("options that are never set", forbidden, 0);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
