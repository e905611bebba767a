local here = arg[0]:match("^(.*)/") or "."
-- stdlib/ first: there is a run.lua in both
package.path = here .. "/../../stdlib/?.lua;" .. here .. "/?.lua;" .. (package.path or "")

-- Runs that are cut off: what the journal says, what is done again, what is settled, what is refused.
local lu = require "luaunit"
local has_fs, native = pcall(require, "fs")
local standins = require "standins"

local fs = package.loaded.fs
local full                                   -- no more room on the disk from this many bytes on
local function put(path, text, how)
    if full and #text > full then
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

local journal = require "journal"
local run = require "run"

local dir
local function raise(kind, message)
    error({ kind = kind, message = message or kind }, 0)
end

local function read()
    return fs.read(dir .. "/journal.jsonl")
end

---A run of the test script that is dropped without an end, as if its process had died.
local function open(input)
    local job = run.open(dir, { name = "test", input = input })
    job:close()                              -- the lock; the journal can be written all the same
    return job
end

local function raises(kind, fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok)
    lu.assertEquals(type(err), "table", tostring(err))
    lu.assertEquals(err.kind, kind, err.message)
    return err
end

TestRun = {}

function TestRun.setUp()
    standins.reset()
    full = nil
    dir = os.tmpname()
    os.remove(dir)
end

function TestRun.tearDown()
    os.execute("rm -rf '" .. dir .. "'")
end

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
    fs.write(dir .. "/journal.jsonl", text)
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

function TestRun.test_after_an_interrupt_no_step_begins()
    local job, ran = open(), false
    local err = raises("cancelled", job.step, job, "one", function() raise "cancelled" end)
    lu.assertStrContains(err.hint, dir)
    raises("cancelled", job.step, job, "two", function() ran = true end)
    lu.assertFalse(ran)
    lu.assertNotStrContains(read(), '"step":"two"')
    lu.assertEquals(open():step("one", function() return 1 end), 1)
end

function TestRun.test_a_torn_last_line_is_dropped_wherever_it_is_torn()
    open():step("one", function() return "kept" end)
    local before = read()
    local job = open()
    pcall(job.step, job, "two", { settle = function() end }, function() error "dies" end)
    local whole = read()
    for size = #before, #whole - 1 do
        fs.write(dir .. "/journal.jsonl", whole:sub(1, size))
        local again = open()
        lu.assertEquals(again:step("one", function() return "again" end), "kept")
        lu.assertEquals(again:step("two", { settle = function() return { done = 2 } end }, function() return 2 end), 2)
        local r, problem = journal.parse(read())
        lu.assertNotNil(r, tostring(problem))
        lu.assertFalse(r.torn)
    end
end

function TestRun.test_a_journal_torn_in_its_first_line_is_a_new_one()
    open { x = 1 }
    local whole = read()
    fs.write(dir .. "/journal.jsonl", whole:sub(1, #whole - 5))
    lu.assertNil(run.peek(dir))
    lu.assertFalse(open({ x = 2 }).continued)
    lu.assertEquals(run.peek(dir).input, { x = 2 })
end

function TestRun.test_damage_stops_and_changes_nothing()
    open():step("one", function() return "kept" end)
    open()
    local whole = read()
    local ends = {}
    for at in whole:gmatch("()\n") do
        ends[#ends + 1] = at
    end
    for name, text in pairs {
        ["a changed letter"] = whole:gsub("kept", "lost"),
        ["a line gone"] = whole:sub(1, ends[1]) .. whole:sub(ends[2] + 1),
        ["a line twice"] = whole .. whole:sub(ends[3] + 1),
        ["zeroes"] = whole:sub(1, ends[1]) .. ("\0"):rep(20) .. whole:sub(ends[1] + 21),
        ["lines exchanged"] = whole:sub(1, ends[1]) .. whole:sub(ends[2] + 1, ends[3])
            .. whole:sub(ends[1] + 1, ends[2]) .. whole:sub(ends[3] + 1),
        ["the last line, ended"] = whole:sub(1, -3) .. "\n",
        ["an empty line"] = "\n" .. whole,
        ["a note of no step"] = whole .. journal.line { n = 5, event = "note", key = "k" },
        ["an event without a name"] = whole .. journal.line { n = 5 },
    } do
        fs.write(dir .. "/journal.jsonl", text)
        local err = raises("io", open)
        lu.assertStrContains(err.message, "damaged", false, name)
        lu.assertStrContains(err.message, "journal.jsonl: line ", false, name)
        lu.assertEquals(read(), text, name)
        lu.assertNil((run.peek(dir)))
    end
    fs.write(dir .. "/journal.jsonl", whole)
    open()
end

function TestRun.test_another_script_or_other_input_stops_and_changes_nothing()
    open { id = "a", sizes = { 8, 16 } }
    local before = read()
    local err = raises("usage", run.open, dir, { name = "other", input = { id = "a", sizes = { 8, 16 } } })
    lu.assertStrContains(err.message, "a run of test, not of other")
    for _, input in ipairs { { id = "b", sizes = { 8, 16 } }, { id = "a", sizes = { 8 } }, { id = "a" },
        { id = "a", sizes = { 8, 16 }, more = 1 } } do
        err = raises("usage", run.open, dir, { name = "test", input = input })
        lu.assertStrMatches(err.message, ".*other input %([%l, ]+%)")
    end
    raises("usage", run.open, dir, { name = "test" })
    lu.assertEquals(read(), before)
    open { sizes = { 8, 16 }, id = "a" }
end

function TestRun.test_one_process_at_a_time()
    local job = run.open(dir, { name = "test" })
    lu.assertTrue(run.busy(dir))
    local err = raises("io", run.open, dir, { name = "test" })
    lu.assertStrContains(err.message, "process 4711")
    job:close()
    lu.assertFalse(run.busy(dir))
    run.open(dir, { name = "test" }):close()
    raises("usage", run.open, dir, { name = "other" })
    run.open(dir, { name = "test" }):close() -- what is refused holds nothing
end

function TestRun.test_secrets_are_in_no_journal()
    local job = open()
    local made = job:step("create", function() return { id = "a1", deep = { password = "pw-Q7x" } } end)
    lu.assertEquals(made.deep.password, "pw-Q7x")
    lu.assertNotStrContains(read(), "pw-Q7x")
    lu.assertEquals(open():step("create", error), made)
    job = open()
    raises("usage", job.step, job, "two", function(_, note) note("password", "pw-Q7x") end)
    raises("usage", job.finish, job, { token = "pw-Q7x" })
    raises("usage", run.open, dir .. "/2", { input = { client_secret = "pw-Q7x" } })
    lu.assertNotStrContains(read(), "pw-Q7x")
end

function TestRun.test_no_room_for_the_journal()
    local job, ran = open(), 0
    full = 10
    raises("io", job.step, job, "one", function() ran = ran + 1 end)
    full = nil
    raises("io", job.step, job, "two", function() ran = ran + 1 end)     -- what was not written cannot be told
    lu.assertEquals(ran, 0)
    lu.assertEquals(open():step("one", function() return 1 end), 1)
end

function TestRun.test_a_dry_run_writes_nothing_and_shows_what_would_change()
    standins.options.dry_run = true
    local job = run.open(dir, { name = "test" })
    lu.assertEquals(job:step("look", function() return 5 end), 5)
    lu.assertNil(job:step("make", { settle = error, effect = "change", payload = { name = "x", password = "pw-Q7x" } },
        function() error "must not run" end))
    job:finish()
    lu.assertNil(fs.stat(dir))
    local said = table.concat(standins.said, "\n")
    lu.assertStrContains(said, "would do make (change)")
    lu.assertStrContains(said, "***")
    lu.assertNotStrContains(said, "pw-Q7x")
end

function TestRun.test_where_it_is_kept()
    standins.options.work_dir = dir
    run.open():close()
    lu.assertEquals(run.peek(dir).name, "run_test")
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

function TestRun.test_what_a_dead_process_left_is_removed()
    open()
    fs.write(dir .. "/create-response.json.123.0.tmp", "half")
    fs.write(dir .. "/notes.tmp", "mine")
    open()
    lu.assertNil(fs.stat(dir .. "/create-response.json.123.0.tmp"))
    lu.assertNotNil(fs.stat(dir .. "/notes.tmp"))
end

function TestRun.test_crc32()
    lu.assertEquals(journal.crc32 "123456789", 0xCBF43926)
    lu.assertEquals(journal.crc32 "", 0)
end

function TestRun.test_a_locked_file()
    if not (has_fs and native.lock) then
        return
    end
    native.mkdir(dir)
    local path = dir .. "/journal.jsonl"
    lu.assertFalse(pcall(native.locked, path))
    local lock, pid = native.lock(path)
    lu.assertEquals(math.type(pid), "integer")
    lu.assertEquals(native.stat(path).mode, tonumber("600", 8))
    lu.assertTrue(native.locked(path))
    lu.assertNil(native.lock(path))
    lock:append "one\n"
    lock:append "two"
    lu.assertEquals(native.read(path), "one\ntwo")   -- closing another descriptor lets nothing go
    lu.assertTrue(native.locked(path))
    lock:cut(4)
    lock:append "three\n"
    lu.assertEquals(native.read(path), "one\nthree\n")
    lock:close()
    lock:close()
    lu.assertFalse(native.locked(path))
    lu.assertFalse(pcall(lock.append, lock, "x"))
    do
        local again <close> = native.lock(path)
        lu.assertNotNil(again)
    end
    lu.assertFalse(native.locked(path))
    lu.assertNotNil((native.lock(path)))     -- dropped at once
    collectgarbage()
    lu.assertFalse(native.locked(path))
    os.execute(("ln -s journal.jsonl '%s/link'"):format(dir))
    lu.assertFalse(pcall(native.lock, dir .. "/link"))
end

if arg[-1] then                              -- under plain Lua; inside halo, run.lua does it
    os.exit(lu.LuaUnit.run())
end
