local here = arg[0]:match("^(.*)/") or "."
-- stdlib/ first: there is a run.lua in both
package.path = here .. "/../../stdlib/?.lua;" .. here .. "/?.lua;" .. (package.path or "")

-- The whole of scripts/migrate.lua against a small world with single faults put into it: whatever
-- happens, the source is there, or its successor, or the message says how to make it.
local lu = require "luaunit"
local standins = require "standins"

local W                                      -- the world of the current test

local function raise(kind, status, more)
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

local function born(payload)
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
    return answer(copy(W.instances[id] or raise("not_found", 404)))
end
aura.tenant = { get = function() trip("tenant") return answer { instance_configurations = W.offered } end }
aura.key = { get = function() return answer { status = "ready" } end }
aura.create = function(payload)
    trip("create")
    local inst = copy(born(payload))
    inst.password = "pw-Q7x"
    return answer(inst, 202)
end
aura.delete = function(id)
    trip("delete")
    local inst = W.instances[id] or raise("not_found", 404)
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
        raise("io", nil, { message = "cannot write " .. path .. ": No space left on device" })
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

local function read(name)
    local f <close> = io.open(W.work .. "/" .. name, "rb")
    return f and f:read("a")
end

local function migrate(...)
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

TestMigrate = {}

function TestMigrate.setUp()
    standins.reset()
    local dir = os.tmpname()
    os.remove(dir)
    W = { dir = dir, work = dir .. "/work dir", faults = {}, calls = {}, commands = {}, instances = {}, count = 0,
        yes = true, offered = {} }
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

function TestMigrate.tearDown()
    os.execute("rm -rf '" .. W.dir .. "'")
end

local function dumped(...)
    return migrate("--dump", W.dir .. "/x.backup", ...)
end

function TestMigrate.test_all_goes_well()
    local result, text = dumped()
    lu.assertNotNil(result, tostring(text))
    lu.assertNil(W.instances.src)
    lu.assertEquals(W.instances["new-1"].secondaries_count, 2)
    lu.assertEquals(W.instances["new-1"].cdc_enrichment_mode, "FULL")
    lu.assertEquals(result.instance, "new-1")
    lu.assertStrContains(read("create-response.json"), "pw-Q7x")
    for _, name in ipairs { "instance-config.json", "migration-summary.txt", "delete-response.json",
        "create-payload.json", "new-instance-config.json", "src.backup" } do
        lu.assertNotNil(read(name), name)
    end
    lu.assertNil(fs.stat(W.dir .. "/x.backup"))
    local summary = read("migration-summary.txt")
    lu.assertStrContains(summary, "New Instance ID:  new-1")
    lu.assertStrContains(summary, "no mismatch")
    for _, shown in ipairs { table.concat(standins.said, "\n"), text, summary } do
        lu.assertNotStrContains(shown, "pw-Q7x")
    end
end

function TestMigrate.test_everything_is_read_before_the_question()
    dumped()
    local asked
    for i, call in ipairs(W.calls) do
        asked = asked or call == "confirm" and i
    end
    lu.assertEquals(table.concat(W.calls, " ", 1, asked + 1), "list get tenant get confirm delete")
end

function TestMigrate.test_before_the_deletion_every_failure_leaves_the_source_alone()
    for name, prepare in pairs {
        ["list fails"] = function() W.faults.list = { function() raise("api", 500) end } end,
        ["get fails"] = function() W.faults.get = { function() raise("rate_limited", 429) end } end,
        ["the second get fails"] = function() W.faults.get = { function() end, function() raise("api", 500) end } end,
        ["tenant fails"] = function() W.faults.tenant = { function() raise("api", 502) end } end,
        ["paused without sizes"] = function()
            W.instances.src.status, W.instances.src.memory, W.instances.src.storage = "paused", nil, nil
        end,
        ["not on offer"] = function() W.offered = { W.offered[2] } end,
        ["nothing on offer"] = function() W.offered = nil end,
        ["updating"] = function() W.instances.src.status = "updating" end,
        ["no answer about the project"] = function() W.instances.src.tenant_id = nil end,
        ["the name cannot be sent"] = function() W.instances.src.name = ("x"):rep(31) end,
        ["changed in between"] = function()
            W.faults.get = { function() end, function() W.instances.src.memory = "16GB" end }
        end,
        ["no YES"] = function() W.yes = false end,
        ["disk full at the config"] = function() W.full = "instance%-config" end,
        ["disk full at the payload"] = function() W.full = "create%-payload" end,
        ["disk full at the summary"] = function() W.full = "migration%-summary" end,
        ["disk full at once"] = function() W.full = "probe" end,
        ["no dump left"] = function() W.dump = "gone" end,
        ["an error page for a dump"] = function() fs.write(W.dir .. "/x.backup", "\n <html>") end,
        ["an empty dump"] = function() fs.write(W.dir .. "/x.backup", "") end,
        ["S3 refuses"] = function() W.process, W.s3 = { code = 1, stderr = "denied" }, true end,
        ["delete refused"] = function() W.faults.delete = { function() raise("conflict", 409) end } end,
    } do
        TestMigrate.setUp()
        prepare()
        local result, err
        if W.dump then
            os.remove(W.dir .. "/x.backup")
            fs.write(W.dir .. "/x.zip", "PK")
            result, err = migrate("--dump", W.dir .. "/x.zip")
        elseif W.s3 then
            result, err = dumped("--s3", "s3://bucket")
        else
            result, err = dumped()
        end
        lu.assertNil(result, name)
        lu.assertEquals(type(err), "table", name .. ": " .. tostring(err))
        lu.assertNotNil(W.instances.src, name)
        lu.assertNil(W.instances["new-1"], name)
        if not name:match("dump") then       -- which is wrong usage, told before anything is begun
            lu.assertStrMatches(tostring(err.hint), ".*[Nn]o[th].* deleted.*", nil, nil, name)
        end
        TestMigrate.tearDown()
    end
end

function TestMigrate.test_a_single_fault_after_the_deletion_is_overcome()
    local function once(fn) return { fn } end
    for name, prepare in pairs {
        ["the answer to the deletion is lost"] = function()
            W.faults.delete = once(function() W.instances.src = nil; raise("ambiguous") end)
        end,
        ["deleted by somebody else"] = function()
            W.faults.delete = once(function() W.instances.src = nil; raise("not_found", 410) end)
        end,
        ["create 500"] = function() W.faults.create = once(function() raise("ambiguous", 500) end) end,
        ["create reset"] = function() W.faults.create = once(function() raise("ambiguous") end) end,
        ["created, answer lost"] = function()
            W.faults.create = once(function() born { name = "orders" }; raise("ambiguous") end)
        end,
        ["created, answer cut"] = function()
            W.faults.create = once(function()
                born { name = "orders" }
                raise("ambiguous", 202, { body = '{"data":{"id":"new-1","pass' })
            end)
        end,
        ["comes up broken"] = function()
            W.faults["wait running"] = once(function() raise("failed", nil, { message = "loading failed" }) end)
        end,
        ["disk full at the delete response"] = function() W.full = "delete%-response" end,
        ["disk full at the create response"] = function() W.full = "work dir/create%-response" end,
    } do
        TestMigrate.setUp()
        prepare()
        local result, err = dumped()
        lu.assertNotNil(result, name .. ": " .. tostring(err))
        lu.assertNil(W.instances.src, name)
        local f <close> = assert(io.open(result.password_file))
        lu.assertStrContains(f:read("a"), result.instance, false, name)
        TestMigrate.tearDown()
    end
end

function TestMigrate.test_when_it_must_stop_it_says_how_to_go_on()
    local function always(fn)
        local queue = {}
        for i = 1, 9 do
            queue[i] = fn
        end
        return queue
    end
    for name, case in pairs {
        ["create 403"] = { "NOTHING IS IN ITS PLACE YET", function()
            W.faults.create = always(function() raise("forbidden", 403) end)
        end },
        ["create 429 for ever"] = { "NOTHING IS IN ITS PLACE YET", function()
            W.faults.create = always(function() raise("rate_limited", 429) end)
        end },
        ["interrupted while waiting"] = { "is being deleted", function()
            W.faults["wait deleted"] = always(function() raise("cancelled") end)
        end },
        ["interrupted while creating"] = { "NOT KNOWN", function()
            W.faults.create = always(function() raise("cancelled") end)
        end },
        ["deletion never ends"] = { "is being deleted", function()
            W.faults["wait deleted"] = always(function() raise("timeout") end)
        end },
        ["deletion unclear"] = { "is not known", function()
            W.faults.delete = always(function() raise("ambiguous") end)
        end },
        ["created, answer lost, one more is new"] = { "Instance new%-%d %(orders.*Instance new%-%d", function()
            W.faults.create = { function()
                born { name = "orders" }
                born { name = "orders" }
                raise("ambiguous")
            end }
        end },
        ["created, answer lost, and somebody loads data"] = { "Instance new%-1 %(orders", function()
            W.faults.create = { function() born { name = "orders", graph_nodes = 7 }; raise("ambiguous") end }
        end },
        ["created, never runs"] = { "the new instance is new%-1", function()
            W.faults["wait running"] = always(function() raise("timeout") end)
        end },
        ["a fault of the script"] = { "is being deleted", function()
            W.faults["wait deleted"] = always(function() error("oops") end)
        end },
    } do
        TestMigrate.setUp()
        case[2]()
        local result, err = dumped()
        lu.assertNil(result, name)
        lu.assertStrMatches(err.hint:gsub("\n", " "), ".*" .. case[1] .. ".*", nil, nil, name)
        lu.assertStrContains(err.hint, "halo ", false, name)
        lu.assertStrContains(read("migration-summary.txt"), "\nStopped\n", false, name)
        lu.assertNotNil(read("create-payload.json"), name)
        lu.assertStrContains(read("instance-config.json"), "us-east-1", false, name)
        lu.assertNotNil(read("src.backup"), name)
        TestMigrate.tearDown()
    end
end

function TestMigrate.test_a_used_work_directory_is_left_alone()
    fs.mkdir(W.work)
    fs.write(W.work .. "/instance-config.json", "the truth")
    local result, err = dumped()
    lu.assertNil(result)
    lu.assertEquals(err.kind, "usage")
    lu.assertEquals(read("instance-config.json"), "the truth")
    lu.assertEquals(W.calls, {})
end

---What is good to have, each once.
local function complete(name)
    local summary = read("migration-summary.txt")
    for _, text in ipairs { "New Instance ID:  new%-1", "\nVerification\n", "no mismatch" } do
        local _, times = summary:gsub(text, "")
        lu.assertEquals(times, 1, name .. ": " .. text)
    end
    lu.assertNotNil(read("delete-response.json"), name)
    lu.assertNotNil(read("new-instance-config.json"), name)
end

function TestMigrate.test_what_a_full_disk_kept_out_of_the_records_is_filled_in()
    local function full() W.full = "work dir/[^j]" end           -- all but the journal and the password elsewhere
    local function space() W.full = nil end
    for name, faults in pairs {
        ["the deletion's answer"] = { delete = { full }, ["wait deleted"] = { space } },
        ["the new instance"] = { create = { full }, ["wait running"] = { space } },
        ["both"] = { delete = { full }, ["wait running"] = { space } },
    } do
        TestMigrate.setUp()
        W.faults = faults
        local result, err = dumped()
        lu.assertNotNil(result, name .. ": " .. tostring(err))
        complete(name)
        TestMigrate.tearDown()
    end
end

function TestMigrate.test_they_are_filled_in_when_it_goes_on()
    for _, at in ipairs { "wait deleted", "wait running", "patch" } do
        TestMigrate.setUp()
        W.faults = { delete = { function() W.full = "work dir/[^j]" end },
            [at] = { function() raise("cancelled") end } }
        local result, err = dumped()
        lu.assertNil(result, at)
        lu.assertStrContains(err.hint, "Continue with", false, at)
        W.full = nil
        result, err = migrate()
        lu.assertNotNil(result, at .. ": " .. tostring(err))
        complete(at)
        TestMigrate.tearDown()
    end
    TestMigrate.setUp()
    W.faults = { patch = { function() end, function() W.full = "work dir/[^j]" end } }
    local result = dumped()                  -- full until the end
    lu.assertNotNil(result)
    lu.assertNil(read("new-instance-config.json"))
end

function TestMigrate.test_continuing_after_the_deletion_never_says_that_nothing_was_deleted()
    W.faults = { ["wait deleted"] = { function() raise("cancelled") end } }
    dumped()
    W.full = "probe"
    local result, err = migrate()
    lu.assertNil(result)
    lu.assertNotStrContains(err.hint, "Nothing was deleted")
    lu.assertStrContains(err.hint, "halo runs '" .. W.work)
    lu.assertStrContains(err.hint, "Continue with")
end

function TestMigrate.test_a_mismatch_is_an_error()
    W.faults.patch = { function() raise("invalid", 400) end, function() raise("invalid", 400) end }
    local result, err = dumped()
    lu.assertNil(result)
    lu.assertEquals(err.kind, "mismatch")
    lu.assertStrContains(err.message, "cdc_enrichment_mode, secondaries_count")
    lu.assertStrContains(read("migration-summary.txt"), "MISMATCH in cdc_enrichment_mode, secondaries_count")
end

function TestMigrate.test_a_dry_run_writes_nothing()
    standins.options.dry_run = true
    local result, text = dumped("--memory", "16GB", "--storage=32")
    lu.assertEquals(result.payload.memory, "16GB")
    lu.assertStrContains(text, "enterprise-db")
    lu.assertNil(fs.stat(W.work))
    lu.assertNotNil(fs.stat(W.dir .. "/x.backup"))
    lu.assertNotNil(W.instances.src)
end

function TestMigrate.test_dump_or_no_dump_must_be_said()
    for _, words in ipairs { {}, { "--no-dump", "--dump", W.dir .. "/x.backup" }, { "--no-dump", "--s3", "s3://b" },
        { "--dump", W.dir .. "/x.backup", "--s3", "http://b" } } do
        local result, err = migrate(table.unpack(words))
        lu.assertNil(result)
        lu.assertEquals(err.kind, "usage")
    end
    lu.assertEquals(W.calls, {})
    local result, text = migrate("--no-dump")
    lu.assertNotNil(result, tostring(text))
    lu.assertStrContains(read("migration-summary.txt"), "NO DUMP (--no-dump)")
    lu.assertStrContains(table.concat(standins.said, "\n"), "ALL DATA")
end

function TestMigrate.test_a_dump_in_its_place_and_its_copy()
    fs.mkdir(W.work)
    os.rename(W.dir .. "/x.backup", W.work .. "/src.backup")
    local result, text = migrate("--dump", W.work .. "/src.backup", "--s3", "s3://bucket/deep/")
    lu.assertNotNil(result, tostring(text))
    lu.assertEquals(W.commands[1][6], "s3://bucket/deep/neo4j-backups/src/20260226-150713-src.backup")
    lu.assertStrContains(read("migration-summary.txt"), "s3://bucket/deep/neo4j-backups/src/")
end

if arg[-1] then                              -- under plain Lua; inside halo, run.lua does it
    os.exit(lu.LuaUnit.run())
end
