local here = arg[0]:match("^(.*)/") or "."
-- stdlib/ first: there is a run.lua in both
package.path = here .. "/../../stdlib/?.lua;" .. here .. "/?.lua;" .. (package.path or "")

-- Runs that are cut off: what is done again, what is settled, what is refused.
local lu = require "luaunit"
local standins = require "standins"
local box = require "run_box"
local fs = package.loaded.fs
local run = require "run"
local open, raise, raises, read = box.open, box.raise, box.raises, box.read

TestRun = { setUp = box.setUp, tearDown = box.tearDown }

function TestRun.test_a_finished_step_is_not_run_again()
    local times = 0
    local function work()
        times = times + 1
        return { id = "a1", list = { 1, 2 }, n = times }
    end
    local first = open { x = 1 }:step("one", work)
    local job = open { x = 1 }
    local again, recorded = job:step("one", work)
    lu.assertEquals(times, 1)
    lu.assertEquals(again, first)
    lu.assertTrue(recorded)
    lu.assertTrue(job.continued)
    lu.assertEquals(job:done "one", "2026-02-26T15:07:13Z")
end

function TestRun.test_results_of_every_kind()
    local values = { one = "text", two = 8, three = 2.5, four = true, five = false, six = { a = { b = {} } } }
    local job = open()
    for name, value in pairs(values) do
        lu.assertEquals(job:step(name, function() return value end), value)
    end
    lu.assertNil(job:step("none", function() end))
    job = open()
    for name, value in pairs(values) do
        lu.assertEquals(job:step(name, function() error "again" end), value)
    end
    lu.assertNil(job:step("none", function() error "again" end))
    raises("script", job.step, job, "function", function() return print end)
end

function TestRun.test_a_finished_run()
    local job = open()
    job:step("one", function() return 1 end)
    lu.assertEquals(job:finish { n = 1 }, { n = 1 })
    local before = read()
    job = open()
    lu.assertTrue(job.finished)
    lu.assertEquals(job.result, { n = 1 })
    lu.assertEquals(job:step("one", function() return 2 end), 1)
    lu.assertEquals(job:finish { n = 2 }, { n = 1 })
    lu.assertEquals(read(), before)
end

function TestRun.test_begun_is_written_before_and_done_after()
    local job, during = open(), nil
    job:step("one", function() during = read() end)
    lu.assertStrContains(during, '"event":"begin"')
    lu.assertNotStrContains(during, '"event":"done"')
    lu.assertStrContains(read(), '"event":"done"')
end

---Begins a step that its process does not survive.
local function cut_off(notes)
    local job = open()
    pcall(job.step, job, "one", { settle = function() end }, function(_, note)
        for key, value in pairs(notes or {}) do
            note(key, value)
        end
        error "dies"
    end)
    local text = read():gsub('[^\n]*"event":"failed"[^\n]*\n', "")
    fs.write(box.dir .. "/journal.jsonl", text)
end

function TestRun.test_what_was_cut_off_is_settled()
    cut_off { before = { "a", "b" } }
    local asked
    local value = open():step("one", { settle = function(_, note)
        asked = note "before"
        return { done = { id = "c" } }
    end }, function() error "must not run" end)
    lu.assertEquals(value, { id = "c" })
    lu.assertEquals(asked, { "a", "b" })
    lu.assertEquals(open():step("one", function() error "again" end), { id = "c" })
end

function TestRun.test_nothing_had_happened()
    cut_off()
    lu.assertEquals(open():step("one", { settle = function() return { again = true } end },
        function() return 7 end), 7)
end

function TestRun.test_settling_may_refuse()
    cut_off()
    local before = #read()
    local err = raises("conflict", function()
        open():step("one", { settle = function() raise "conflict" end }, function() error "must not run" end)
    end)
    lu.assertStrContains(err.hint, "to continue")
    lu.assertTrue(#read() > before)
    lu.assertEquals(open():step("one", { settle = function() return { done = 1 } end }, error), 1)
end

function TestRun.test_settling_must_say_what_happened()
    for _, answer in ipairs { false, {}, { done = 1, again = true } } do
        TestRun.setUp()
        cut_off()
        raises("script", function() open():step("one", { settle = function() return answer end }, error) end)
        TestRun.tearDown()
    end
end

function TestRun.test_a_step_without_settle_is_run_again()
    local job = open()
    pcall(job.step, job, "one", function() error "dies" end)
    lu.assertEquals(open():step("one", function() return 3 end), 3)
end

function TestRun.test_an_ambiguous_failure_is_settled_at_once()
    local calls, looks = 0, 0
    local value = open():step("one", { settle = function()
        looks = looks + 1
        return { again = true }
    end }, function()
        calls = calls + 1
        return calls == 2 and "made" or raise "ambiguous"
    end)
    lu.assertEquals({ value, calls, looks }, { "made", 2, 1 })
    value = open():step("two", { settle = function() return { done = "there" } end }, function() raise "ambiguous" end)
    lu.assertEquals(value, "there")
    raises("ambiguous", function()
        open():step("three", { settle = function() return { again = true } end }, function() raise "ambiguous" end)
    end)
    raises("ambiguous", function() open():step("four", function() raise "ambiguous" end) end)
end

function TestRun.test_what_is_noted_before_a_change_is_sent()
    local sent = 0
    local it = { before = function(_, note) note("before", { 1 }) end, look = function(_, note)
        return note "before" and { done = note "before"[1] + sent } or { again = true }
    end }
    lu.assertEquals(open():step("one", { settle = it }, function()
        sent = sent + 1
        lu.assertStrContains(read(), '"key":"before"')
        raise "ambiguous"
    end), 2)
    TestRun.tearDown()
    TestRun.setUp()
    cut_off()                                -- begun, but nothing was noted: it was never sent
    lu.assertEquals(open():step("one", { settle = it }, function() return "sent" end), "sent")
end

function TestRun.test_the_last_try_is_settled_too_and_a_refusal_after_an_unknown_try()
    local calls = 0
    local look = function() return calls == 3 and { done = "there" } or { again = true } end
    local function work()
        calls = calls + 1
        raise "ambiguous"
    end
    lu.assertEquals(open():step("one", { settle = look }, work), "there")
    local seen
    look = function() return seen and { done = "by the first" } or { again = true } end
    calls = 0
    lu.assertEquals(open():step("two", { settle = look }, function()
        calls = calls + 1
        seen = calls == 2
        raise(seen and "conflict" or "ambiguous")
    end), "by the first")
    raises("conflict", function() open():step("three", { settle = look }, function() raise "conflict" end) end)
end

function TestRun.test_a_failing_look_leaves_the_error_that_made_it_necessary()
    local err = raises("ambiguous", function()
        open():step("one", { settle = function() raise("transport", "no network") end }, function()
            raise "ambiguous"
        end)
    end)
    lu.assertStrContains(err.hint, "no network")
    err = raises("transport", function()
        open():step("one", { settle = function() raise("transport", "no network") end }, error)
    end)
    lu.assertStrContains(err.hint, "to continue")
end

function TestRun.test_after_an_interrupt_no_step_begins()
    local job, ran = open(), false
    local err = raises("cancelled", job.step, job, "one", function() raise "cancelled" end)
    lu.assertStrContains(err.hint, box.dir)
    raises("cancelled", job.step, job, "two", function() ran = true end)
    lu.assertFalse(ran)
    lu.assertNotStrContains(read(), '"step":"two"')
    lu.assertEquals(open():step("one", function() return 1 end), 1)
end

function TestRun.test_a_dry_run_writes_nothing_and_shows_what_would_change()
    standins.options.dry_run = true
    local job = run.open(box.dir, { name = "test" })
    lu.assertEquals(job:step("look", function() return 5 end), 5)
    lu.assertNil(job:step("make", { settle = error, effect = "change", payload = { name = "x", password = "pw-Q7x" } },
        function() error "must not run" end))
    job:finish()
    lu.assertNil(fs.stat(box.dir))
    local said = table.concat(standins.said, "\n")
    lu.assertStrContains(said, "would do make (change)")
    lu.assertStrContains(said, "***")
    lu.assertNotStrContains(said, "pw-Q7x")
end

function TestRun.test_where_it_is_kept()
    standins.options.work_dir = box.dir
    run.open():close()
    lu.assertEquals(run.peek(box.dir).name, "run_test")
    standins.options.work_dir = nil
    if not os.getenv "WORK_DIR" then
        raises("usage", run.open)
    end
end

function TestRun.test_names_of_steps()
    local job = open()
    job:step("one", function() end)
    raises("usage", job.step, job, "one", function() end)
    raises("usage", job.step, job, "", function() end)
    raises("usage", job.step, job, "a\nb", function() end)
    raises("usage", job.step, job, "two")
end

if arg[-1] then                              -- under plain Lua; inside halo, run.lua does it
    os.exit(lu.LuaUnit.run())
end
