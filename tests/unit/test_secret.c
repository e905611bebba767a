#include "table.h"

#include <stdlib.h>

#include "secret.h"

#define SECRET "s3cr3t/v+lue\"x"
#define TOKEN "eyJhbGciOiJSUzI1NiJ9.cGF5bG9hZA.c2lnbmF0dXJl"

/* Blanks a copy of text that is exactly as long, so that a sanitizer sees every step
 * beyond it. */
static char *blanked(const char *text, size_t (*blank)(char *, size_t))
{
    size_t len = strlen(text);
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, text, len + 1);
    size_t left = blank(copy, len);
    assert_int_equal(left, strlen(copy));
    return copy;
}

static size_t by_value(char *text, size_t len)
{
    static const char *const SECRETS[] = { SECRET,    TOKEN,        "b",           "",
                                           "short77", "percent%5c", "back\\slash", NULL };
    return hl_secret_blank(text, len, SECRETS);
}

static void check(const char *text, size_t (*blank)(char *, size_t), const char *want)
{
    char *got = blanked(text, blank);
    CHECK_STR(text, got, want);
    free(got);
}

static void test_values(void **state)
{
    static const struct {
        const char *text, *want;
    } CASES[] = {
        { "", "" },
        { "nothing", "nothing" },
        { SECRET, "***" },
        { "a " SECRET SECRET " b", "a ****** b" },
        { "Invalid token " TOKEN, "Invalid token ***" },
        /* as JSON and URLs write it */
        { "{\"e\":\"s3cr3t\\/v+lue\\\"x\"}", "{\"e\":\"***\"}" },
        { "s3cr3t\\u002Fv\\u002blue\\u0022x.", "***." },
        { "{\"e\":\"{\\\"e\\\":\\\"s3cr3t\\\\\\/v+lue\\\\\\\"x\\\"}\"}",
          "{\"e\":\"{\\\"e\\\":\\\"***\\\"}\"}" },
        { "secret=s3cr3t%2fv%2Blue%22x&a=b", "secret=***&a=b" },
        { "back\\slash back\\\\slash", "*** ***" },
        { "percent%255c and percent%5c", "*** and ***" },
        /* parts: the beginning of a long one, and all that is left of it */
        { "token eyJhbGciOiJSUzI1...", "token ***" },
        { "eyJhbGciOiJSUzI1NiJ9.another.token!", "***!" },
        { "eyJhbGciOiJSUzI", "eyJhbGciOiJSUzI" },
        { "s3cr3t/v+lue", "s3cr3t/v+lue" },
        /* short ones are no secrets */
        { "about b, short77", "about b, short77" },
        /* ends in the middle of an escape */
        { "s3cr3t\\", "s3cr3t\\" },
        { "s3cr3t%2", "s3cr3t%2" },
        { "s3cr3t\\u002", "s3cr3t\\u002" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++)
        check(CASES[i].text, by_value, CASES[i].want);
    CHECK_END();
}

static void test_places(void **state)
{
    static const struct {
        const char *text, *want;
    } CASES[] = {
        { "", "" },
        { "Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer ***" },
        { "authorization: basic YWJjOmRlZmdoaWprbG0=", "authorization: basic ***" },
        { "Basic authentication, Bearer token", "Basic authentication, Bearer token" },
        { "Key eyJhbGciOiJSUzI1NiJ9.x refused", "Key *** refused" },
        { "{\"password\":\"pw\",\"a\":1}", "{\"password\":\"**\",\"a\":1}" },
        { "{\"db_password\" : \"pw\"}", "{\"db_password\" : \"pw\"}" },
        { "{\"m\":\"{\\\"password\\\":\\\"p4ssw0rd\\\"}\"}",
          "{\"m\":\"{\\\"password\\\":\\\"***\\\"}\"}" },
        { "{\"password\":null,\"token\":{}}", "{\"password\":null,\"token\":{}}" },
        { "password=p4ssw0rd&user=u", "password=***&user=u" },
        { "client_secret: abcd, more", "client_secret: ***, more" },
        { "access_token=abcd; x", "access_token=***; x" },
        { "Key not authorized: token has expired",
          "Key not authorized: token has expired" },
        { "Invalid token: expired", "Invalid token: expired" },
        { "the password is wrong", "the password is wrong" },
        { "\"field\":\"password\",\"x\":1", "\"field\":\"password\",\"x\":1" },
        { "password=", "password=" },
        { "proxy 'http://user:p4ssw0rd@host:80'", "proxy 'http://***@host:80'" },
        { "https://host/a@b", "https://host/a@b" },
        { "https://", "https://" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++)
        check(CASES[i].text, hl_secret_blank_places, CASES[i].want);
    CHECK_END();
}

static void test_basic(void **state)
{
    (void)state;
    for (size_t len = 0; len < 100; len++) { /* every length of its Base64 */
        char user[101] = "";
        memset(user, 'u', len);
        char *basic = hl_secret_basic(user, "");
        assert_non_null(basic);
        CHECK_EQ("length", strlen(basic), (len + 1 + 2) / 3 * 4);
        hl_secret_forget(&basic);
        CHECK_EQ("forgotten", basic == NULL, true);
    }
    char *basic = hl_secret_basic("id", "s3cr3t-value");
    CHECK_STR("as curl writes it", basic, "aWQ6czNjcjN0LXZhbHVl");
    hl_secret_forget(&basic);
    hl_secret_forget(&basic);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_basic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
