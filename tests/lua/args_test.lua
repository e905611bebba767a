local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. here .. "/../../stdlib/?.lua;" .. (package.path or "")

local lu = require "luaunit"
require "standins"
local args = require "args"

local ENV = { INSTANCE_ID = "fromenv", EMPTY = "", BAD = "a/b" }
local function getenv(name)
    return ENV[name]
end

local DECL = {
    { "instance", "id",      "id of the instance", env = "INSTANCE_ID" },
    { "status",   "string",  "what to wait for" },
    { "timeout",  "number",  "seconds", default = 1800, min = 0, max = 9000 },
    { "offset",   "integer", "may be negative", default = 0 },
    { "memory",   "size",    "memory", optional = true },
    { "no_dump",  "boolean", "without a dump" },
    { "wait",     "boolean", "wait", default = true },
    { "mode",     "string",  "how", choices = { "fast", "safe" }, default = "safe" },
    { "file",     "file",    "a file", optional = true },
    { "title",    "string",  "a text", env = "EMPTY", default = "none" },
}

local function declared(list)
    local checked, message = args.declare(list or DECL)
    lu.assertNotNil(checked, message)
    return checked
end

local function parse(...)
    return args.parse(declared(), { ... }, getenv)
end

TestArgs = {}

function TestArgs.test_in_order_and_by_name()
    local values, origin = parse("abc", "running", "--timeout", "60", "--memory=16")
    lu.assertEquals(values.instance, "abc")
    lu.assertEquals(values.status, "running")
    lu.assertEquals(values.timeout, 60)
    lu.assertEquals(values.memory, "16GB")
    lu.assertEquals(values.wait, true)
    lu.assertEquals(values.no_dump, false)
    lu.assertEquals(values.title, "none")
    lu.assertEquals(origin.timeout, "option")
    lu.assertEquals(origin.wait, "default")
end

function TestArgs.test_a_named_one_leaves_its_place()
    local values = parse("--instance", "abc", "paused")
    lu.assertEquals({ values.instance, values.status }, { "abc", "paused" })
end

function TestArgs.test_environment()
    local values, origin = parse("--status=running")
    lu.assertEquals({ values.instance, origin.instance }, { "fromenv", "env" })
    local bad, message = args.parse(declared { { "x", "id", "id", env = "BAD" } }, {}, getenv)
    lu.assertNil(bad)
    lu.assertStrContains(message, "BAD (environment)")
end

function TestArgs.test_good_forms()
    for _, case in ipairs {
        { "offset",  -5,      "--offset", "-5" },
        { "offset",  -5,      "--offset=-5" },
        { "no_dump", true,    "--no-dump" },
        { "no_dump", true,    "--no_dump" },
        { "wait",    false,   "--no-wait" },
        { "wait",    false,   "--wait=no" },
        { "wait",    true,    "--wait" },
        { "title",   "--x",   "--title=--x" },
        { "title",   "",      "--title=" },
        { "title",   "a=b",   "--title=a=b" },
        { "title",   "-",     "--title", "-" },
        { "mode",    "fast",  "--mode", "fast" },
        { "memory",  "8GB",   "--memory", "8Gi" },
        { "timeout", 1.5,     "--timeout", "1.5" },
    } do
        local values, message = parse("abc", "running", table.unpack(case, 3))
        lu.assertNotNil(values, table.concat({ table.unpack(case, 3) }, " ") .. ": " .. tostring(message))
        lu.assertEquals(values[case[1]], case[2])
    end
end

function TestArgs.test_two_dashes_end_the_options()
    local values = parse("--timeout", "5", "--", "abc", "--odd")
    lu.assertEquals({ values.instance, values.status, values.timeout }, { "abc", "--odd", 5 })
end

function TestArgs.test_what_is_refused()
    for _, case in ipairs {
        { "did you mean --timeout?",            "--timout", "5" },
        { "did you mean --no-wait?",            "--no-wiat" },
        { "unknown option --bogus",             "--bogus" },
        { "unknown option -x",                  "-x" },
        { "expected a number",                  "--timeout", "soon" },
        { "expected a number",                  "--timeout", "0x10" },
        { "expected at least 0",                "--timeout", "-1" },
        { "expected at most 9000",              "--timeout", "9001" },
        { "expected a number",                  "--timeout", "1e999" },
        { "expected a whole number",            "--offset", "1.5" },
        { "expected a size",                    "--memory", "8MB" },
        { "one of fast, safe",                  "--mode", "slow" },
        { "expected true or false",             "--wait=perhaps" },
        { "takes no value",                     "--no-wait=yes" },
        { "needs a value",                      "--timeout" },
        { "written --title=--wait",             "--title", "--wait" },
        { "given twice",                        "--timeout", "1", "--timeout", "2" },
        { "--file: there is no file /does",         "--file", "/does/not/exist" },
        { "--file: there is no file ",              "--file", "zero\0byte" },
        { 'unexpected argument "third"',        "third" },
    } do
        local values, message = parse("abc", "running", table.unpack(case, 2))
        lu.assertNil(values, case[1])
        lu.assertStrContains(message, case[1])
    end
    local values, message = parse("../etc", "running")
    lu.assertNil(values)
    lu.assertStrContains(message, "INSTANCE: expected an id")
end

function TestArgs.test_missing()
    local values, message = parse("abc")
    lu.assertNil(values)
    lu.assertStrContains(message, "missing STATUS: what to wait for")
    lu.assertStrContains(message, "--status")
end

function TestArgs.test_table()
    local values = args.from_table(declared(), { instance = "abc", status = "running", timeout = 5, memory = 16,
        ["no-dump"] = true }, getenv)
    lu.assertEquals({ values.timeout, values.memory, values.no_dump }, { 5, "16GB", true })
    for _, case in ipairs {
        { "did you mean \"instance\"?", { instnce = "abc" } },
        { "a table does not fit",   { instance = {} } },
        { "a boolean does not fit", { instance = true } },
        { "expected a text",        { instance = "abc", status = 5 } },
        { "missing STATUS",         { instance = "abc" } },
    } do
        local none, message = args.from_table(declared(), case[2], getenv)
        lu.assertNil(none)
        lu.assertStrContains(message, (case[1]:gsub('"', "")))
    end
end

function TestArgs.test_declarations_that_are_wrong()
    for _, case in ipairs {
        { "must be a list",         "x" },
        { "must be a table",        { "x" } },
        { "the name must be",       { { "Bad-Name", "string", "x" } } },
        { "declared twice",         { { "a", "string", "x" }, { "a", "string", "x" } } },
        { "unknown type",           { { "a", "text", "x" } } },
        { "help text is missing",   { { "a", "string" } } },
        { "default: expected",      { { "a", "number", "x", default = "soon" } } },
        { "option of halo itself",  { { "json", "boolean", "x" } } },
    } do
        local list, message = args.declare(case[2])
        lu.assertNil(list, case[1])
        lu.assertStrContains(message, case[1])
    end
end

function TestArgs.test_lists()
    local list = declared { { "fault", "string", "faults", list = true, env = "FAULTS" },
        { "port", "integer", "ports", list = true, max = 9 } }
    local values, origin = args.parse(list, { "--fault", "a b", "--port=1", "--fault=c", "--port", "2" }, getenv)
    lu.assertEquals(values, { fault = { "a b", "c" }, port = { 1, 2 } })
    lu.assertEquals(origin.fault, "option")
    lu.assertEquals(args.parse(list, {}, getenv), { fault = {}, port = {} })
    lu.assertEquals(args.parse(list, {}, function(name) return name == "FAULTS" and "x" or nil end).fault, { "x" })
    values = args.from_table(list, { fault = "a", port = { 3, "4" } }, getenv)
    lu.assertEquals(values, { fault = { "a" }, port = { 3, 4 } })
    for _, case in ipairs { { "at most 9", { port = { 10 } } }, { "expected a text", { fault = { {} } } } } do
        local none, message = args.from_table(list, case[2], getenv)
        lu.assertNil(none)
        lu.assertStrContains(message, case[1])
    end
    lu.assertNil((args.parse(list, { "--port", "10" }, getenv)))
    lu.assertStrContains(args.help(list), "faults [repeatable; or FAULTS]")
    lu.assertNil((args.declare { { "a", "boolean", "x", list = true } }))
end

function TestArgs.test_lists_in_order()
    local list = declared { { "instance", "id", "instances", list = true, positional = true, env = "INSTANCE_ID",
        unless = "select" }, { "status", "string", "a status" }, { "select", "string", "criteria", list = true } }
    for _, case in ipairs {
        { { "a" }, "running",                "a", "running" },
        { { "a", "b", "c" }, "running",      "a", "b", "c", "running" },
        { { "a", "b" }, "running",           "a", "b", "--status", "running" },
        { { "a", "b" }, "running",           "--instance=a", "--instance", "b", "running" },
        { { "fromenv" }, "running",          "--status=running" },
        { {}, "running",                     "running", "--select", "x" },
    } do
        local values, message = args.parse(list, { table.unpack(case, 3) }, getenv)
        lu.assertNotNil(values, message)
        lu.assertEquals({ values.instance, values.status }, { case[1], case[2] })
    end
    for _, case in ipairs {
        { "missing STATUS",                  "a" },
        { "INSTANCE: expected an id",        "a/b", "running" },
        { 'unexpected argument "running"',   "a", "running", "--select", "x" },
        { "give INSTANCE or --select",       "--instance", "a", "running", "--select", "x" },
    } do
        local none, message = args.parse(list, { table.unpack(case, 2) }, getenv)
        lu.assertNil(none)
        lu.assertStrContains(message, case[1])
    end
    local _, message = args.parse(list, { "--status=x" }, function() end)
    lu.assertStrContains(message, "missing INSTANCE")
    _, message = args.from_table(list, { instance = "a", select = "x", status = "y" }, getenv)
    lu.assertStrContains(message, "give INSTANCE or --select")
    lu.assertEquals(args.from_table(list, { instance = { "a", "b" }, status = "y" }, getenv).instance, { "a", "b" })
    lu.assertEquals(args.usage(list), "INSTANCE... STATUS [options]")
end

function TestArgs.test_help()
    local list = declared()
    lu.assertEquals(args.usage(list), "INSTANCE STATUS [options]")
    local text = args.help(list)
    lu.assertStrContains(text, "--timeout NUMBER  seconds [default 1800]")
    lu.assertStrContains(text, "[required; or INSTANCE_ID]")
    lu.assertStrContains(text, "--no-wait turns it off")
    lu.assertTrue(args.wants_help { "abc", "-h" })
    lu.assertFalse(args.wants_help { "--", "--help" })
end

if arg[-1] then                              -- under plain Lua; inside halo, run.lua does it
    os.exit(lu.LuaUnit.run())
end
