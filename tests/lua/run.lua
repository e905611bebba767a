-- Runs one file of LuaUnit tests inside halo: halo --sandbox --yes run tests/lua/run.lua FILE
local file = assert(arg[1], "which test file?")
_G.arg = { [0] = file }
local lu = require "luaunit"
dofile(file)
local failed = lu.LuaUnit.run("--output", "text")
if failed ~= 0 then
    error(failed .. " tests failed in " .. file, 0)
end
