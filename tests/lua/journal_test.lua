local here = arg[0]:match("^(.*)/") or "."
-- stdlib/ first: there is a run.lua in both
package.path = here .. "/../../stdlib/?.lua;" .. here .. "/?.lua;" .. (package.path or "")

-- The journal of a run: what is torn, damaged, another one's, in use, or has no room.
local lu = require "luaunit"
local has_fs, native = pcall(require, "fs")
local box = require "run_box"
local fs = package.loaded.fs
local journal = require "journal"
local run = require "run"
local open, raises, read = box.open, box.raises, box.read

TestJournal = { setUp = box.setUp, tearDown = box.tearDown }

function TestJournal.test_an_unfinished_run_is_found_by_its_input()
    local stem = box.dir .. "/runs/made-"
    local function begun(name, input)
        fs.mkdir(stem .. name)
        run.open(stem .. name, { name = "test", input = input }):close()
    end
    fs.mkdir(stem .. "empty")
    fs.mkdir(stem .. "damaged")
    fs.write(stem .. "damaged/journal.jsonl", "what?\n")
    begun("other", { x = 2 })
    begun("second", { x = 1 })
    begun("first", { x = 1 })
    run.open(stem .. "first", { name = "test", input = { x = 1 } }):finish()
    lu.assertEquals(run.unfinished(stem, "test", { x = 1 }), stem .. "second")
    lu.assertNil(run.unfinished(stem, "other", { x = 1 }))
    lu.assertNil(run.unfinished(stem, "test", { x = 3 }))
end

function TestJournal.test_a_torn_last_line_is_dropped_wherever_it_is_torn()
    open():step("one", function() return "kept" end)
    local before = read()
    local job = open()
    pcall(job.step, job, "two", { settle = function() end }, function() error "dies" end)
    local whole = read()
    for size = #before, #whole - 1 do
        fs.write(box.dir .. "/journal.jsonl", whole:sub(1, size))
        local again = open()
        lu.assertEquals(again:step("one", function() return "again" end), "kept")
        lu.assertEquals(again:step("two", { settle = function() return { done = 2 } end }, function() return 2 end), 2)
        local r, problem = journal.parse(read())
        lu.assertNotNil(r, tostring(problem))
        lu.assertFalse(r.torn)
    end
end

function TestJournal.test_a_journal_torn_in_its_first_line_is_a_new_one()
    open { x = 1 }
    local whole = read()
    fs.write(box.dir .. "/journal.jsonl", whole:sub(1, #whole - 5))
    lu.assertNil(run.peek(box.dir))
    lu.assertFalse(open({ x = 2 }).continued)
    lu.assertEquals(run.peek(box.dir).input, { x = 2 })
end

function TestJournal.test_damage_stops_and_changes_nothing()
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
        fs.write(box.dir .. "/journal.jsonl", text)
        local err = raises("io", open)
        lu.assertStrContains(err.message, "damaged", false, name)
        lu.assertStrContains(err.message, "journal.jsonl: line ", false, name)
        lu.assertEquals(read(), text, name)
        lu.assertNil((run.peek(box.dir)))
    end
    fs.write(box.dir .. "/journal.jsonl", whole)
    open()
end

function TestJournal.test_another_script_or_other_input_stops_and_changes_nothing()
    open { id = "a", sizes = { 8, 16 } }
    local before = read()
    local err = raises("usage", run.open, box.dir, { name = "other", input = { id = "a", sizes = { 8, 16 } } })
    lu.assertStrContains(err.message, "a run of test, not of other")
    for _, input in ipairs { { id = "b", sizes = { 8, 16 } }, { id = "a", sizes = { 8 } }, { id = "a" },
        { id = "a", sizes = { 8, 16 }, more = 1 } } do
        err = raises("usage", run.open, box.dir, { name = "test", input = input })
        lu.assertStrMatches(err.message, ".*other input %([%l, ]+%)")
    end
    raises("usage", run.open, box.dir, { name = "test" })
    lu.assertEquals(read(), before)
    open { sizes = { 8, 16 }, id = "a" }
end

function TestJournal.test_one_process_at_a_time()
    local job = run.open(box.dir, { name = "test" })
    lu.assertTrue(run.busy(box.dir))
    local err = raises("io", run.open, box.dir, { name = "test" })
    lu.assertStrContains(err.message, "process 4711")
    job:close()
    lu.assertFalse(run.busy(box.dir))
    run.open(box.dir, { name = "test" }):close()
    raises("usage", run.open, box.dir, { name = "other" })
    run.open(box.dir, { name = "test" }):close() -- what is refused holds nothing
end

function TestJournal.test_secrets_are_in_no_journal()
    local job = open()
    local made = job:step("create", function() return { id = "a1", deep = { password = "pw-Q7x" } } end)
    lu.assertEquals(made.deep.password, "pw-Q7x")
    lu.assertNotStrContains(read(), "pw-Q7x")
    lu.assertEquals(open():step("create", error), made)
    job = open()
    raises("usage", job.step, job, "two", function(_, note) note("password", "pw-Q7x") end)
    raises("usage", job.finish, job, { token = "pw-Q7x" })
    raises("usage", run.open, box.dir .. "/2", { input = { client_secret = "pw-Q7x" } })
    lu.assertNotStrContains(read(), "pw-Q7x")
end

function TestJournal.test_no_room_for_the_journal()
    local job, ran = open(), 0
    box.full = 10
    raises("io", job.step, job, "one", function() ran = ran + 1 end)
    box.full = nil
    raises("io", job.step, job, "two", function() ran = ran + 1 end)     -- what was not written cannot be told
    lu.assertEquals(ran, 0)
    lu.assertEquals(open():step("one", function() return 1 end), 1)
end

function TestJournal.test_what_a_dead_process_left_is_removed()
    open()
    fs.write(box.dir .. "/create-response.json.123.0.tmp", "half")
    fs.write(box.dir .. "/notes.tmp", "mine")
    open()
    lu.assertNil(fs.stat(box.dir .. "/create-response.json.123.0.tmp"))
    lu.assertNotNil(fs.stat(box.dir .. "/notes.tmp"))
end

function TestJournal.test_crc32()
    lu.assertEquals(journal.crc32 "123456789", 0xCBF43926)
    lu.assertEquals(journal.crc32 "", 0)
end

function TestJournal.test_a_locked_file()
    if not (has_fs and native.lock) then
        return
    end
    native.mkdir(box.dir)
    local path = box.dir .. "/journal.jsonl"
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
    os.execute(("ln -s journal.jsonl '%s/link'"):format(box.dir))
    lu.assertFalse(pcall(native.lock, box.dir .. "/link"))
end

if arg[-1] then                              -- under plain Lua; inside halo, run.lua does it
    os.exit(lu.LuaUnit.run())
end
