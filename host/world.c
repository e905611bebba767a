/* The globals of a run of a restricted host. Each run has its own, with modules of its own, so
 * that nothing a script changes is met by another run or by the host's own Lua code; and they
 * hold what cannot reach beyond the limits. */
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "loader.h"
#include "runtime.h"
#include "task.h"

/* [-0, +0, m] */
static void copy_fields(lua_State *L, int from, int to, const char *const *names)
{
    for (; *names; names++) {
        lua_getfield(L, from, *names);
        lua_setfield(L, to, *names);
    }
}

/* os.getenv(name): only what halo itself says; the declared arguments of a script have the rest
 */
static int l_getenv(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_pushstring(L, strcmp(name, "WORK_DIR") == 0 ? hl_host(L)->cfg.work_dir : NULL);
    return 1;
}

/* setmetatable(t, mt): not one with a finalizer: Lua runs those with hooks off, so that one
 * might never return. Upvalue 1 is Lua's own function. */
static int l_setmetatable(lua_State *L)
{
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "__gc is not available to scripts of a restricted host");
        lua_pop(L, 1);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* collectgarbage([what]): the collector is every run's, so it may be used, not set */
static int l_collectgarbage(lua_State *L)
{
    static const char *const NAMES[] = { "collect", "count", NULL };
    if (luaL_checkoption(L, 1, "collect", NAMES) == 0) {
        lua_gc(L, LUA_GCCOLLECT);
        lua_pushinteger(L, 0);
    } else {
        lua_pushnumber(L, lua_gc(L, LUA_GCCOUNT) + lua_gc(L, LUA_GCCOUNTB) / 1024.0);
    }
    return 1;
}

/* Pushes the opener of a native module or the chunk of a Lua one, with the globals at `world`;
 * raises when there is none. The name is at 1.                                [-0, +1, v] */
static void push_loader(lua_State *L, int world)
{
    const char *name = lua_tostring(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    if (lua_getfield(L, -1, name) == LUA_TFUNCTION)
        return;
    lua_settop(L, 1);
    if (hl_search_stdlib(L) != 1 || lua_type(L, -1) != LUA_TFUNCTION) {
        lua_settop(L, 1);
        hl_search_beside(L);
    }
    if (lua_type(L, -1) != LUA_TFUNCTION)
        luaL_error(L, "module '%s' not found: %s", name, lua_tostring(L, -1));
    lua_pushvalue(L, world);
    lua_setupvalue(L, -2, 1);
}

/* require(name): upvalue 1 is the table of what is loaded, 2 the globals      [-0, +1, v] */
static int l_require(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    push_loader(L, lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1))
        lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, lua_upvalueindex(1));
    return 1;
}

/* A copy of a library's table as world[name] and loaded[name].                [-0, +0, m] */
static void add_library(lua_State *L, int world, int loaded, const char *name,
                        const char *const *only)
{
    lua_getglobal(L, name);
    int from = lua_gettop(L);
    lua_newtable(L);
    if (only) {
        copy_fields(L, from, from + 1, only);
    } else {
        for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, from + 1);
        }
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, world, name);
    lua_setfield(L, loaded, name);
    lua_pop(L, 1);
}

static void add_functions(lua_State *L, int world, int loaded)
{
    static const luaL_Reg OWN[] = { { "collectgarbage", l_collectgarbage },
                                    { NULL, NULL } };
    lua_pushvalue(L, world);
    luaL_setfuncs(L, OWN, 0);
    lua_getglobal(L, "setmetatable");
    lua_pushcclosure(L, l_setmetatable, 1);
    lua_setfield(L, world, "setmetatable");
    hl_push_load(L, world);
    lua_setfield(L, world, "load");
    lua_pushvalue(L, loaded);
    lua_pushvalue(L, world);
    lua_pushcclosure(L, l_require, 2);
    lua_setfield(L, world, "require");
    lua_getfield(L, world, "os");
    lua_pushcfunction(L, l_getenv);
    lua_setfield(L, -2, "getenv");
    lua_pop(L, 2);
}

void hl_push_world(lua_State *L)
{
    static const char *const BASE[] = {
        "_VERSION", "assert",   "error",    "getmetatable", "ipairs", "next",   "pairs",
        "pcall",    "print",    "rawequal", "rawget",       "rawlen", "rawset", "select",
        "tonumber", "tostring", "type",     "xpcall",       NULL
    };
    static const char *const OS[] = { "clock", "date", "difftime", "time", NULL };
    lua_pushglobaltable(L);
    if (!hl_host(L)->cfg.restricted)
        return;
    luaL_checkstack(L, 12, "globals");
    int shared = lua_gettop(L), world = shared + 1, loaded = shared + 2;
    lua_newtable(L);
    lua_newtable(L);
    copy_fields(L, shared, world, BASE);
    add_library(L, world, loaded, LUA_STRLIBNAME, NULL);
    add_library(L, world, loaded, LUA_TABLIBNAME, NULL);
    add_library(L, world, loaded, LUA_MATHLIBNAME, NULL);
    add_library(L, world, loaded, LUA_UTF8LIBNAME, NULL);
    add_library(L, world, loaded, LUA_COLIBNAME, NULL);
    add_library(L, world, loaded, LUA_OSLIBNAME, OS);
    add_functions(L, world, loaded);
    lua_pushvalue(L, world);
    lua_setfield(L, world, LUA_GNAME);
    lua_pushvalue(L, world);
    lua_setfield(L, loaded, LUA_GNAME);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, loaded);
    lua_setfield(L, -2, "loaded");
    lua_setfield(L, world, LUA_LOADLIBNAME);
    lua_settop(L, world);
    lua_remove(L, shared);
}
