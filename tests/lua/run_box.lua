-- For the tests of runs: files under plain Lua, and a run in a directory of its own that is dropped without an end.
local lu = require "luaunit"
local standins = require "standins"

-- dir: of the run; full: no more room on the disk from this many bytes on
local M = { dir = nil, full = nil }

local fs = package.loaded.fs
local function put(path, text, how)
    if M.full and #text > M.full then
        error({ kind = "io", message = "cannot write " .. path .. ": No space left on device" }, 0)
    end
    local f <close> = assert(io.open(path, how))
    f:write(text)
end
fs.write = function(path, text) put(path, text, "wb") end
fs.append = function(path, text) put(path, text, "ab") end
fs.mkdir = function(path) os.execute("mkdir -p '" .. path .. "'") end
fs.remove = os.remove
fs.list = function(path)
    local names = {}
    local p <close> = assert(io.popen("ls -A '" .. path .. "'"))
    for name in p:lines() do
        names[#names + 1] = name
    end
    return names
end

local run = require "run"

function M.setUp()
    standins.reset()
    M.full = nil
    M.dir = os.tmpname()
    os.remove(M.dir)
end

function M.tearDown()
    os.execute("rm -rf '" .. M.dir .. "'")
end

function M.raise(kind, message)
    error({ kind = kind, message = message or kind }, 0)
end

---The text of the journal.
function M.read()
    return fs.read(M.dir .. "/journal.jsonl")
end

---A run of the test script that is dropped without an end, as if its process had died.
function M.open(input)
    local job = run.open(M.dir, { name = "test", input = input })
    job:close()                              -- the lock; the journal can be written all the same
    return job
end

---The error table of the right kind that fn must raise.
function M.raises(kind, fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok)
    lu.assertEquals(type(err), "table", tostring(err))
    lu.assertEquals(err.kind, kind, err.message)
    return err
end

return M
