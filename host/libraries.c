/* What Lua's own libraries are for the host's Lua code and for scripts that are trusted. */
#include <lauxlib.h>
#include <lualib.h>

#include "loader.h"
#include "runtime.h"
#include "task.h"

/* Registry key of Lua's own load. */
static char LOAD;

/* print(...): one line for the log callback, as PRINT */
static int l_print(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&b, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    hl_log(hl_host(L), HALO_LOG_PRINT, text, len);
    return 0;
}

/* load(chunk, name, mode, env) and loadfile(file, mode, env): never bytecode. Upvalue 1 is
 * Lua's own function, 2 the place of the mode, 3 the env that stands where none is given, or
 * nil for Lua's. */
static int l_load_text(lua_State *L)
{
    int mode = (int)lua_tointeger(L, lua_upvalueindex(2));
    bool env = lua_gettop(L) <= mode && !lua_isnil(L, lua_upvalueindex(3));
    if (lua_gettop(L) < mode)
        lua_settop(L, mode);
    lua_pushliteral(L, "t");
    lua_replace(L, mode);
    if (env)
        lua_pushvalue(L, lua_upvalueindex(3));
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

void hl_push_load(lua_State *L, int env)
{
    lua_pushvalue(L, env);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &LOAD);
    lua_insert(L, -2);
    lua_pushinteger(L, 3);
    lua_insert(L, -2);
    lua_pushcclosure(L, l_load_text, 3);
}

static int dofile_on(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L) - 1;
}

/* dofile(path): as Lua's, for text only                                       [-0, +n, e]
 */
static int l_dofile(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    if (luaL_loadfilex(L, path, "t") != LUA_OK)
        return lua_error(L);
    lua_callk(L, 0, LUA_MULTRET, 0, dofile_on);
    return dofile_on(L, LUA_OK, 0);
}

static int l_no_exit(lua_State *L)
{
    return luaL_error(
        L, "os.exit is not available: return from the script, or raise an error");
}

static void text_only(lua_State *L, const char *name, int mode)
{
    lua_getglobal(L, name);
    lua_pushinteger(L, mode);
    lua_pushnil(L);
    lua_pushcclosure(L, l_load_text, 3);
    lua_setglobal(L, name);
}

/* ---- xpcall ---- */

/* The handler that Lua calls: upvalue 1 is the script's. An error that the hook raised is not
 * handled: Lua calls the handler with hooks off, so that it might never return. */
static int handle(lua_State *L)
{
    if (hl_runtime_stopped(L))
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static int xpcall_on(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
    lua_replace(L, 1); /* over the handler */
    return lua_gettop(L);
}

/* xpcall(f, handler, ...): as Lua's                                           [-0, +n, m] */
static int l_xpcall(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, handle, 1);
    lua_pushvalue(L, 1);
    lua_replace(L, 2);
    lua_replace(L, 1);
    return xpcall_on(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, xpcall_on),
                     0);
}

static void remove_fields(lua_State *L, const char *table, const char *const *names)
{
    lua_getglobal(L, table);
    for (; *names; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
    lua_pop(L, 1);
}

/* require looks in preload, stdlib/, beside the script, and then, unless restricted,
 * where Lua does. */
static void open_package(lua_State *L)
{
    bool restricted = hl_host(L)->cfg.restricted;
    luaL_requiref(L, LUA_LOADLIBNAME, luaopen_package, 1);
    lua_getfield(L, -1, "searchers");
    int searchers = lua_gettop(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, searchers);
    for (lua_Integer i = n; i >= 2; i--) {
        lua_rawgeti(L, searchers, i);
        lua_rawseti(L, searchers, i + 2);
    }
    lua_pushcfunction(L, hl_search_stdlib);
    lua_rawseti(L, searchers, 2);
    lua_pushcfunction(L, hl_search_beside);
    lua_rawseti(L, searchers, 3);
    for (lua_Integer i = 4; restricted && i <= n + 2; i++) {
        lua_pushnil(L);
        lua_rawseti(L, searchers, i);
    }
    lua_pop(L, 2);
    if (restricted)
        remove_fields(
            L, "package",
            (const char *const[]){ "loadlib", "cpath", "path", "searchpath", NULL });
}

void hl_open_libraries(lua_State *L)
{
    static const luaL_Reg ALLOWED[] = {
        { LUA_GNAME, luaopen_base },        { LUA_TABLIBNAME, luaopen_table },
        { LUA_STRLIBNAME, luaopen_string }, { LUA_MATHLIBNAME, luaopen_math },
        { LUA_UTF8LIBNAME, luaopen_utf8 },  { LUA_OSLIBNAME, luaopen_os }
    };
    for (size_t i = 0; i < sizeof ALLOWED / sizeof *ALLOWED; i++) {
        luaL_requiref(L, ALLOWED[i].name, ALLOWED[i].func, 1);
        lua_pop(L, 1);
    }
    hl_open_coroutine(L);
    open_package(L);
    lua_pushcfunction(L, l_print);
    lua_setglobal(L, "print");
    lua_getglobal(L, "load");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &LOAD);
    text_only(L, "load", 3);
    lua_pushcfunction(L, l_xpcall);
    lua_setglobal(L, "xpcall");
    remove_fields(L, "os",
                  (const char *const[]){ "setlocale", NULL }); /* the process's */
    if (hl_host(L)->cfg.restricted) {
        remove_fields(
            L, "_G",
            (const char *const[]){ "loadfile", "dofile", "collectgarbage", NULL });
        remove_fields(L, "os",
                      (const char *const[]){ "execute", "exit", "remove", "rename",
                                             "tmpname", NULL });
        hl_bound_libraries(L);
        return;
    }
    luaL_requiref(L, LUA_IOLIBNAME, luaopen_io, 1);
    luaL_requiref(L, LUA_DBLIBNAME, luaopen_debug, 1);
    lua_pop(L, 2);
    text_only(L, "loadfile", 2);
    lua_pushcfunction(L, l_dofile);
    lua_setglobal(L, "dofile");
    lua_getglobal(L, "os");
    lua_pushcfunction(L, l_no_exit);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
}
