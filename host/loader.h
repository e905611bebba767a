/* Finds Lua text: stdlib/ and scripts/, compiled in or from disk, and modules beside a
 * script. */
#ifndef HL_LOADER_H
#define HL_LOADER_H

#include "host.h"

/* Pushes the text and the chunk name of a bundled or disk file: kind "stdlib" or
 * "scripts", name without ".lua". Pushes nothing and answers false where there is none.
 * [-0, +(0|2), m] */
bool hl_load_bundled(lua_State *L, const char *kind, const char *name);

/* Pushes a list of the names of the bundled scripts, or of those in --scripts. [-0, +1,
 * v] */
void hl_list_scripts(lua_State *L);

/* package.searchers: stdlib/, which a script's folder cannot replace; and that folder. */
int hl_search_stdlib(lua_State *L);
int hl_search_beside(lua_State *L);

#endif
