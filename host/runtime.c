#include "runtime.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <lualib.h>

#include "../bindings/modules.h"
#include "loader.h"
#include "task.h"

/* Between two looks at the clock: well below a millisecond. */
enum { HOOK_INSTRUCTIONS = 10000 };

/* ---- memory ---- */

static void *allocate(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct halo_host *h = ud;
    struct hl_runtime *r = h->runtime;
    size_t old = ptr ? osize : 0; /* osize is a type tag when ptr is NULL */
    if (nsize > old && r->limit && r->used + (nsize - old) > r->limit)
        return NULL;
    void *fresh = NULL;
    if (h->cfg.alloc)
        fresh = h->cfg.alloc(h->cfg.ud, ptr, old, nsize);
    else if (nsize == 0)
        free(ptr);
    else
        fresh = realloc(ptr, nsize);
    if (fresh || nsize == 0)
        r->used += nsize - old;
    return fresh;
}

/* ---- computing time ---- */

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    struct halo_host *h = hl_host(L);
    struct halo_run *run = hl_run_of(L);
    (void)ar;
    bool killed = run && run->interrupts + (h->interrupts - h->interrupts_seen) >= 2;
    if (!killed &&
        (h->runtime->compute_until == 0 || now_ms() < h->runtime->compute_until))
        return;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1); /* so that a pcall in a loop dies too */
    if (killed)
        hl_raise(L, HALO_CANCELLED, NULL, "cancelled");
    hl_raise(L, HALO_COMPUTE, NULL, "computed for more than %d ms without waiting",
             h->cfg.compute_ms);
}

void hl_runtime_begin(struct halo_host *h)
{
    h->runtime->compute_until = h->cfg.compute_ms > 0 ? now_ms() + h->cfg.compute_ms : 0;
}

/* ---- libraries ---- */

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

/* load(chunk, name, mode, env) and loadfile(file, mode, env): never bytecode. Upvalue 1
 * is Lua's own function, upvalue 2 the place of the mode. */
static int l_load_text(lua_State *L)
{
    int mode = (int)lua_tointeger(L, lua_upvalueindex(2));
    int n = lua_gettop(L);
    if (n < mode)
        lua_settop(L, mode);
    lua_pushliteral(L, "t");
    lua_replace(L, mode);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
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
    lua_pushcclosure(L, l_load_text, 2);
    lua_setglobal(L, name);
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

static void open_libraries(lua_State *L)
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
    text_only(L, "load", 3);
    if (hl_host(L)->cfg.restricted) {
        remove_fields(
            L, "_G",
            (const char *const[]){ "loadfile", "dofile", "collectgarbage", NULL });
        remove_fields(L, "os",
                      (const char *const[]){ "execute", "exit", "remove", "rename",
                                             "tmpname", "setlocale", "getenv", NULL });
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

/* Runs protected: everything that needs memory. The host is its argument. */
static int setup(lua_State *L)
{
    hl_set_host(L);
    lua_sethook(L, on_count, LUA_MASKCOUNT,
                HOOK_INSTRUCTIONS); /* inherited by every thread */
    open_libraries(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (const luaL_Reg *m = hl_modules; m->name; m++) {
        lua_pushcfunction(L, m->func);
        lua_setfield(L, -2, m->name);
    }
    return 0;
}

int hl_runtime_open(struct halo_host *h)
{
    h->runtime = calloc(1, sizeof *h->runtime);
    if (!h->runtime)
        return HALO_NOMEM;
    h->runtime->limit = h->cfg.memory_bytes;
    h->L = lua_newstate(allocate, h);
    if (!h->L)
        return HALO_NOMEM;
    lua_pushcfunction(h->L, setup);
    lua_pushlightuserdata(h->L, h);
    return lua_pcall(h->L, 1, 0, 0) == LUA_OK ? HALO_OK : HALO_NOMEM;
}

void hl_runtime_close(struct halo_host *h)
{
    if (h->L)
        lua_close(h->L);
    h->L = NULL;
    free(h->runtime);
    h->runtime = NULL;
}
