/* Example: a program that gives scripts a native module of its own, here what it knows of
 * who owns which instance. Compile and link with the same Lua as halo. */
#include <halo.h>

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

/* owners.of(name) -> the owner, or nil */
static int l_of(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (strcmp(name, "orders-prod") == 0)
        lua_pushliteral(L, "sales");
    else
        lua_pushnil(L);
    return 1;
}

/* require "owners" */
static int open_owners(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = { { "of", l_of }, { NULL, NULL } };
    luaL_newlib(L, FUNCTIONS);
    return 1;
}

static const char SCRIPT[] = "local aura, owners = require 'aura', require 'owners'\n"
                             "local owned = {}\n"
                             "for _, inst in ipairs(aura.list()) do\n"
                             "    owned[inst.name] = owners.of(inst.name)\n"
                             "end\n"
                             "return owned\n";

int main(void)
{
    halo_host *host = NULL;
    halo_run *run = NULL;
    const char *json = NULL;
    int err = halo_open(&host, NULL);
    if (err == HALO_OK)
        err = halo_module(host, "owners", open_owners);
    if (err == HALO_OK)
        err = halo_start_string(host, "owners", SCRIPT, NULL, &run);
    if (err == HALO_OK)
        err = halo_wait(run);
    if (err == HALO_OK)
        err = halo_result(run, &json, NULL);
    puts(json ? json : run ? halo_message(run) : halo_strerror(err));
    halo_close(host);
    return halo_exit_code(err);
}
