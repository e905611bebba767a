/* require "halo": what stdlib/script.lua needs of the host to find, limit and run
 * scripts. */
#include <stdlib.h>
#include <string.h>

#include "modules.h"
#include "loader.h"
#include "runtime.h"
#include "task.h"

/* scripts() -> the names of the bundled scripts, or of those in --scripts     [-0, +1, v]
 */
static int l_scripts(lua_State *L)
{
    hl_list_scripts(L);
    return 1;
}

/* bundled(name) -> text, chunk name; nothing when there is none               [-0, +2, v]
 */
static int l_bundled(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (strpbrk(name, "/.") || !hl_load_bundled(L, "scripts", name))
        return 0;
    return 2;
}

/* Replaces a path that the run owns by the first argument.                    [-0, +0, v]
 */
static int set_path(lua_State *L, struct halo_run *run, char **owned)
{
    const char *path = luaL_checkstring(L, 1);
    if (run && run->confined)
        return hl_raise(L, HALO_DENIED, NULL, "not changed: this host is restricted");
    char *copy = run ? strdup(path) : NULL;
    if (!copy)
        return hl_raise(L, HALO_NOMEM, NULL, "%s", halo_strerror(HALO_NOMEM));
    free(*owned);
    *owned = copy;
    return 0;
}

/* folder(path): where require looks for modules beside the script of this run [-0, +0, v]
 */
static int l_folder(lua_State *L)
{
    struct halo_run *run = hl_run_of(L);
    return set_path(L, run, run ? &run->dir : NULL);
}

/* work_dir(path): what options().work_dir is from here on, for this run       [-0, +0, v]
 */
static int l_work_dir(lua_State *L)
{
    struct halo_run *run = hl_run_of(L);
    return set_path(L, run, run ? &run->work_dir : NULL);
}

static const char *const EFFECTS[] = { "read", "change", "destroy", NULL };

const char *hl_effect_name(int effect)
{
    return EFFECTS[effect - HALO_READ];
}

/* effect(name): from here on the run may have at most this effect; more than it may have
 * now is denied                                                               [-0, +0, v]
 */
static int l_effect(lua_State *L)
{
    int effect = HALO_READ + luaL_checkoption(L, 1, NULL, EFFECTS);
    struct halo_run *run = hl_run_of(L);
    if (run && effect > run->effect)
        hl_raise(L, HALO_DENIED, NULL,
                 "the script declares the effect \"%s\", but may only \"%s\" here",
                 hl_effect_name(effect), hl_effect_name(run->effect));
    if (run)
        run->effect = effect;
    return 0;
}

/* globals() -> those of this run, whose script begins with this               [-0, +1, m]
 */
static int l_globals(lua_State *L)
{
    struct halo_run *run = hl_run_of(L);
    if (run)
        run->confined = run->host->cfg.restricted;
    hl_push_world(L);
    return 1;
}

/* options() -> {dry_run=, work_dir=, restricted=}                                          [-0, +1, m]
 */
static int l_options(lua_State *L)
{
    const halo_config *cfg = &hl_host(L)->cfg;
    lua_createtable(L, 0, 2);
    lua_pushboolean(L, cfg->dry_run);
    lua_setfield(L, -2, "dry_run");
    lua_pushboolean(L, cfg->restricted);
    lua_setfield(L, -2, "restricted");
    struct halo_run *run = hl_run_of(L);
    lua_pushstring(L, run && run->work_dir ? run->work_dir : cfg->work_dir);
    lua_setfield(L, -2, "work_dir");
    return 1;
}

int hl_open_halo(lua_State *L)
{
    static const luaL_Reg MODULE[] = {
        { "scripts", l_scripts },   { "bundled", l_bundled },
        { "folder", l_folder },     { "effect", l_effect },
        { "work_dir", l_work_dir }, { "globals", l_globals },
        { "options", l_options },   { NULL, NULL }
    };
    luaL_newlib(L, MODULE);
    lua_pushliteral(L, HALO_VERSION);
    lua_setfield(L, -2, "version");
    return 1;
}

const luaL_Reg hl_modules[] = {
    { "aura", hl_open_aura },       { "task.core", hl_open_task },
    { "json", hl_open_json },       { "aura.json", hl_open_json },
    { "fs", hl_open_fs },           { "clock", hl_open_clock },
    { "process", hl_open_process }, { "httpd", hl_open_httpd },
    { "ui", hl_open_ui },           { "halo", hl_open_halo },
    { "fail", hl_open_fail },       { NULL, NULL }
};
