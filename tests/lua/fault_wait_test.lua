-- The faults of fault_matrix_test.lua, met by wait_for_status: what may pass by itself is waited out, what cannot
-- ends the wait, and every look is counted on the side of the service.
local lu = require "luaunit"
local faults = require "sandbox.faults"
local helper = require "aura_box"
local task = require "task"

local PRO, VDC = helper.PRO, helper.VDC

local function add(b, text)
    assert(faults.add(b.service, { text }))
end

---Waits; what comes of it (a status, "deleted" or the kind of the error) and how many looks it took.
local function wait(b, id, want, timeout)
    local looks = select(2, b:last())
    local value, err = b.c.try:wait_for_status(id, want, { interval = 0.01, timeout = timeout or 10 })
    return value and value.status or err and err.kind or "deleted", select(2, b:last()) - looks
end

local function all(cases, fn)
    task.all(cases, function(case)
        local b = helper.start { apart = true }
        b.one_each = true
        fn(b, case)
        b:close()
    end, { limit = 30 })
end

TestFaultWait = {}

-- fault of the first look, what comes of the wait, looks
function TestFaultWait.test_the_first_look_fails()
    all({
        { "401", "running", 2 }, { "403", "running", 2 }, { "408", "running", 2 }, { "409", "running", 2 },
        { "429", "running", 2 }, { "429:seconds=1", "running", 2 }, { "500:html", "running", 2 },
        { "502:empty", "running", 2 }, { "503:gateway", "running", 2 }, { "503:seconds=1", "running", 2 },
        { "504:truncated", "running", 2 }, { "reset", "running", 2 }, { "lost", "running", 2 },
        { "length", "running", 2 }, { "expire", "running", 2 }, { "404", "running", 2 }, { "410", "running", 2 },
        { "status=hibernating", "running", 2 }, { "huge=0.1", "running", 1 }, { "drip=1", "running", 1 },
        { "400", "invalid", 1 }, { "402", "forbidden", 1 }, { "405", "forbidden", 1 }, { "418:html", "api", 1 },
        { "501", "api", 1 }, { "302:empty", "api", 1 }, { "409:reason=database-exists", "conflict", 1 },
        { "200:html", "api", 1 }, { "200:empty", "api", 1 }, { "202:gateway", "api", 1 }, { "204", "api", 1 },
        { "cut", "api", 1 }, { "deep=2000", "api", 1 }, { "huge=17", "api", 1 }, { "empty-patch", "api", 1 },
    }, function(b, case)
        add(b, ("GET /v1/instances/%s %s x1"):format(VDC, case[1]))
        lu.assertEquals({ wait(b, VDC, "running") }, { case[2], case[3] }, case[1])
    end)
end

-- An instance that was seen once is not given up for an answer that says nothing about it.
function TestFaultWait.test_a_later_look_fails()
    all({
        { "418:html", "api" }, { "501" }, { "302:empty" }, { "200:html" }, { "200:empty" }, { "202:gateway" },
        { "204" }, { "cut" }, { "deep=2000" }, { "huge=17" }, { "empty-patch" }, { "500" }, { "reset" },
        { "length" }, { "lost" }, { "503:html" }, { "429" }, { "status=hibernating" },
    }, function(b, case)
        b.c:pause(PRO)
        b.step = 30
        add(b, ("GET /v1/instances/%s %s x1 after 1"):format(PRO, case[1]))
        lu.assertEquals({ wait(b, PRO, "paused") }, { "paused", 4 }, case[1])
    end)
end

function TestFaultWait.test_a_later_look_is_refused()
    all({ { "400", "invalid" }, { "402", "forbidden" }, { "409:html", "conflict" } }, function(b, case)
        b.c:pause(PRO)
        add(b, ("GET /v1/instances/%s %s x1 after 1"):format(PRO, case[1]))
        lu.assertEquals({ wait(b, PRO, "paused") }, { case[2], 2 }, case[1])
    end)
end

-- The fault of the operation, what is waited for, what comes of it.
function TestFaultWait.test_the_operation_goes_wrong()
    all({
        { "stuck", "running", "timeout", 1 }, { "loading failed", "running", "failed" },
        { "lag=60", "running", "running" }, { "notfound=60", "running", "running" },
        { "status=hibernating", "running", "running" }, { "empty-patch", "running", "running" },
    }, function(b, case)
        add(b, "PATCH /v1/instances/* " .. case[1])
        b.c:patch(PRO, { memory = 16 })
        b.step = 7
        lu.assertEquals((wait(b, PRO, case[2], case[4])), case[3], case[1])
        if case[3] == "running" then           -- and not before it was done
            lu.assertEquals(b:record(PRO).memory, "16GB", case[1])
        end
    end)
end

function TestFaultWait.test_a_new_one_that_is_not_found_for_long()
    local b = helper.start { apart = true }
    add(b, "POST /v1/instances notfound=100")
    local id = b.c:create(helper.order()).id
    b.step = 30
    local status, looks = wait(b, id, "running")
    lu.assertEquals(status, "running")
    lu.assertTrue(looks >= 4, looks)
    b:close()
end

function TestFaultWait.test_no_answer_before_the_end()
    all({ { "hang", 1 }, { "drip=900", 1 } }, function(b, case)
        add(b, ("GET /v1/instances/%s %s"):format(VDC, case[1]))
        lu.assertEquals((wait(b, VDC, "running", 0.5)), "timeout", case[1])
    end)
end
