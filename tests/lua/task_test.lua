-- Tasks, and waits in every place where a script may put one.
local lu = require "luaunit"
local task = require "task"

local function kind_of(fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok)
    return type(err) == "table" and err.kind or tostring(err)
end

local function nap()
    task.sleep(0.001)
end

TestWaits = {}

function TestWaits:test_in_pcall_and_xpcall()
    lu.assertEquals({ pcall(function() nap() return 1, 2 end) }, { true, 1, 2 })
    lu.assertEquals({ xpcall(function() nap() return 3 end, debug.traceback) }, { true, 3 })
end

function TestWaits:test_in_metamethods_iterators_and_close()
    local t = setmetatable({}, { __index = function(_, k) nap() return k end, __add = function() nap() return 7 end })
    lu.assertEquals(t.x, "x")
    lu.assertEquals(t + 1, 7)
    local n = 0
    for i in function(_, i) nap() i = (i or 0) + 1 if i < 4 then return i end end do
        n = n + i
    end
    lu.assertEquals(n, 6)
    local closed = false
    do
        local _c <close> = setmetatable({}, { __close = function() nap() closed = true end })
    end
    lu.assertTrue(closed)
end

function TestWaits:test_in_a_coroutine_of_the_script()
    local co = coroutine.wrap(function(a)
        nap()
        local b = coroutine.yield(a + 1)
        nap()
        return b + 1
    end)
    lu.assertEquals(co(1), 2)
    lu.assertEquals(co(5), 6)
    lu.assertErrorMsgContains("cannot resume dead coroutine", co)
end

function TestWaits:test_in_nested_coroutines_with_pcall_between()
    local outer = coroutine.wrap(function()
        local inner = coroutine.create(function(x)
            nap()
            local y = coroutine.yield(x * 2)
            nap()
            error({ code = y })
        end)
        local ok, v = coroutine.resume(inner, 4)
        coroutine.yield(ok, v)
        local ok2, err = coroutine.resume(inner, 9)
        return pcall(function() nap() return ok2, err.code end)
    end)
    lu.assertEquals({ outer() }, { true, 8 })
    lu.assertEquals({ outer() }, { true, false, 9 })
end

function TestWaits:test_errors_of_wrapped_coroutines_pass_through()
    local co = coroutine.wrap(function() nap() error("lost", 0) end)
    lu.assertErrorMsgContains("lost", co)
    local tab = coroutine.wrap(function() nap() error({ kind = "mine" }) end)
    lu.assertEquals(kind_of(tab), "mine")
end

function TestWaits:test_where_lua_forbids_it_nothing_begins()
    local begun = 0
    local function try_to_wait()
        begun = begun + 1
        nap()
    end
    local forbidden = {
        sort = function() table.sort({ 3, 1, 2 }, function(a, b) try_to_wait() return a < b end) end,
        gsub = function() ("abc"):gsub(".", try_to_wait) end,
        tostring = function() tostring(setmetatable({}, { __tostring = try_to_wait })) end,
        sort_in_coroutine = function()
            table.sort({ 2, 1 }, function(a, b) coroutine.wrap(try_to_wait)() return a < b end)
        end,
        gsub_in_a_coroutine_in_a_coroutine = function()
            coroutine.wrap(function()
                ("x"):gsub(".", function() coroutine.wrap(try_to_wait)() end)
            end)()
        end,
    }
    for name, fn in pairs(forbidden) do
        lu.assertEquals(kind_of(fn), "usage", name)
    end
    lu.assertEquals(begun, 5)
end

function TestWaits:test_a_bare_yield_is_an_error_and_no_hang()
    local t = task.spawn(function() coroutine.yield(1) end)
    lu.assertErrorMsgContains("outside a coroutine", t.wait, t)
end

function TestWaits:test_a_waiting_coroutine_cannot_be_resumed_or_closed_by_another_task()
    local co = coroutine.create(function() task.sleep(0.02) return "done" end)
    local t = task.spawn(function() return coroutine.resume(co) end)
    nap()
    local ok, message = coroutine.resume(co)
    lu.assertFalse(ok)
    lu.assertStrContains(message, "waiting")
    lu.assertErrorMsgContains("waiting", coroutine.close, co)
    lu.assertEquals({ t:wait() }, { true, "done" })
end

TestTasks = {}

function TestTasks:test_spawn_gives_results_and_errors()
    lu.assertEquals({ task.spawn(function(a, b) nap() return b, a end, 1, 2):wait() }, { 2, 1 })
    local t = task.spawn(function() error({ kind = "mine" }) end)
    lu.assertEquals(kind_of(t.wait, t), "mine")
    lu.assertEquals(kind_of(t.wait, t), "mine")
end

function TestTasks:test_all_keeps_order_and_limit()
    local now, most = 0, 0
    local results = task.all({ 3, 1, 2 }, function(x, i)
        now = now + 1
        most = math.max(most, now)
        task.sleep(x / 1000)
        now = now - 1
        return x * 10 + i
    end, { limit = 2 })
    lu.assertEquals(results, { 31, 12, 23 })
    lu.assertEquals(most, 2)
    lu.assertEquals(task.all({}, nap), {})
end

function TestTasks:test_the_first_error_of_all_cancels_the_rest()
    local cancelled, finished = 0, 0
    local kind = kind_of(task.all, { 1, 2, 3 }, function(i)
        if i == 2 then
            nap()
            error({ kind = "second" })
        end
        local ok, err = pcall(task.sleep, 60)
        if not ok then
            cancelled = cancelled + 1
            error(err)
        end
        finished = finished + 1
    end)
    lu.assertEquals({ kind, cancelled, finished }, { "second", 2, 0 })
end

-- What all() began has ended when it raises: also closers that wait, and tasks that a task began with all().
function TestTasks:test_nothing_outlives_all()
    local closed, begun = 0, 0
    local function closer()
        return setmetatable({}, { __close = function() task.sleep(0.002) closed = closed + 1 end })
    end
    lu.assertEquals(kind_of(task.all, { 1, 2, 3, 4, 5 }, function(i)
        begun = begun + 1
        local _c <close> = closer()
        if i == 3 then
            nap()
            error({ kind = "third" })
        end
        task.all({ 1, 2 }, function()
            local _d <close> = closer()
            task.sleep(60)
        end)
    end, { limit = 3 }), "third")
    lu.assertEquals({ begun, closed }, { 3, 7 })
    local outer = task.spawn(task.all, { 1, 2 }, function()
        local _c <close> = closer()
        task.sleep(60)
    end)
    nap()
    outer:cancel()
    lu.assertEquals(kind_of(outer.wait, outer), "cancelled")
    lu.assertEquals(closed, 9)
end

function TestTasks:test_timeout()
    lu.assertEquals({ task.timeout(60, function() nap() return "a", nil, "c" end) }, { "a", nil, "c" })
    local closed = false
    lu.assertEquals(kind_of(task.timeout, 0.01, function()
        local _c <close> = setmetatable({}, { __close = function() nap() closed = true end })
        task.sleep(60)
    end), "timeout")
    lu.assertTrue(closed)
    lu.assertEquals(kind_of(task.timeout, 60, function() error({ kind = "own" }) end), "own")
end

function TestTasks:test_cancel_is_raised_in_the_wait_and_closers_may_wait()
    local seen
    local t = task.spawn(function()
        local _c <close> = setmetatable({}, { __close = function() nap() seen = "closed" end })
        task.sleep(60)
    end)
    nap()
    t:cancel()
    lu.assertEquals(kind_of(t.wait, t), "cancelled")
    lu.assertEquals(seen, "closed")
end

function TestTasks:test_many_tasks()
    local list = {}
    for i = 1, 1000 do
        list[i] = i
    end
    local sum = 0
    task.all(list, function(i) nap() sum = sum + i end)
    lu.assertEquals(sum, 500500)
end

function TestTasks:test_bad_arguments()
    lu.assertError(task.sleep, -1)
    lu.assertError(task.sleep, "soon")
    lu.assertError(task.spawn)
    lu.assertEquals(kind_of(task.all, { 1 }, nap, { limit = 0 }), "usage")
end

TestRuntime = {}

function TestRuntime:test_only_text_is_loaded()
    local code = string.dump(function() end)
    lu.assertNil((load(code)))
    lu.assertNil((load(code, "x", "b")))
    lu.assertEquals(load("return ...", "x", "bt", {})(5), 5)
end
