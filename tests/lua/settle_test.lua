-- Changes whose answer is lost, over real HTTP against the emulator: each settler and each fault, with what was sent
-- and what it did counted at the service. The waits of the settlers pass in the emulator's time.
local lu = require "luaunit"
local aura = require "aura"
local clock = require "clock"
local faults = require "sandbox.faults"
local helper = require "aura_box"
local settle = require "settle"
local task = require "task"

local PRO, PAUSED = helper.PRO, helper.PAUSED
local sleep, now, wait = task.sleep, clock.now, aura.wait_for_status
local box

local function begin(switches)
    box = helper.start { switches = switches }
    task.sleep = function(seconds)
        box.at = box.at + (seconds >= 1 and seconds or 0)
        sleep(math.min(seconds, 0.005))
    end
    clock.now = function() return box.at end
    aura.wait_for_status = function(client, id, want, options)
        options.interval = 0.01
        return wait(client, id, want, options)
    end
    return box
end

local function fault(text)
    assert(faults.add(box.service, { text }))
end

---A settler that uses the client of the box: each client may send only so many requests at once.
local function settler(name, ...)
    local arguments = table.pack(...)
    arguments[arguments.n + 1] = { client = box.c }
    return settle[name](table.unpack(arguments, 1, arguments.n + 1))
end

---How many requests of a kind were sent, and how many changed something.
local function count(method, ending)
    local sent, effects = 0, 0
    for _, entry in ipairs(box.log) do
        sent = sent + (entry.what:match("^" .. method .. " .*" .. ending .. "$") and 1 or 0)
    end
    for what, n in pairs(box.service.effects) do
        effects = effects + (what:match("^" .. method .. " /v1/") and n or 0)
    end
    return { sent, effects }
end

local MORE = { memory = "16", storage = "32GB" }
-- name, method, end of the path, settler, call, what shows that it is done
local CHANGES = {
    { "pause", "POST", "/pause", { "pause", PRO }, function() return box.c:pause(PRO) end,
        function() return box:record(PRO).status == "pausing" end },
    { "resume", "POST", "/resume", { "resume", PAUSED }, function() return box.c:resume(PAUSED) end,
        function() return box:record(PAUSED).status ~= "paused" end },
    { "patch", "PATCH", "/" .. PRO, { "patch", PRO, MORE }, function() return box.c:patch(PRO, MORE) end,
        function() box.at = box.at + 1000 return box:record(PRO).memory == "16GB" end },
    { "rename", "PATCH", "/" .. PRO, { "patch", PRO, { name = "8" } }, function()
        return box.c:patch(PRO, { name = "8" })
    end, function() return box:record(PRO).name == "8" end },
    { "delete", "DELETE", "/" .. PRO, { "delete", PRO }, function() return box.c:delete(PRO) or true end,
        function() return (box:record(PRO) or { status = "destroying" }).status == "destroying" end },
    { "snapshot", "POST", "/snapshots", { "snapshot", PRO }, function() return box.c.snapshot:create(PRO) end,
        function() return #box:record(PRO).snapshots == 3 end },
}
local ACTED = { "lost", "cut", "hang=0.1:acted", "500:acted", "502:html:acted", "504:empty:acted",
    "200:truncated:acted" }
local IN_VAIN = { "reset", "hang=0.1", "500", "503:html" }

TestSettle = {}

function TestSettle.tearDown()
    task.sleep, clock.now, aura.wait_for_status = sleep, now, wait
    helper.stop()
end

local function surely(change)
    return settle.surely("the " .. change[1], settler(table.unpack(change[4])), function() return (change[5]()) end)
end

local function every(list, fn, switches)
    for _, change in ipairs(CHANGES) do
        for _, text in ipairs(list) do
            local b = begin(switches)
            if change[1] == "patch" then
                b.step = 20              -- the update is waited for
            end
            fault(("%s /v1/** %s x1"):format(change[2], text))
            fn(change, ("%s: %s"):format(change[1], text))
        end
    end
end

function TestSettle.test_what_was_done_is_not_done_again()
    every(ACTED, function(change, what)
        local result = surely(change)
        lu.assertTrue(change[6](), what)
        lu.assertEquals(count(change[2], change[3])[2], 1, what)
        if change[1] ~= "delete" then        -- which is sent again anyway
            lu.assertEquals(count(change[2], change[3])[1], 1, what)
        end
        if change[1] == "snapshot" then
            lu.assertEquals(result.snapshot_id, box:record(PRO).snapshots[3].snapshot_id, what)
        end
    end)
end

function TestSettle.test_what_shows_late_is_not_done_again_either()
    every({ "lost", "500:acted" }, function(change, what)
        surely(change)
        lu.assertEquals(count(change[2], change[3])[2], 1, what)
        lu.assertTrue(change[6](), what)
    end, { running_lag = 9 })
end

function TestSettle.test_what_was_not_done_is_done_once()
    every(IN_VAIN, function(change, what)
        surely(change)
        lu.assertTrue(change[6](), what)
        lu.assertEquals(count(change[2], change[3]), { 2, 1 }, what)
    end)
end

function TestSettle.test_it_gives_up()
    for _, change in ipairs(CHANGES) do
        if change[1] ~= "delete" then
            begin()
            fault(("%s /v1/** 500"):format(change[2]))
            lu.assertEquals(helper.failure(surely, change).kind, "ambiguous", change[1])
            lu.assertEquals(count(change[2], change[3]), { 3, 0 }, change[1])
        end
    end
end

function TestSettle.test_the_last_try_is_looked_up_too()
    begin()
    fault("POST /v1/** 500 x2")
    fault("POST /v1/** lost x1")
    lu.assertEquals(surely(CHANGES[1]).status, "pausing")
    lu.assertEquals(count("POST", "/pause"), { 3, 1 })
end

-- A second pause is refused: with what is under way, or as it is paused. After a lost answer that is proof too.
function TestSettle.test_a_refusal_after_a_lost_answer()
    begin { running_lag = 25 }           -- longer than is looked for it
    fault("POST /v1/** lost x1")
    local inst = settle.surely("the pause", settler("pause", PRO), function()
        return (box.c:pause(PRO, { timeout = 0.3 }))
    end)
    lu.assertEquals({ inst.status, count("POST", "/pause")[2] }, { "pausing", 1 })
    begin()
    box:put(PRO, { status = "paused" })
    lu.assertEquals(helper.failure(surely, CHANGES[1]).kind, "conflict")        -- nothing was lost: a plain refusal
    lu.assertEquals(count("POST", "/pause"), { 1, 0 })
end

function TestSettle.test_when_it_cannot_be_looked()
    begin()
    fault("POST /v1/** lost x1")
    fault("GET /v1/instances/* 501")
    local err = helper.failure(surely, CHANGES[1])
    lu.assertEquals(err.kind, "ambiguous")
    lu.assertStrContains(err.hint, "could not be seen")
    lu.assertEquals(count("POST", "/pause"), { 1, 1 })
end

function TestSettle.test_the_default_client()
    begin()
    fault("POST /v1/** lost x2")
    lu.assertEquals(settle.surely("it", settle.pause(PRO), function() return aura.pause(PRO) end).status, "pausing")
    box:put(PRO, { status = "running" })
    lu.assertNotNil(settle.surely("it", settle.snapshot(PRO), function()
        return aura.snapshot.create(PRO)
    end).snapshot_id)
    lu.assertEquals(count("POST", "")[2], 2)
end

-- The list has one day at a time, and the day may end between the listing and the request, or before the look.
function TestSettle.test_a_snapshot_at_midnight()
    for name, case in pairs {
        ["just before"] = { 86400 - 2, 0 }, ["between listing and request"] = { 86400 - 1, 2 },
        ["just after"] = { 1, 0 }, ["the clock here is behind"] = { 5, 0, -60 }, ["and ahead"] = { 86400 - 5, 0, 60 },
        ["ahead, and it ends there before the look"] = { 86400 - 5, 0, 60, 10 }, ["noon"] = { 43200, 0 },
        ["behind, and it begins here before the look"] = { 5, 0, -60, 100 },
    } do
        local b = begin()
        b.at = b.at - b.at % 86400 + case[1]
        clock.now = function() return b.at + (case[3] or 0) end
        b.c.snapshot:create(PRO)             -- one that is there already
        b.service.instances[PRO].snapshots[3].status = "Completed"
        fault("POST /v1/** lost x1")
        local found = settle.surely("it", settler("snapshot", PRO), function()
            b.at = b.at + case[2]
            local ok, made = pcall(b.c.snapshot.create, b.c.snapshot, PRO)
            b.at = b.at + (case[4] or 0)
            return ok and made or error(made, 0)
        end)
        lu.assertEquals(found.snapshot_id, b:record(PRO).snapshots[4].snapshot_id, name)
        lu.assertEquals(#b:record(PRO).snapshots, 4, name)
    end
end

function TestSettle.test_a_snapshot_found_days_later()
    local b = begin()
    b.at = b.at - b.at % 86400 - 1
    local it, notes = settler("snapshot", PRO), {}
    local function note(key, value)
        notes[key] = value or notes[key]
        return notes[key]
    end
    it.before(nil, note)
    local made = b.c.snapshot:create(PRO)
    b.at = b.at + 3 * 86400
    lu.assertEquals(it.look(nil, note).done.snapshot_id, made.snapshot_id)
    lu.assertEquals(settle.snapshot(PRO).look(nil, function() end), { again = true })    -- it was never sent
end

function TestSettle.test_a_scheduled_snapshot_is_nobodys_answer()
    begin()
    fault("POST /v1/** reset x1")
    local sent = 0
    local result = settle.surely("it", settler("snapshot", PRO), function()
        sent = sent + 1
        if sent == 1 then
            local inst = box.service.instances[PRO]
            inst.snapshots[3] = { snapshot_id = "by-schedule", profile = "Scheduled", at = box.at, starts = box.at,
                ends = box.at }
        end
        return (box.c.snapshot:create(PRO))
    end)
    lu.assertEquals({ sent, result.snapshot_id ~= "by-schedule" }, { 2, true })
end
