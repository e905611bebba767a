/* require "ui": what a script says and asks. All of it goes through the host's callbacks.
 */
#include <string.h>

#include "aura.h"
#include "modules.h"
#include "task.h"

#define QUESTION "ui.question"

static void log_argument(lua_State *L, int level)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    hl_log(hl_host(L), level, text, len);
}

/* say(text): one line of progress                                            [-0, +0, v]
 */
static int l_say(lua_State *L)
{
    log_argument(L, HALO_LOG_INFO);
    return 0;
}

static int l_warn(lua_State *L)
{
    log_argument(L, HALO_LOG_WARN);
    return 0;
}

/* result(text): the human form of the script's result                        [-0, +0, v]
 */
static int l_result(lua_State *L)
{
    log_argument(L, HALO_LOG_RESULT);
    return 0;
}

/* event{event="step", ...}: for programs that follow a run                   [-0, +0, v]
 */
static int l_event(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushnil(L); /* "event" is the first member: the rest is written without it */
    lua_newtable(L);
    while (lua_pushvalue(L, 2), lua_next(L, 1)) {
        lua_pushvalue(L, -2);
        lua_replace(L, 2);
        bool event =
            lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "event") == 0;
        if (event)
            lua_pop(L, 2);
        else
            lua_rawset(L, 3);
    }
    lua_settop(L, 3);
    if (lua_getfield(L, 1, "event") != LUA_TSTRING)
        return luaL_argerror(L, 1, "event must be a string");
    hl_json_encode(L, 4, false);
    hl_json_encode(L, 3, false);
    const char *rest = lua_tostring(L, -1) + 1;
    lua_pushfstring(L, *rest == '}' ? "{\"event\":%s%s" : "{\"event\":%s,%s",
                    lua_tostring(L, 5), rest);
    size_t len;
    const char *json = lua_tolstring(L, -1, &len);
    hl_event(hl_host(L), json, len);
    return 0;
}

/* ---- questions ---- */

struct question {
    struct hl_wait wait;
    struct halo_run *run;
};

static int question_close(lua_State *L)
{
    struct question *q = luaL_checkudata(L, 1, QUESTION);
    hl_wait_drop(&q->wait);
    if (q->run && q->run->question == &q->wait)
        q->run->question = NULL;
    q->run = NULL;
    return 0;
}

static int question_on(lua_State *L, int status, lua_KContext self)
{
    struct question *q = lua_touserdata(L, (int)self);
    (void)status;
    if (q->run->question == &q->wait)
        q->run->question = NULL;
    q->run =
        NULL; /* a coroutine that fails here leaves q to the collector, after the run */
    if (q->wait.err != HALO_OK && q->wait.err != HALO_DENIED)
        return hl_raise(L, q->wait.err, "ui.confirm", "cancelled");
    lua_pushboolean(L, q->wait.err == HALO_OK);
    return 1;
}

int hl_confirm_once(lua_State *L)
{
    const char *text = luaL_checkstring(L, 1);
    struct halo_run *run = hl_run_of(L);
    lua_settop(L, 1);
    hl_check_await(L); /* before anybody is asked */
    if (run->question)
        return hl_raise(L, HALO_USAGE, "ui.confirm",
                        "another question of this run is still open");
    int answer = hl_confirm(run, text);
    if (answer != HALO_LATER) {
        lua_pushboolean(L, answer == HALO_YES);
        return 1;
    }
    struct question *q = lua_newuserdatauv(L, sizeof *q, 0);
    memset(q, 0, sizeof *q);
    luaL_setmetatable(L, QUESTION);
    lua_toclose(L, 2);
    q->run = run;
    run->question = &q->wait;
    return hl_await(L, &q->wait, question_on, 2);
}

static int confirm_on(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    struct halo_run *run = hl_run_of(L);
    if (run && lua_toboolean(L, -1))
        run->confirmed = true;
    return 1;
}

/* confirm(question) -> boolean. A yes covers what the run destroys from here on. [-0, +1,
 * v] */
static int l_confirm(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushcfunction(L, hl_confirm_once);
    lua_insert(L, 1);
    lua_callk(L, 1, 1, 0, confirm_on);
    return confirm_on(L, LUA_OK, 0);
}

int hl_open_ui(lua_State *L)
{
    static const luaL_Reg META[] = { { "__gc", question_close },
                                     { "__close", question_close },
                                     { NULL, NULL } };
    static const luaL_Reg MODULE[] = { { "say", l_say },         { "warn", l_warn },
                                       { "result", l_result },   { "event", l_event },
                                       { "confirm", l_confirm }, { NULL, NULL } };
    luaL_newmetatable(L, QUESTION);
    luaL_setfuncs(L, META, 0);
    luaL_newlib(L, MODULE);
    return 1;
}
