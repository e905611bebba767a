/* The paths that scripts name. A restricted host confines them to its work directory. */
#ifndef HL_PLACE_H
#define HL_PLACE_H

#include <stdbool.h>

#include <lua.h>

enum hl_path_use {
    HL_EXISTING, /* looked at, through a symlink if it is one */
    HL_NAME,     /* made, replaced or removed: the name itself, no symlink is followed */
    HL_DIRECTORIES /* as HL_NAME, but its parents are made first */
};

/* Whether the run of L may only use files below the work directory. */
bool hl_confined(lua_State *L);

/* The path at arg as the functions of fs.h take it: as it is, or a place below the work
 * directory that is valid until the C function returns. Raises kind `denied` for a path that
 * leads out, and `io`.                                                     [-0, * +n, v] */
const char *hl_check_path(lua_State *L, int arg, enum hl_path_use use);

/* As HL_EXISTING, but NULL and a message on the stack where there is nothing to look at. */
const char *hl_look_path(lua_State *L, int arg);

/* The descriptor of the work directory of a confined run.                  [-0, +0, v] */
int hl_work_dir(lua_State *L);

/* As the loader finds modules beside a script: the place of `name` below a folder. Pushes a
 * userdata that holds it; NULL where there is none.                            [-0, +1, m] */
const char *hl_push_place_in(lua_State *L, const char *folder, const char *path);

#endif
