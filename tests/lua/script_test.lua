local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. here .. "/../../stdlib/?.lua;" .. (package.path or "")

local lu = require "luaunit"
local standins = require "standins"
local script = require "script"

local GOOD = [[#!/usr/bin/env -S halo run
return {
    summary = "Do a thing.", effect = "read",
    args = { { "instance", "id", "which" }, { "count", "integer", "how often", default = 1 } },
    run = function(args, origin) return { id = args.instance, count = args.count, from = origin.count } end,
    show = function(result) return result.id .. " x" .. result.count end,
}]]

local function message_of(fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok)
    return tostring(err), type(err) == "table" and err.kind
end

TestScript = {}

function TestScript.setUp()
    standins.reset()
    standins.sources.good = GOOD
    standins.scripts = { "migrate", "good" }
end

function TestScript.test_runs_with_checked_arguments()
    local result = script.start("good", { "abc", "--count", "3" }, "script")
    lu.assertEquals(result, { id = "abc", count = 3, from = "option" })
    lu.assertEquals(standins.results, { "abc x3" })
    lu.assertEquals(standins.effects, { "read" })
end

function TestScript.test_arguments_from_json()
    lu.assertEquals(script.start(GOOD, '{"instance": "abc"}', "code", "agent").count, 1)
    lu.assertEquals(script.start(GOOD, '["abc", "--count=2"]', "code", "agent").count, 2)
end

function TestScript.test_a_file_by_its_path()
    local path = os.tmpname()
    local f <close> = assert(io.open(path, "w"))
    f:write(GOOD):flush()
    local folder = path:match("^(.*)/")
    lu.assertEquals(script.start(path, { "abc" }, "script").id, "abc")
    lu.assertEquals(standins.folders, { folder })
    os.remove(path)
    local message = message_of(script.start, path .. ".lua", {}, "script")
    lu.assertStrContains(message, "does not exist")
end

function TestScript.test_wrong_arguments_are_usage_errors()
    local message, kind = message_of(script.start, "good", { "abc", "--coutn", "3" }, "script")
    lu.assertEquals(message, "good: unknown option --coutn; did you mean --count?")
    lu.assertEquals(kind, "usage")
end

function TestScript.test_unknown_script()
    local message, kind = message_of(script.start, "migrat", {}, "script")
    lu.assertEquals(message, "no script named migrat; did you mean migrate?")
    lu.assertEquals(kind, "usage")
end

function TestScript.test_help_runs_nothing()
    standins.sources.bad = GOOD:gsub("run = function%(args, origin%)", "%0 error('ran') ")
    local text = script.start("bad", { "--help" }, "script")
    lu.assertStrContains(text, "halo bad: Do a thing.")
    lu.assertStrContains(text, "INSTANCE [options]")
    lu.assertEquals(standins.effects, {})
end

function TestScript.test_wrong_declarations_name_the_file()
    for _, case in ipairs {
        { "has no summary",                  'return { effect = "read", run = function() end }' },
        { "did you mean summary?",           'return { sumary = "x", effect = "read", run = function() end }' },
        { "has no run",                      'return { summary = "x", effect = "read" }' },
        { 'not "fly"',                       'return { summary = "x", effect = "fly", run = function() end }' },
        { "run must be a function",          'return { summary = "x", effect = "read", run = 5 }' },
        { "unknown type",                    'return { summary = "x", effect = "read", run = print,\n'
            .. 'args = {{"a","b","c"}} }' },
        { "wrong.lua:2:",                    "\nreturn {{" },
    } do
        standins.sources.wrong = case[2]
        local message, kind = message_of(script.start, "wrong", {}, "script")
        lu.assertStrContains(message, case[1])
        lu.assertStrContains(message, "wrong.lua")
        lu.assertEquals(kind, "script")
    end
end

function TestScript.test_a_plain_file_just_runs()
    standins.sources.plain = "return table.concat(arg, '+') .. arg[0]"
    lu.assertEquals(script.start("plain", { "a", "--b" }, "script"), "a+--bplain")
    lu.assertEquals(standins.results, { "a+--bplain" })
    lu.assertEquals(standins.effects, {})
    lu.assertNil(script.start("local x = 1", {}, "code"))
    lu.assertEquals(#standins.results, 1)
end

function TestScript.test_describing_runs_nothing()
    standins.sources.plain = "local aura = require 'aura'\naura.delete('abc')"
    standins.sources.loud = "print('hello')"
    local library = package.loaded.library
    local find = library.find
    library.find = function(name) return standins.sources[name], "@" .. name .. ".lua", "user" end
    lu.assertEquals(script.describe("good").summary, "Do a thing.")
    lu.assertEquals({ script.describe("plain") }, { nil, "a plain Lua file" })
    lu.assertNil((script.describe("loud")))
    library.find = find
end

TestBundled = {}

function TestBundled.test_every_bundled_script_declares_itself()
    for _, name in ipairs { "create", "delete", "edit", "get", "help", "list", "migrate", "pause", "resize", "resume",
        "scripts", "snapshot", "wait" } do
        local f <close> = assert(io.open(here .. "/../../scripts/" .. name .. ".lua"))
        local decl = script.check(load(f:read("a"), "@" .. name)(), name)
        lu.assertStrContains(script.help(name, decl), decl.summary)
        lu.assertTrue(decl.summary:match("^%u.*%.$") ~= nil, name)
    end
end

if arg[-1] then                              -- under plain Lua; inside halo, run.lua does it
    os.exit(lu.LuaUnit.run())
end
