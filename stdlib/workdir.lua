---The directory in which a migration keeps what it must not lose.
local fail = require "fail"
local fs = require "fs"
local ui = require "ui"

local M = {}

local FILES = { "instance-config.json", "migration-summary.txt", "create-payload.json", "delete-response.json",
    "create-response.json", "new-instance-config.json" }

---A path that is not taken: the stem with its ending, or with -2, -3, ... in between.
---@param stem string
---@param ending string
---@return string
function M.free_name(stem, ending)
    local path, n = stem .. ending, 1
    while fs.stat(path) do
        n = n + 1
        path = ("%s-%d%s"):format(stem, n, ending)
    end
    return path
end

---Fails when the directory holds what a migration without a journal has left.
---@param dir string
function M.check_free(dir)
    for _, name in ipairs(FILES) do
        if fs.stat(dir .. "/" .. name) then
            fail("usage", ("%s holds another migration (%s): nothing in it is overwritten"):format(dir, name), {
                hint = "choose another --work-dir; if that migration stopped after its deletion, the end of its "
                    .. "migration-summary.txt says how to go on" })
        end
    end
end

---Creates the directory (mode 0700) and shows that files in it become durable.
---@param dir string
function M.prepare(dir)
    fs.mkdir(dir)
    fs.write(dir .. "/.halo-probe", ("probe "):rep(4096))
    fs.remove(dir .. "/.halo-probe")
    fs.sync(dir)
end

---Adds a part to a text file, once: nothing happens when the part's mark is in it already.
---@param path string
---@param mark string
---@param text string
function M.section(path, mark, text)
    local old = fs.stat(path) and fs.read(path) or ""
    if not old:find(mark, 1, true) then
        fs.write(path, old .. text)
    end
end

---Writes what is good to have, but must not stop a migration whose source is deleted already.
---@param write fun(path: string, ...: string) `fs.write` or `section`
---@param path string
---@param ... string
function M.record(write, path, ...)
    local ok, problem = pcall(write, path, ...)
    if not ok then
        ui.warn(("going on without %s: %s"):format(path, tostring(problem)))
    end
end

return M
