/* The native Lua modules: one luaopen function each, and the table that preloads them. */
#ifndef HL_MODULES_H
#define HL_MODULES_H

#include <lauxlib.h>
#include <lua.h>

#include "error.h"
#include "json.h"

int hl_open_aura(lua_State *L);
int hl_open_task(lua_State *L); /* "task.core": stdlib/task.lua builds on it */
int hl_open_fs(lua_State *L);
int hl_open_clock(lua_State *L);
int hl_open_process(lua_State *L);
int hl_open_httpd(lua_State *L);
int hl_open_ui(lua_State *L);
int hl_open_halo(lua_State *L);
int hl_open_fail(lua_State *L);

/* The name of an enum halo_effect, as scripts declare it. */
const char *hl_effect_name(int effect);

extern const luaL_Reg hl_modules[]; /* ends with NULL */

#endif
