/* Raising structured errors. An error is a table with the metatable "halo.error" (its
 * __tostring gives one readable line) and the fields kind, message, op, method, path,
 * status, reason, field, errors, request_id, attempts, hint; absent where not known. */
#ifndef HL_ERROR_H
#define HL_ERROR_H

#include <lauxlib.h>
#include <lua.h>

#include "err.h"

/* Raises {kind=, message=, op=}. err: HALO_*. fmt as lua_pushfstring.        [-0, +0, v]
 */
int hl_raise(lua_State *L, int err, const char *op, const char *fmt, ...);

/* Pushes the same table without raising it.                                   [-0, +1, m]
 */
void hl_push_error(lua_State *L, int err, const char *op, const char *fmt, ...);

/* The HALO_* number of the error value at idx: by its kind; HALO_SCRIPT for anything
 * else. */
int hl_error_number(lua_State *L, int idx);

#endif
