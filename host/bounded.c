#include <lauxlib.h>
#include "runtime.h"
void hl_bound_libraries(lua_State *L) { (void)L; }
