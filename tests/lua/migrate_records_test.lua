local here = arg[0]:match("^(.*)/") or "."
-- stdlib/ first: there is a run.lua in both
package.path = here .. "/../../stdlib/?.lua;" .. here .. "/?.lua;" .. (package.path or "")

-- What a migration leaves for people when something goes wrong: how to go on, and records without gaps.
local lu = require "luaunit"
local box = require "migrate_box"
local born, dumped, migrate, raise, read, W = box.born, box.dumped, box.migrate, box.raise, box.read, box.W

TestMigrateRecords = { setUp = box.setUp, tearDown = box.tearDown }

function TestMigrateRecords.test_when_it_must_stop_it_says_how_to_go_on()
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
        TestMigrateRecords.setUp()
        case[2]()
        local result, err = dumped()
        lu.assertNil(result, name)
        lu.assertStrMatches(err.hint:gsub("\n", " "), ".*" .. case[1] .. ".*", nil, nil, name)
        lu.assertStrContains(err.hint, "halo ", false, name)
        lu.assertStrContains(read("migration-summary.txt"), "\nStopped\n", false, name)
        lu.assertNotNil(read("create-payload.json"), name)
        lu.assertStrContains(read("instance-config.json"), "us-east-1", false, name)
        lu.assertNotNil(read("src.backup"), name)
        TestMigrateRecords.tearDown()
    end
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

function TestMigrateRecords.test_what_a_full_disk_kept_out_of_the_records_is_filled_in()
    local function full() W.full = "work dir/[^j]" end           -- all but the journal and the password elsewhere
    local function space() W.full = nil end
    for name, faults in pairs {
        ["the deletion's answer"] = { delete = { full }, ["wait deleted"] = { space } },
        ["the new instance"] = { create = { full }, ["wait running"] = { space } },
        ["both"] = { delete = { full }, ["wait running"] = { space } },
    } do
        TestMigrateRecords.setUp()
        W.faults = faults
        local result, err = dumped()
        lu.assertNotNil(result, name .. ": " .. tostring(err))
        complete(name)
        TestMigrateRecords.tearDown()
    end
end

function TestMigrateRecords.test_they_are_filled_in_when_it_goes_on()
    for _, at in ipairs { "wait deleted", "wait running", "patch" } do
        TestMigrateRecords.setUp()
        W.faults = { delete = { function() W.full = "work dir/[^j]" end },
            [at] = { function() raise("cancelled") end } }
        local result, err = dumped()
        lu.assertNil(result, at)
        lu.assertStrContains(err.hint, "Continue with", false, at)
        W.full = nil
        result, err = migrate()
        lu.assertNotNil(result, at .. ": " .. tostring(err))
        complete(at)
        TestMigrateRecords.tearDown()
    end
    TestMigrateRecords.setUp()
    W.faults = { patch = { function() end, function() W.full = "work dir/[^j]" end } }
    local result = dumped()                  -- full until the end
    lu.assertNotNil(result)
    lu.assertNil(read("new-instance-config.json"))
end

function TestMigrateRecords.test_continuing_after_the_deletion_never_says_that_nothing_was_deleted()
    W.faults = { ["wait deleted"] = { function() raise("cancelled") end } }
    dumped()
    W.full = "probe"
    local result, err = migrate()
    lu.assertNil(result)
    lu.assertNotStrContains(err.hint, "Nothing was deleted")
    lu.assertStrContains(err.hint, "halo runs '" .. W.work)
    lu.assertStrContains(err.hint, "Continue with")
end

if arg[-1] then                              -- under plain Lua; inside halo, run.lua does it
    os.exit(lu.LuaUnit.run())
end
