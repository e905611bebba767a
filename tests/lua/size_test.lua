local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. here .. "/../../stdlib/?.lua;" .. (package.path or "")

local lu = require "luaunit"
require "standins"
local size = require "size"

TestSize = {}

function TestSize.test_every_spelling_becomes_one()
    for _, given in ipairs { 8, 8.0, "8", "8G", "8GB", "8Gi", "8gb", " 8GB ", "08GB", "8 GB" } do
        lu.assertEquals(size.normalise(given), "8GB", "given " .. tostring(given))
        lu.assertEquals(size.gb(given), 8)
    end
end

function TestSize.test_what_is_no_size_is_refused()
    for _, given in ipairs { "", "G", "0", 0, -8, "-8GB", "8MB", "8TB", "8B", "8.5GB", 8.5, "8GB!", "eight", true,
        "99999999999GB" } do
        lu.assertFalse(size.valid(given), "given " .. tostring(given))
        lu.assertErrorMsgContains("not a size", size.normalise, given)
        lu.assertErrorMsgContains("not a size", size.gb, given)
    end
end

if arg[-1] then                              -- under plain Lua; inside halo, run.lua does it
    os.exit(lu.LuaUnit.run())
end
