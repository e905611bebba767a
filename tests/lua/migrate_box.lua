-- For the tests of scripts/migrate.lua: a small world of instances and a disk, into which single faults are put.
local lu = require "luaunit"
local standins = require "standins"

local here = arg[0]:match("^(.*)/") or "."
local M = {}
local W = {}                                 -- the world of the current test: instances, faults by call, ...
M.W = W

function M.raise(kind, status, more)
    local err = { kind = kind, status = status, message = kind .. " " .. tostring(status) }
    for key, value in pairs(more or {}) do
        err[key] = value
    end
    error(setmetatable(err, { __tostring = function(e) return e.message end }))
end

---Runs the fault put in for this call, if there is one left.
local function trip(op)
    local queue = W.faults[op]
    local fault = queue and table.remove(queue, 1)
    table.insert(W.calls, op)
    if fault then
        return fault()
    end
end

local function answer(data, status)
    return data, { status = status or 200, body = package.loaded.json.encode { data = data } }
end

local function copy(t)
    local c = {}
    for key, value in pairs(t) do
        c[key] = value
    end
    return c
end

---Puts an instance into the world.
function M.born(payload)
    W.count = W.count + 1
    local inst = copy(payload)
    inst.id, inst.status = "new-" .. W.count, "running"
    inst.connection_url, inst.created_at = "neo4j+s://" .. inst.id, "2026-02-26T15:07:13Z"
    inst.secondaries_count, inst.cdc_enrichment_mode = 0, "OFF"
    inst.version = nil
    W.instances[inst.id] = inst
    return inst
end

local aura = package.loaded.aura
aura.list = function()
    trip("list")
    local list = {}
    for _, inst in pairs(W.instances) do
        list[#list + 1] = { id = inst.id, name = inst.name, created_at = inst.created_at }
    end
    return answer(list)
end
aura.get = function(id)
    trip("get")
    return answer(copy(W.instances[id] or M.raise("not_found", 404)))
end
aura.tenant = { get = function() trip("tenant") return answer { instance_configurations = W.offered } end }
aura.key = { get = function() return answer { status = "ready" } end }
aura.create = function(payload)
    trip("create")
    local inst = copy(M.born(payload))
    inst.password = "pw-Q7x"
    return answer(inst, 202)
end
aura.delete = function(id)
    trip("delete")
    local inst = W.instances[id] or M.raise("not_found", 404)
    W.instances[id] = nil
    return answer(inst, 202)
end
aura.patch = function(id, changes)
    trip("patch")
    for key, value in pairs(changes) do
        W.instances[id][key] = value
    end
    return answer(W.instances[id])
end
aura.wait_for_status = function(id, want, options)
    trip("wait " .. want)
    options.on_change(want, nil, 1)
    return W.instances[id]
end
aura.try = { list = function() return aura.list() end }
package.loaded.task.sleep = function() end
package.loaded.process.user = function() return "op" end
package.loaded.process.run = function(command) table.insert(W.commands, command) return W.process or { code = 0 } end
package.loaded.clock.stamp = function() return "20260226-150713" end
package.loaded.json.pretty = function(text) return text end
package.loaded.ui.confirm = function() table.insert(W.calls, "confirm") return W.yes end

local fs = package.loaded.fs
local function put(path, text, how)
    if W.full and path:match(W.full) then
        M.raise("io", nil, { message = "cannot write " .. path .. ": No space left on device" })
    end
    local f <close> = assert(io.open(path, how))
    f:write(text)
end
fs.write = function(path, text) put(path, text, "wb") end
fs.append = function(path, text) put(path, text, "ab") end
fs.mkdir = function(path) os.execute("mkdir -p '" .. path .. "'") end
fs.sync = function() end
fs.remove = os.remove
fs.sha256 = function() return "cafe" end
fs.move = function(from, to) assert(os.rename(from, to)) end
fs.tempdir = function()
    fs.mkdir(W.dir .. "/temp")
    return W.dir .. "/temp"
end

---A file of the work directory.
function M.read(name)
    local f <close> = io.open(W.work .. "/" .. name, "rb")
    return f and f:read("a")
end

---Runs the script with these words: its result and what it shows, or nil and its error.
function M.migrate(...)
    local f <close> = assert(io.open(here .. "/../../scripts/migrate.lua"))
    local decl = load(f:read("a"), "@migrate.lua")()
    local args = require "args"
    local values, origin = args.parse(args.declare(decl.args), { "src", "--work-dir", W.work, ... }, function() end)
    lu.assertNotNil(values, origin)
    local ok, result = pcall(decl.run, values, origin)
    if ok then
        return result, decl.show(result)
    end
    return nil, result
end

function M.setUp()
    standins.reset()
    local dir = os.tmpname()
    os.remove(dir)
    for key in pairs(W) do
        W[key] = nil
    end
    for key, value in pairs { dir = dir, work = dir .. "/work dir", faults = {}, calls = {}, commands = {},
        instances = {}, count = 0, yes = true, offered = {} } do
        W[key] = value
    end
    os.execute("mkdir -p " .. dir)
    fs.write(dir .. "/x.backup", "DZV1 a dump")
    W.instances.src = { id = "src", name = "orders", status = "running", tenant_id = "t-1", cloud_provider = "aws",
        region = "us-east-1", type = "enterprise-db", memory = "8GB", storage = "16GB",
        connection_url = "neo4j+s://src", created_at = "2025-01-01T00:00:00Z", vector_optimized = false,
        graph_analytics_plugin = false,
        secondaries_count = 2, cdc_enrichment_mode = "FULL" }
    W.instances.other = { id = "other", name = "orders" }
    for _, gb in ipairs { 8, 16 } do
        table.insert(W.offered, { type = "enterprise-db", cloud_provider = "aws", region = "us-east-1",
            memory = gb .. "GB", storage = 2 * gb .. "GB", version = "5" })
    end
end

function M.tearDown()
    os.execute("rm -rf '" .. W.dir .. "'")
end

---As migrate, with a dump.
function M.dumped(...)
    return M.migrate("--dump", W.dir .. "/x.backup", ...)
end

return M
