/* The json and fail modules in a bare lua_State: each case is a Lua expression and its
 * text. */
#include "table.h"

#include <stdlib.h>

#include <lualib.h>

#include "modules.h"

static const struct {
    const char *name, *code, *want;
} CASES[] = {
    { "null is absent", "next(json.decode'{\"a\":null}')", "nil" },
    { "at the top", "json.decode'null'", "nil" },
    { "but stays in arrays", "json.decode'[1,null]'[2] == json.null", "true" },
    { "kept when asked for", "json.decode('{\"a\":null}', {null=true}).a == json.null",
      "true" },
    { "at the top too", "json.decode('null', {null=true}) == json.null", "true" },
    { "whole numbers are integers", "math.type(json.decode'{\"a\":3}'.a)", "integer" },
    { "at the top", "math.type(json.decode'3')", "integer" },
    { "also when written as 3.0", "math.type(json.decode'[3.0]'[1])", "integer" },
    { "negative ones", "json.decode'-17'", "-17" },
    { "up to 2^53 - 1", "json.decode'9007199254740991'", "9007199254740991" },
    { "beyond it floats", "math.type(json.decode'9007199254740992')", "float" },
    { "fractions", "json.decode'1.5'", "1.5" },
    { "strings", "json.decode'\"a\\\\u00e9\\\\n\"' == 'a\xc3\xa9\\n'", "true" },
    { "a zero byte in a string", "#json.decode'\"a\\\\u0000b\"'", "3" },

    { "read as nil when it is none", "json.read'{'", "nil" },
    { "otherwise as decoded", "json.read'[7]'[1]", "7" },

    { "keys are sorted", "json.encode{b=1, a=2, ['']=3, aa=4}",
      "{\"\":3,\"a\":2,\"aa\":4,\"b\":1}" },
    { "by their bytes", "json.encode{['\\xc3\\xa9']=1, z=2}",
      "{\"z\":2,\"\xc3\xa9\":1}" },
    { "exact integers", "json.encode{123456789012345, math.mininteger, 2^53|0}",
      "[123456789012345,-9223372036854775808,9007199254740992]" },
    { "short floats", "json.encode{0.1, 1/3, 1e300, 2.5, -1e-7, 1e14, 3.0}",
      "[0.1,0.3333333333333333,1e+300,2.5,-1e-07,100000000000000,3]" },
    { "floats come back the same", "json.decode(json.encode(math.pi)) == math.pi",
      "true" },
    { "escapes", "json.encode'\"\\\\/\\b\\f\\n\\r\\t\\1\\127'",
      "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u007f\"" },
    { "C1 controls, not their neighbours", "json.encode'\\u{80}\\u{9f}\\u{a0}\\u{df}'",
      "\"\\u0080\\u009f\u00a0\u00df\"" },
    { "bytes come back",
      "(function() local t = {} for i = 1, 255 do t[i] = string.char(i) end "
      "t = table.concat(t) return json.decode(json.encode(t)) == t end)()",
      "true" },
    { "scalars", "json.encode(true)..json.encode(nil)..json.encode(json.null)",
      "truenullnull" },
    { "an empty table is an object", "json.encode{}", "{}" },
    { "unless marked", "json.encode(json.array{})..json.encode(json.array())", "[][]" },
    { "pretty", "json.encode({b={1,{}},a=json.array{}}, {pretty=true})",
      "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {}\n  ]\n}" },

    { "empty arrays come back",
      "json.encode(json.decode'{\"a\":[],\"b\":{},\"c\":[[ \\n],[1]]}')",
      "{\"a\":[],\"b\":{},\"c\":[[],[1]]}" },
    { "at the top", "json.encode(json.decode' [ ] ')", "[]" },
    { "not inside strings", "json.encode(json.decode'[\"[]\",\"\\\\\"[]\",{\"[]\":[]}]')",
      "[\"[]\",\"\\\"[]\",{\"[]\":[]}]" },
    { "a cleared array stays one",
      "(function() local t = json.decode'[1]' t[1] = nil "
      "return json.encode(t) end)()",
      "[]" },
    { "keys that look like numbers", "json.encode(json.decode'{\"1\":2}')", "{\"1\":2}" },
    { "64 deep",
      "json.encode(json.decode(('['):rep(64)..(']'):rep(64))) == "
      "('['):rep(64)..(']'):rep(64)",
      "true" },
    { "an error table",
      "(function() local ok, e = pcall(fail, 'io', 'm') "
      "return json.encode{e.kind, e.message} end)()",
      "[\"io\",\"m\"]" },

    { "pretty keeps order and numbers",
      "json.pretty'{\"b\":1.50,\"a\":[1e2,{ },[ ]],\"s\":\"\\\\u00e9[{,:\\\\\"\"}'",
      "{\n  \"b\": 1.50,\n  \"a\": [\n    1e2,\n    {},\n    []\n  ],\n"
      "  \"s\": \"\\u00e9[{,:\\\"\"\n}" },
    { "twice is once", "json.pretty(json.pretty'[1,[2]]') == json.pretty'[1,[2]]'",
      "true" },
    { "a scalar", "json.pretty' 12 '", "12" },

    { "message of an error",
      "select(2, pcall(fail, 'not_found', 'gone', {op='pause', "
      "id='3fa29c1e', status=404, reason='db-not-found', "
      "request_id='8a/1'}))",
      "pause 3fa29c1e: 404 not_found: gone (db-not-found, request 8a/1)" },
    { "without a reason",
      "select(2, pcall(fail, 'api', 'm', {request_id='8a/1', status=500}))",
      "500 api: m (request 8a/1)" },
    { "with a reason only", "select(2, pcall(fail, 'api', 'm', {reason='r'}))",
      "api: m (r)" },
    { "bare", "select(2, pcall(fail, 'mismatch', 'differs'))", "mismatch: differs" },
    { "a script's own", "select(2, pcall(fail, 'script', 'no luck'))", "no luck" },
    { "odd fields do no harm",
      "select(2, pcall(fail, 'io', 'm', {op={}, reason=true, status=''}))", " io: m" },
    { "the fields stay",
      "select(2, pcall(fail, 'io', 'm', {hint='h', kind='no', [1]=2})).hint", "h" },
    { "kind and message win",
      "select(2, pcall(fail, 'io', 'm', {kind='api', message='x'}))", "io: m" },
    { "where", "select(2, pcall(function() fail('io', 'm') end)).where",
      "[string \"test\"]:1" },
    { "the metatable is closed", "getmetatable((select(2, pcall(fail, 'io', 'm'))))",
      "halo.error" },
};

static const struct {
    const char *name, *code, *message; /* a part of it */
} REFUSALS[] = {
    { "not JSON", "json.decode'{'", "not JSON" },
    { "nothing", "json.decode''", "not JSON" },
    { "HTML", "json.decode'<html>'", "not JSON" },
    { "cut off", "json.decode'{\"a\":[1,2'", "not JSON" },
    { "two texts", "json.decode'{} {}'", "not JSON" },
    { "NaN", "json.decode'NaN'", "not JSON" },
    { "hex", "json.decode'0x10'", "not JSON" },
    { "an open string with []", "json.decode'[\"[]'", "not JSON" },
    { "a backslash at the end", "json.decode'[] \"\\\\'", "not JSON" },
    { "65 deep", "json.decode(('['):rep(65)..(']'):rep(65))", "not JSON" },
    { "a million deep", "json.decode(('['):rep(1e6))", "not JSON" },
    { "a zero byte behind it", "json.decode'{}\\0x'", "zero byte" },
    { "pretty of no JSON", "json.pretty'{]'", "not JSON" },
    { "a function", "json.encode{a={b={1,print}}}",
      "cannot write a function as JSON (at .a.b[2])" },
    { "at the top", "json.encode(print)", "cannot write a function as JSON" },
    { "a userdata", "json.encode(io.stdout)", "a userdata" },
    { "NaN", "json.encode{0/0}", "not finite" },
    { "infinity", "json.encode(-math.huge)", "not finite" },
    { "a cycle", "(function() local t = {} t.t = t return json.encode(t) end)()",
      "itself" },
    { "65 deep",
      "(function() local t = {} for i = 1, 64 do t = {t} end return json.encode(t) "
      "end)()",
      "deeper than 64" },
    { "holes", "json.encode{1, nil, 3}", "holes" },
    { "far apart", "json.encode{[1]=1, [1000000]=2}", "holes" },
    { "both", "json.encode{1, a=2}", "both array and object" },
    { "a marked object", "json.encode(json.array{a=2})", "both array and object" },
    { "true as a key", "json.encode{[true]=1}", "keys" },
    { "1.5 as a key", "json.encode{[1.5]=1}", "keys" },
    { "0 as a key", "json.encode{[0]=1}", "keys" },
};

/* Runs `before` code `after` as a chunk; its only value, or its error, is left on top.
 * Outside of the protected calls it asks Lua for no memory. */
static int run(lua_State *L, const char *before, const char *code, const char *after)
{
    char text[2000];
    int len = snprintf(text, sizeof text, "%s%s%s", before, code, after);
    assert_in_range(len, 1, sizeof text - 1);
    lua_settop(L, 0);
    int status = luaL_loadbufferx(L, text, (size_t)len, "=[string \"test\"]", "t");
    return status == LUA_OK ? lua_pcall(L, 0, 1, 0) : status;
}

static int open_all(lua_State *L)
{
    luaL_openlibs(L);
    luaL_requiref(L, "json", hl_open_json, 1);
    luaL_requiref(L, "fail", hl_open_fail, 1);
    lua_settop(L, 0);
    return 0;
}

static void test_values(void **state)
{
    lua_State *L = *state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        int status = run(L, "return tostring(", CASES[i].code, ")");
        CHECK_EQ(CASES[i].name, status, LUA_OK);
        CHECK_STR(CASES[i].name, luaL_tolstring(L, -1, NULL), CASES[i].want);
    }
    CHECK_END();
}

static void test_refusals(void **state)
{
    lua_State *L = *state;
    for (size_t i = 0; i < COUNT(REFUSALS); i++) {
        CHECK_EQ(REFUSALS[i].name, run(L, "return ", REFUSALS[i].code, ""), LUA_ERRRUN);
        CHECK_EQ(REFUSALS[i].name, hl_error_number(L, -1), HALO_INVALID);
        const char *message = luaL_tolstring(L, -1, NULL);
        if (!strstr(message, REFUSALS[i].message))
            CHECK_STR(REFUSALS[i].name, message, REFUSALS[i].message);
    }
    CHECK_EQ("an unknown kind of error", run(L, "", "fail('odd', 'm')", ""), LUA_ERRRUN);
    CHECK_EQ("is the script's fault", hl_error_number(L, -1), HALO_SCRIPT);
    CHECK_EQ("ok is no error", run(L, "", "fail('ok', 'm')", ""), LUA_ERRRUN);
    CHECK_EQ("ok is no error", hl_error_number(L, -1), HALO_SCRIPT);
    CHECK_EQ("another's metatable", run(L, "", "json.array(setmetatable({}, {}))", ""),
             LUA_ERRRUN);
    CHECK_END();
}

/* Runs out of memory at the n-th allocation, and at all later ones. (Not while decoding:
 * cjson leaks its own buffer where Lua finds no memory.) */
static void *failing(void *ud, void *ptr, size_t osize, size_t nsize)
{
    long *left = ud;
    if (nsize == 0) {
        free(ptr);
        return NULL;
    }
    if ((!ptr || nsize > osize) && --*left < 0)
        return NULL;
    return realloc(ptr, nsize);
}

static void test_no_memory(void **state)
{
    static const char CODE[] =
        "local t = {} for i = 1, 40 do t[i] = ('k'):rep(i) t['x'..i] = nil end "
        "local text = json.encode({a = t, b = {c = 1.5, d = json.array{}}}, {pretty = "
        "true}) "
        "return text .. tostring(select(2, pcall(fail, 'io', text, {reason = text})))";
    long opening = 0;
    int status = LUA_ERRMEM;
    (void)state;
    for (long n = 0; status == LUA_ERRMEM && n < 20000; n++) {
        long left = 1000000;
        lua_State *L = lua_newstate(failing, &left);
        lua_pushcfunction(L, open_all);
        assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_OK);
        left = n;
        status = run(L, "", CODE, "");
        CHECK_EQ("memory or success", status == LUA_OK || status == LUA_ERRMEM, true);
        opening = n;
        left = 1000000;
        lua_close(L);
    }
    CHECK_EQ("succeeds once memory suffices", status, LUA_OK);
    CHECK_EQ("after many points", opening > 50, true);
    CHECK_END();
}

static int set_up(void **state)
{
    lua_State *L = luaL_newstate();
    *state = L;
    return open_all(L);
}

static int tear_down(void **state)
{
    lua_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
