/* JSON for Lua: lua-cjson decodes, a writer of our own encodes (cjson's has 14 digits, no
 * order and no empty arrays). How values correspond:
 *
 *   null      absent (a null element of an array stays json.null: positions matter);
 * json.null everywhere when asked for. json.null is true in a condition: compare with ==
 *   numbers   integers where whole and exact (below 2^53), floats otherwise
 *   arrays    tables 1..n with the metatable "json.array", so that an empty one stays an
 * array objects   tables with string keys; an empty table without the mark is an object
 *
 * Encoding sorts keys; pretty indents by two spaces. It raises kind
 * `invalid` for what JSON cannot say, naming its place. Metatables and metamethods of
 * what is encoded are not looked at. */
#ifndef HL_JSON_H
#define HL_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <lauxlib.h>
#include <lua.h>

#define HL_JSON_ARRAY "json.array" /* name of the metatable */
enum { HL_JSON_DEPTH = 64 };       /* deepest nesting, decoding and encoding */

/* require "json"                                                           [-0, +1, e] */
int hl_open_json(lua_State *L);

/* Pushes the value of a JSON text; raises kind `invalid` when it is none.  [-0, +1, v] */
void hl_json_decode(lua_State *L, const char *text, size_t len, bool keep_null);

/* Pushes the value at idx as JSON text.                                    [-0, +1, v] */
void hl_json_encode(lua_State *L, int idx, bool pretty);

/* Pushes the metatable of arrays.                                          [-0, +1, m] */
void hl_json_array_mark(lua_State *L);

#endif
