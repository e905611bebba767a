local here = arg[0]:match("^(.*)/") or "."
-- stdlib/ first: there is a run.lua in both
package.path = here .. "/../../stdlib/?.lua;" .. here .. "/?.lua;" .. (package.path or "")

-- The whole of scripts/migrate.lua against a small world with single faults put into it: whatever
-- happens, the source is there, or its successor, or the message says how to make it.
local lu = require "luaunit"
local standins = require "standins"
local box = require "migrate_box"
local fs = package.loaded.fs
local born, dumped, migrate, raise, read, W = box.born, box.dumped, box.migrate, box.raise, box.read, box.W

TestMigrate = { setUp = box.setUp, tearDown = box.tearDown }

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

function TestMigrate.test_a_used_work_directory_is_left_alone()
    fs.mkdir(W.work)
    fs.write(W.work .. "/instance-config.json", "the truth")
    local result, err = dumped()
    lu.assertNil(result)
    lu.assertEquals(err.kind, "usage")
    lu.assertEquals(read("instance-config.json"), "the truth")
    lu.assertEquals(W.calls, {})
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
