/* coroutine.resume, wrap and close for scripts. A wait of the host inside a script's own
 * coroutine must reach the scheduler, so a resumed coroutine that yields a wait makes its
 * resumer yield it too, level by level; when the task goes on, each level resumes the one
 * above it again. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "runtime.h"
#include "task.h"

/* Registry key of a table: coroutine -> the thread that resumed it, while it runs or
 * waits. */
static char RESUMER;

lua_State *hl_resumer(lua_State *L, lua_State *co)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &RESUMER);
    lua_rawgetp(L, -1, co);
    lua_State *by = lua_touserdata(L, -1);
    lua_pop(L, 2);
    return by;
}

void hl_set_resumer(lua_State *L, lua_State *co, lua_State *by)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &RESUMER);
    if (by)
        lua_pushlightuserdata(L, by);
    else
        lua_pushnil(L);
    lua_rawsetp(L, -2, co);
    lua_pop(L, 1);
}

/* Continues L after co has returned, yielded or failed with `status`. Pushes what co
 * gave: its values, or its error. Returns how many, or -1 for an error, or waits. [-0,
 * +n, m] */
static int after(lua_State *L, lua_State *co, int status, int values)
{
    hl_set_resumer(L, co, NULL);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, values + 1)) {
        lua_pop(co, values);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, values);
    return values;
}

/* Resumes co with the nargs values on top of L, and again after each wait. */
static int drive(lua_State *L, lua_State *co, int nargs, lua_KFunction k)
{
    int values = 0;
    if (!lua_checkstack(co, nargs)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    hl_set_resumer(L, co, L);
    lua_xmove(L, co, nargs);
    int status = lua_resume(co, L, nargs, &values);
    if (status == LUA_YIELD && hl_yielded_wait(co, values)) {
        lua_pop(co, 1);
        return hl_relay_wait(L, (lua_KContext)co, k);
    }
    return after(L, co, status, values);
}

/* Pushes a message and answers false when co cannot be resumed. */
static bool resumable(lua_State *L, lua_State *co)
{
    bool waits = hl_resumer(L, co) != NULL;
    bool dead =
        lua_status(co) > LUA_YIELD || (lua_status(co) == LUA_OK && lua_gettop(co) == 0);
    if (waits || co == L)
        lua_pushliteral(L, "cannot resume a coroutine that is running or waiting");
    else if (dead)
        lua_pushliteral(L, "cannot resume dead coroutine");
    return !waits && co != L && !dead;
}

static int resume_result(lua_State *L, int values)
{
    lua_pushboolean(L, values >= 0);
    lua_insert(L, values >= 0 ? -(values + 1) : -2);
    return values >= 0 ? values + 1 : 2;
}

static int resume_on(lua_State *L, int status, lua_KContext co)
{
    (void)status;
    return resume_result(L, drive(L, (lua_State *)co, 0, resume_on));
}

/* coroutine.resume(co, ...)                                        [-0, +n, m] */
static int l_resume(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTHREAD);
    lua_State *co = lua_tothread(L, 1);
    if (!resumable(L, co))
        return resume_result(L, -1);
    return resume_result(L, drive(L, co, lua_gettop(L) - 1, resume_on));
}

/* The error of a wrapped coroutine: closes it and raises, with the position as Lua does.
 */
static int wrap_result(lua_State *L, lua_State *co, int values)
{
    if (values >= 0)
        return values;
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD && !hl_runtime_stopped(co) &&
        lua_resetthread(co) != LUA_OK && lua_gettop(co) > 0) {
        lua_pop(L, 1);
        lua_xmove(co, L, 1);
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap_on(lua_State *L, int status, lua_KContext co)
{
    (void)status;
    return wrap_result(L, (lua_State *)co, drive(L, (lua_State *)co, 0, wrap_on));
}

static int wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    if (!resumable(L, co))
        return wrap_result(L, co, -1);
    return wrap_result(L, co, drive(L, co, lua_gettop(L), wrap_on));
}

/* coroutine.wrap(f)                                                [-0, +1, m] */
static int l_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

/* coroutine.close(co): upvalue 1 is Lua's own                      [-0, +n, m] */
static int l_close(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTHREAD);
    if (hl_resumer(L, lua_tothread(L, 1)))
        return luaL_error(L, "cannot close a coroutine that is running or waiting");
    if (lua_status(lua_tothread(L, 1)) > LUA_YIELD &&
        hl_runtime_stopped(lua_tothread(L, 1)))
        return luaL_error(L, "cannot close a coroutine that a limit has ended");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

void hl_open_coroutine(lua_State *L)
{
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &RESUMER);
    luaL_requiref(L, LUA_COLIBNAME, luaopen_coroutine, 1);
    lua_pushcfunction(L, l_resume);
    lua_setfield(L, -2, "resume");
    lua_pushcfunction(L, l_wrap);
    lua_setfield(L, -2, "wrap");
    lua_getfield(L, -1, "close");
    lua_pushcclosure(L, l_close, 1);
    lua_setfield(L, -2, "close");
    lua_pop(L, 1);
}
