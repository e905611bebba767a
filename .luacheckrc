-- luacheck over stdlib/, scripts/ and tests/: nothing but Lua's own globals (and arg).
std = "lua54"
max_line_length = 120
unused_args = false -- a script's run(args) need not look at its arguments
ignore = { "211/_.+" } -- `local _scope <close> = ...` is there for its end
exclude_files = { "build", "stdlib/meta" } -- meta holds editor annotations, not code
files["tests/lua"] = { allow_defined_top = true } -- LuaUnit finds its tests as globals
files["tests/module"] = files["tests/lua"]
