local fail = require "fail"
local fs = require "fs"
local library = require "library"
local progress = require "progress"

---@type halo.Script
return {
    summary = "Copy a bundled script out, to read it or to make your own of it.",
    effect  = "read",
    args    = {
        { "name", "string", "name of the script" },
        { "dir",  "string", "directory to copy it into", optional = true, positional = true },
    },
    details = [[
The copy runs with `halo run DIR/NAME.lua`, and as a command of its own once it lies in
~/.config/halo/scripts. A file that exists is never overwritten.]],
    examples = { "halo edit migrate", "halo run ./migrate.lua --help" },
    run = function(args)
        local text, where, origin = library.find(args.name)
        if not text then
            fail("usage", where, { hint = "`halo scripts` lists what there is" })
        elseif origin ~= "bundled" then
            fail("usage", ("%s is your own script already: %s"):format(args.name, (where:gsub("^@", ""))))
        end
        local dir = args.dir or "."
        local path = dir .. "/" .. args.name .. ".lua"
        if fs.stat(path) then
            fail("usage", path .. " exists: not overwritten")
        elseif progress.dry("write " .. path) then
            return path
        end
        fs.mkdir(dir)
        fs.write(path, text, tonumber("644", 8))
        return path
    end,
    show = function(path)
        return ("%s\nrun it with: halo run %s"):format(path, path)
    end,
}
