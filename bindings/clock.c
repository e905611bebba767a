#include <math.h>
#include <time.h>

#include "modules.h"

static lua_Number seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9;
}

/* clock.now() -> seconds since 1970                                        [-0, +1, -] */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, seconds_of(CLOCK_REALTIME));
    return 1;
}

/* clock.monotonic() -> seconds since some moment; never goes back          [-0, +1, -] */
static int l_monotonic(lua_State *L)
{
    lua_pushnumber(L, seconds_of(CLOCK_MONOTONIC));
    return 1;
}

static time_t check_epoch(lua_State *L, int arg)
{
    lua_Number epoch = luaL_optnumber(L, arg, seconds_of(CLOCK_REALTIME));
    luaL_argcheck(L, epoch >= 0 && epoch < 253402300800.0, arg,
                  "not a time before the year 10000");
    return (time_t)floor(epoch);
}

/* clock.utc([epoch]) -> "2026-02-26T15:07:13Z"                             [-1, +1, e] */
static int l_utc(lua_State *L)
{
    char text[32];
    struct tm tm;
    time_t epoch = check_epoch(L, 1);
    gmtime_r(&epoch, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    lua_pushstring(L, text);
    return 1;
}

/* clock.stamp([epoch]) -> "20260226-150713", local time                    [-1, +1, e] */
static int l_stamp(lua_State *L)
{
    char text[32];
    struct tm tm;
    time_t epoch = check_epoch(L, 1);
    tzset(); /* localtime_r need not */
    localtime_r(&epoch, &tm);
    strftime(text, sizeof text, "%Y%m%d-%H%M%S", &tm);
    lua_pushstring(L, text);
    return 1;
}

int hl_open_clock(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {
        { "now", l_now }, { "monotonic", l_monotonic },
        { "utc", l_utc }, { "stamp", l_stamp },
        { NULL, NULL },
    };
    luaL_newlib(L, FUNCTIONS);
    return 1;
}
