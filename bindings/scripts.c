/* require "halo": what stdlib/script.lua needs of the host to find, limit and run scripts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modules.h"
#include "runtime.h"
#include "task.h"

static void push_entry(lua_State *L, int list, const char *origin)
{
    lua_createtable(L, 0, 2); /* [name] -> {name=, origin=} */
    lua_insert(L, -2);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, origin);
    lua_setfield(L, -2, "origin");
    lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

/* Pushes the folder of the operator's own scripts, or nil.                    [-0, +1, m] */
static const char *push_user_dir(lua_State *L)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (hl_host(L)->cfg.restricted || (!(config && *config) && !(home && *home)))
        lua_pushnil(L);
    else if (config && *config)
        lua_pushfstring(L, "%s/halo/scripts", config);
    else
        lua_pushfstring(L, "%s/.config/halo/scripts", home);
    return lua_tostring(L, -1);
}

/* scripts() -> {{name=, origin="bundled"|"user"}, ...}                        [-0, +1, v] */
static int l_scripts(lua_State *L)
{
    lua_newtable(L);
    hl_runtime_list(L, hl_host(L)->cfg.scripts_dir);
    for (lua_Integer i = 1; lua_rawgeti(L, 2, i) == LUA_TSTRING; i++)
        push_entry(L, 1, "bundled");
    lua_settop(L, 1);
    const char *dir = push_user_dir(L);
    if (!dir || access(dir, R_OK) != 0) {
        lua_settop(L, 1);
        return 1;
    }
    hl_runtime_list(L, dir);
    for (lua_Integer i = 1; lua_rawgeti(L, 3, i) == LUA_TSTRING; i++)
        push_entry(L, 1, "user");
    lua_settop(L, 1);
    return 1;
}

/* A script in a file; modules beside it can be required from now on. */
static int file_source(lua_State *L, const char *path, const char *origin)
{
    struct halo_run *run = hl_run_of(L);
    if (!hl_runtime_read(L, path))
        return 0;
    const char *slash = strrchr(path, '/');
    if (run && !run->dir)
        run->dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    lua_pushfstring(L, "@%s", path);
    lua_pushstring(L, origin);
    return 3;
}

/* source(name or path) -> text, chunk name, origin; or nil, message           [-0, +3, v] */
static int l_source(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    size_t len = strlen(name);
    bool path = strchr(name, '/') || (len > 4 && strcmp(name + len - 4, ".lua") == 0);
    if (path && file_source(L, name, "file"))
        return 3;
    if (path) {
        lua_pushnil(L);
        lua_pushfstring(L, "cannot read %s: %s", name, strerror(errno));
        return 2;
    }
    if (hl_runtime_file(L, "scripts", name)) {
        lua_pushliteral(L, "bundled");
        return 3;
    }
    const char *dir = push_user_dir(L);
    if (dir && file_source(L, lua_pushfstring(L, "%s/%s.lua", dir, name), "user"))
        return 3;
    lua_pushnil(L);
    lua_pushfstring(L, "there is no script '%s'", name);
    return 2;
}

/* effect(name): from here on the run may have at most this effect             [-0, +0, v] */
static int l_effect(lua_State *L)
{
    static const char *const NAMES[] = { "read", "change", "destroy", NULL };
    int effect = HALO_READ + luaL_checkoption(L, 1, NULL, NAMES);
    struct halo_run *run = hl_run_of(L);
    if (run && effect < run->effect)
        run->effect = effect;
    return 0;
}

int hl_open_halo(lua_State *L)
{
    static const luaL_Reg MODULE[] = {
        { "scripts", l_scripts }, { "source", l_source }, { "effect", l_effect }, { NULL, NULL }
    };
    const halo_config *cfg = &hl_host(L)->cfg;
    luaL_newlib(L, MODULE);
    lua_pushliteral(L, HALO_VERSION);
    lua_setfield(L, -2, "version");
    lua_createtable(L, 0, 2);
    lua_pushboolean(L, cfg->dry_run);
    lua_setfield(L, -2, "dry_run");
    lua_pushstring(L, cfg->work_dir);
    lua_setfield(L, -2, "work_dir");
    lua_setfield(L, -2, "options");
    return 1;
}

const luaL_Reg hl_modules[] = { { "aura", hl_open_aura },       { "task.core", hl_open_task }, { "json", hl_open_json },
                                { "fs", hl_open_fs },           { "clock", hl_open_clock },    { "process", hl_open_process },
                                { "httpd", hl_open_httpd },     { "ui", hl_open_ui },          { "halo", hl_open_halo },
                                { "fail", hl_open_fail },       { NULL, NULL } };
