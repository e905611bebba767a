/* The parts of the `aura` module, shared by the files that make it up. */
#ifndef HL_AURA_H
#define HL_AURA_H

#include <lauxlib.h>
#include <lua.h>

#include "call.h"
#include "endpoints.h"
#include "error.h"
#include "host.h"
#include "modules.h"

/* ---- aura_args.c: from what a script passes to what is sent; all raise `usage` ---- */

/* The id at arg; what: "instance id". */
const char *hl_arg_id(lua_State *L, int arg, const char *op, const char *what);

/* Builds c->path from e->path, the ids from argument `first` on, and the query. Returns
 * the number of the argument after them. */
int hl_arg_path(lua_State *L, const struct endpoint *e, int first, struct hl_call *c);

/* Where the userdata of a call stands, above its arguments; its uservalue is the body. */
enum { HL_ARG_MAX = 5, HL_ARG_CALL = HL_ARG_MAX + 1 };

/* Makes the string on top the body of the call; Lua's memory, so that it counts.  [-1, +0, m] */
void hl_arg_keep_body(lua_State *L, struct hl_call *c);

/* Builds c->body from the table at arg. */
void hl_arg_body(lua_State *L, const struct endpoint *e, int arg, struct hl_call *c);

/* Reads {timeout=, retry=} at arg, which may be absent; stdlib/meta/aura.lua says what
 * they may be. */
void hl_arg_options(lua_State *L, const char *op, int arg, struct hl_call *c);

/* A number of seconds in the table at arg, as ms; fallback when absent. */
int64_t hl_arg_seconds(lua_State *L, int arg, const char *name, const char *op,
                       int64_t fallback_ms);

/* ---- aura_error.c ---- */

/* Raises a failed call. op: "pause"; id: "" or the instance.                     [-0, +0,
 * v] */
int hl_raise_failure(lua_State *L, const struct hl_failure *f, const char *op,
                     const struct hl_call *c);

/* ---- aura_client.c ---- */

bool hl_is_client(lua_State *L, int idx);

/* The client of a call: the `self` at 1, or else the default one, made on first use. */
struct hl_client *hl_client_for(lua_State *L);

/* aura.auth{client_id=, client_secret=, base_url=} */
int hl_auth(lua_State *L);

/* Makes the metatable of clients; at the two places stand the functions by their full
 * names, and those of aura.try. */
void hl_open_client(lua_State *L, int functions, int trying);

/* ---- ui.c: ui.confirm, but the answer is good for one call only ---- */
int hl_confirm_once(lua_State *L);

/* ---- aura_wait.c: aura.wait_for_status(id, want, options) ---- */
int hl_wait_for_status(lua_State *L);

#endif
