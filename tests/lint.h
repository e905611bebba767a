/* For clang-tidy only (see bootstrap): these raise a Lua error, so they never return,
 * which their prototypes cannot say. The program itself is compiled without Lua. */
#if __has_include(<lauxlib.h>)
#include <lauxlib.h>

#include "error.h"

#define HL_RAISES __attribute__((analyzer_noreturn))
int(lua_error)(lua_State *L) HL_RAISES;
int(luaL_error)(lua_State *L, const char *format, ...) HL_RAISES;
int(luaL_argerror)(lua_State *L, int arg, const char *text) HL_RAISES;
int(luaL_typeerror)(lua_State *L, int arg, const char *name) HL_RAISES;
int hl_raise(lua_State *L, int err, const char *op, const char *format, ...) HL_RAISES;
#endif
