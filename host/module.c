/* require "aura" in an interpreter that is not halo: the same bindings on a host without
 * tasks, so that each wait blocks. The host ends with the interpreter's state. */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "../bindings/modules.h"
#include "client.h"
#include "host.h"

#define MODULE_EXPORT __attribute__((visibility("default")))

/* Warnings are Lua's (`lua -W`, warn("@on")); the rest is not told. */
static void on_log(void *ud, int level, const char *text, size_t len)
{
    struct halo_host *h = ud;
    (void)len;
    if (level != HALO_LOG_WARN)
        return;
    lua_warning(h->L, "aura: ", 1);
    lua_warning(h->L, text, 0);
}

/* Made before all that uses the host, so collected after it. A finalizer of the script's
 * may still come later: it finds no host. */
static int host_gc(lua_State *L)
{
    struct halo_host *h = lua_touserdata(L, 1);
    lua_pushnil(L);
    hl_set_host(L);
    hl_client_unref(h->client);
    hl_loop_free(h->loop);
    return 0;
}

/* As halo_open for the program: everything is allowed, the token is shared. [-0, +0, v] */
static void attach_host(lua_State *L)
{
    struct halo_host *h = lua_newuserdatauv(L, sizeof *h, 0);
    memset(h, 0, sizeof *h);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, host_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    h->cfg = (halo_config)HALO_CONFIG_INIT;
    h->cfg.effect = HALO_DESTROY;
    h->cfg.token_cache = 1;
    h->cfg.log = on_log;
    h->cfg.ud = h;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    h->L = lua_tothread(L, -1);
    lua_pop(L, 1);
    h->loop = hl_loop_new(NULL);
    if (!h->loop)
        hl_raise(L, HALO_NOMEM, NULL, "cannot make an event loop");
    hl_set_host(L);
}

/* Loading it again gives a new table for the same host.                     [-0, +1, v] */
MODULE_EXPORT int luaopen_aura(lua_State *L)
{
    luaL_checkversion(L);
    if (!hl_find_host(L))
        attach_host(L);
    return hl_open_aura(L);
}

/* require "aura.json": halo's "json", which has this name, too, so that a program runs in
 * both                                                                      [-0, +1, e] */
MODULE_EXPORT int luaopen_aura_json(lua_State *L)
{
    luaL_checkversion(L);
    return hl_open_json(L);
}
