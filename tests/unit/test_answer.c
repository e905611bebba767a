#include "table.h"

#include <stdlib.h>

#include <halo.h>
#include <jansson.h>

#include "answer.h"

/* A text with its length, so that it may hold NULs. */
#define TEXT(literal) literal, sizeof(literal) - 1

static void test_show(void **state)
{
    static const struct {
        const char *name, *text;
        size_t len, room;
        const char *want;
    } CASES[] = {
        { "plain", TEXT("orders"), 64, "orders" },
        { "empty", TEXT(""), 64, "" },
        { "nothing fits", TEXT("orders"), 1, "" },
        { "all but the NUL", TEXT("orders"), 7, "orders" },
        { "cut", TEXT("orders"), 4, "ord" },
        { "lines and tabs", TEXT("a\r\n\tb"), 64, "a???b" },
        { "an escape", TEXT("\x1b[31mred"), 64, "?[31mred" },
        { "NUL and DEL", TEXT("a\0b\x7f"), 64, "a?b?" },
        { "UTF-8 stays", TEXT("Zürich 東京"), 64, "Zürich 東京" },
        { "a no-break space too", TEXT("\xc2\xa0"), 64, "\xc2\xa0" },
        { "cut before ü, not in it", TEXT("Zürich"), 3, "Z" },
        { "cut behind it", TEXT("Zürich"), 4, "Zü" },
        { "cut in three bytes", TEXT("東京"), 6, "東" },
        { "cut in four", TEXT("a\xf0\x9f\x98\x80"), 5, "a" },
        { "a C1 control, both bytes",
          TEXT("\xc2\x9b"
               "31m"),
          64, "??31m" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char got[64];
        memset(got, '#', sizeof got);
        hl_answer_show(got, CASES[i].room, CASES[i].text, CASES[i].len);
        CHECK_STR(CASES[i].name, got, CASES[i].want);
    }
    CHECK_END();
}

static const struct {
    const char *name, *body;
    size_t len;
    const char *message, *reason, *field;
} ERRORS[] = {
    { "errors[]",
      TEXT("{\"errors\":[{\"message\":\"DB not found: "
           "3fa29c1e\",\"reason\":\"db-not-found\"}]}"),
      "DB not found: 3fa29c1e", "db-not-found", "" },
    { "with a field",
      TEXT("{\"errors\":[{\"message\":\"m\",\"reason\":\"invalid-memory-size\",\"field\":"
           "\"memory\"}]}"),
      "m", "invalid-memory-size", "memory" },
    { "several",
      TEXT("{\"errors\":[{\"message\":\"a\",\"reason\":\"r1\",\"field\":\"f1\"},{"
           "\"message\":\"b\",\"reason\":\"r2\"}]}"),
      "a; b", "r1", "f1" },
    { "an empty reason, and data",
      TEXT("{\"data\":null,\"errors\":[{\"message\":\"m\",\"reason\":\"\"}]}"), "m", "",
      "" },
    { "none", TEXT("{\"errors\":[]}"), "", "", "" },
    { "of other types", TEXT("{\"errors\":[1,null,\"x\"]}"), "", "", "" },
    { "the first says nothing",
      TEXT("{\"errors\":[{\"reason\":\"r\"},{\"message\":\"m\"}]}"), "m", "r", "" },
    { "with members of other types", TEXT("{\"errors\":[{\"message\":{},\"reason\":7}]}"),
      "", "", "" },
    { "keyed by field",
      TEXT("{\"errors\":{\"memory\":[\"too small\"]},\"message\":\"m\"}"), "m", "",
      "memory" },
    { "keyed by nothing", TEXT("{\"errors\":{},\"message\":\"m\"}"), "m", "", "" },
    { "the gateway's", TEXT("{\"error\":\"Key not authorized: token has expired\"}"),
      "Key not authorized: token has expired", "", "" },
    { "the token endpoint's",
      TEXT("{\"error\":\"access_denied\",\"error_description\":\"Unauthorized\"}"),
      "access_denied: Unauthorized", "", "" },
    { "bare", TEXT("{\"message\":\"m\",\"reason\":\"r\"}"), "m", "r", "" },
    { "error is no text", TEXT("{\"error\":{\"code\":1},\"message\":\"m\"}"), "m", "",
      "" },
    { "nothing known", TEXT("{}"), "", "", "" },
    { "numbers beyond a double's",
      TEXT("{\"id\":123456789012345678901234567890,\"error\":\"x\"}"), "x", "", "" },
    { "a message with controls",
      TEXT("{\"errors\":[{\"message\":\"a\\u001b[2Jb\\u0000c\",\"reason\":\"x\\ny\"}]}"),
      "a?[2Jb?c", "x?y", "" },
    { "empty", TEXT(""), "empty answer", "", "" },
    { "blank", TEXT(" \r\n\t"), "empty answer", "", "" },
    { "text", TEXT("\nupstream connect error\n"), "upstream connect error?", "", "" },
    { "HTML", TEXT("  <!DOCTYPE html><html>"),
      "an HTML page instead of JSON (a proxy or gateway answered?)", "", "" },
    { "cut off", TEXT("{\"errors\":[{\"mess"), "JSON that is cut off or broken", "", "" },
    { "a list", TEXT("[1]"), "JSON that is cut off or broken", "", "" },
    { "something behind it", TEXT("{} {}"), "JSON that is cut off or broken", "", "" },
    { "not UTF-8", TEXT("{\"error\":\"\xff\"}"), "JSON that is cut off or broken", "",
      "" },
};

static void test_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ERRORS); i++) {
        struct hl_failure f = { 0 };
        char *body = malloc(ERRORS[i].len + 1); /* exactly as long, for the sanitizer */
        assert_non_null(body);
        char *exact = realloc(body, ERRORS[i].len ? ERRORS[i].len : 1);
        assert_non_null(exact);
        memcpy(exact, ERRORS[i].body, ERRORS[i].len);
        hl_answer_error(exact, ERRORS[i].len, &f);
        CHECK_STR(ERRORS[i].name, f.message, ERRORS[i].message);
        CHECK_STR(ERRORS[i].name, f.reason, ERRORS[i].reason);
        CHECK_STR(ERRORS[i].name, f.field, ERRORS[i].field);
        free(exact);
    }
    CHECK_END();
}

/* prefix, `count` times `part`, suffix; malloc'ed. */
static char *repeated(const char *prefix, const char *part, size_t count,
                      const char *suffix)
{
    char *text = malloc(strlen(prefix) + count * strlen(part) + strlen(suffix) + 1);
    assert_non_null(text);
    char *at = stpcpy(text, prefix);
    while (count-- > 0)
        at = stpcpy(at, part);
    stpcpy(at, suffix);
    return text;
}

static void test_error_is_bounded(void **state)
{
    static const struct {
        const char *name, *prefix, *part;
        size_t count;
        const char *suffix;
        size_t message; /* at most so long, and longer than nothing */
    } CASES[] = {
        { "a long message", "{\"errors\":[{\"message\":\"", "x", 5000, "\"}]}", 511 },
        { "a long text", "", "x", 5000, "", 199 },
        { "a long gateway text", "{\"error\":\"", "x", 5000, "\"}", 511 },
        { "many errors", "{\"errors\":[{}", ",{\"message\":\"0123456789\"}", 1000, "]}",
          511 },
        { "cut in a character", "{\"errors\":[{\"message\":\"x\"}",
          ",{\"message\":\"éé\"}", 1000, "]}", 511 },
        { "more than C reads", "{\"error\":\"", "0123456789abcdef", 70000, "\"}", 511 },
        { "a deep one", "", "[", 100000, "", 511 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct hl_failure f = { 0 };
        char *body =
            repeated(CASES[i].prefix, CASES[i].part, CASES[i].count, CASES[i].suffix);
        hl_answer_error(body, strlen(body), &f);
        size_t len = strlen(f.message);
        CHECK_EQ(CASES[i].name, len > 0 && len <= CASES[i].message, true);
        json_t *utf8 = json_string(f.message); /* NULL when it is not UTF-8 */
        CHECK_EQ(CASES[i].name, utf8 != NULL, true);
        json_decref(utf8);
        free(body);
    }
    char *reason =
        repeated("{\"errors\":[{\"message\":\"m\",\"reason\":\"", "r", 200, "\"}]}");
    struct hl_failure f = { 0 };
    hl_answer_error(reason, strlen(reason), &f);
    CHECK_EQ("a long reason is cut", strlen(f.reason), sizeof f.reason - 1);
    free(reason);
    CHECK_END();
}

static void test_status(void **state)
{
    static const struct {
        const char *name, *body;
        bool is;
        const char *want;
    } CASES[] = {
        { "an instance", "{\"data\":{\"id\":\"3fa29c1e\",\"status\":\"loading failed\"}}",
          true, "loading failed" },
        { "without one", "{\"data\":{\"id\":\"3fa29c1e\"}}", true, "" },
        { "null", "{\"data\":{\"status\":null}}", true, "" },
        { "a number", "{\"data\":{\"status\":7}}", true, "" },
        { "cut to fit", "{\"data\":{\"status\":\"0123456789abcdefghij\"}}", true,
          "0123456789abcde" },
        { "data is a list", "{\"data\":[]}", false, "" },
        { "no data", "{\"status\":\"running\"}", false, "" },
        { "a list", "[]", false, "" },
        { "HTML", "<html>", false, "" },
        { "empty", "", false, "" },
        { "cut off", "{\"data\":{\"status\":\"running\"", false, "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char got[16] = "before";
        CHECK_EQ(CASES[i].name,
                 hl_answer_status(CASES[i].body, strlen(CASES[i].body), got, sizeof got),
                 CASES[i].is ? HALO_OK : HALO_API);
        CHECK_STR(CASES[i].name, got, CASES[i].want);
    }
    CHECK_END();
}

static void test_token(void **state)
{
    static const struct {
        const char *name, *body, *want; /* want: "" when there is none */
        int expires_in;
    } CASES[] = {
        { "a token",
          "{\"access_token\":\"eyJ.a-b_c\",\"expires_in\":3600,\"token_type\":"
          "\"bearer\"}",
          "eyJ.a-b_c", 3600 },
        { "of an unknown life", "{\"access_token\":\"t\"}", "t", 60 },
        { "of none", "{\"access_token\":\"t\",\"expires_in\":0}", "t", 60 },
        { "of a negative one", "{\"access_token\":\"t\",\"expires_in\":-5}", "t", 60 },
        { "of one in words", "{\"access_token\":\"t\",\"expires_in\":\"3600\"}", "t",
          60 },
        { "of an absurd one", "{\"access_token\":\"t\",\"expires_in\":1e30}", "t", 60 },
        { "with a fraction", "{\"access_token\":\"t\",\"expires_in\":1.5}", "t", 1 },
        { "with a blank", "{\"access_token\":\"a b\",\"expires_in\":3600}", "", 3600 },
        { "with a line break", "{\"access_token\":\"a\\r\\nX: y\"}", "", 60 },
        { "with a NUL", "{\"access_token\":\"a\\u0000b\"}", "", 60 },
        { "beyond ASCII", "{\"access_token\":\"é\"}", "", 60 },
        { "empty", "{\"access_token\":\"\"}", "", 60 },
        { "a number", "{\"access_token\":7}", "", 60 },
        { "missing", "{}", "", 60 },
        { "not JSON", "<html>", "", 60 },
        { "nothing", "", "", 60 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char *token = NULL;
        int expires_in = -1;
        int err =
            hl_answer_token(CASES[i].body, strlen(CASES[i].body), &token, &expires_in);
        CHECK_EQ(CASES[i].name, err, CASES[i].want[0] ? HALO_OK : HALO_API);
        CHECK_EQ(CASES[i].name, err == HALO_OK, token != NULL);
        CHECK_STR(CASES[i].name, token ? token : "", CASES[i].want);
        CHECK_EQ(CASES[i].name, expires_in, CASES[i].expires_in);
        free(token);
    }
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_error_is_bounded),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
