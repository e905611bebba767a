---Loads, checks and runs scripts: the one place where a script's declaration is read.
local fail = require "fail"
local halo = require "halo"
local json = require "json"
local library = require "library"
local ui = require "ui"

local M = {}

---A module that is compiled when it is first used: many starts do without it.
local function later(name)
    return setmetatable({}, { __index = function(_, key) return require(name)[key] end })
end

local args, report = later "args", later "report"

-- What a script with `fleet = true` takes besides: what to work on, and how (selection.lua, fleet.lua).
local FLEET_ARGS = {
    { "continue_on_error", "boolean", "begin with the rest also when one has failed" },
    { "work_dir",          "path",    "directory for a journal: the same command goes on where it was cut off",
        optional = true },
}

local EFFECTS = { read = "reads only", change = "changes instances", destroy = "may delete instances" }
local KEYS = { summary = "string", effect = "string", args = "table", run = "function", show = "function",
    details = "string", examples = "table", fleet = "boolean" }

---A chunk name for people: without Lua's mark in front.
local function shown(chunkname)
    return (chunkname:gsub("^[@=]", ""))
end

local function compile(text, chunkname, env)
    text = text:gsub("^\u{FEFF}", ""):gsub("^#[^\n]*", "")       -- a BOM and a #! line
    local chunk, message = load(text, chunkname, "t", env)
    if not chunk then
        fail("script", message)
    end
    return chunk
end

local function is_declaration(value)
    return type(value) == "table" and (value.run ~= nil or value.summary ~= nil or value.effect ~= nil
        or value.args ~= nil)
end

---Checks a declaration and replaces its args by checked ones.
---@param value halo.Script
---@param where string named in the messages
---@return halo.Script
function M.check(value, where)
    local function wrong(text, ...)
        fail("script", where .. ": " .. text:format(...))
    end
    local decl = {}
    for key, field in pairs(value) do
        if not KEYS[key] then
            local names = {}
            for name in pairs(KEYS) do
                names[#names + 1] = name
            end
            table.sort(names)
            local near = args.nearest(tostring(key), names)
            wrong("the script's table has an unknown field %q%s", tostring(key),
                near and "; did you mean " .. near .. "?" or "")
        elseif type(field) ~= KEYS[key] then
            wrong("%s must be a %s, not a %s", key, KEYS[key], type(field))
        end
        decl[key] = field
    end
    for _, key in ipairs { "summary", "effect", "run" } do
        if decl[key] == nil then
            wrong("the script's table has no %s", key)
        end
    end
    if not EFFECTS[decl.effect] then
        wrong('effect must be "read", "change" or "destroy", not %q', decl.effect)
    end
    local all = decl.args
    if decl.fleet then
        local selection = require "selection"        -- only here: most scripts start without
        all = table.move(all or {}, 1, #(all or {}), 1, {})
        table.move(selection.ARGS, 1, #selection.ARGS, #all + 1, all)
        if decl.effect ~= "read" then
            table.move(FLEET_ARGS, 1, #FLEET_ARGS, #all + 1, all)
        end
    end
    local list, message = args.declare(all)
    if not list then
        wrong("%s", message)
    end
    decl.args = list
    return decl
end

local function not_found(name, message)
    local names = {}
    for i, each in ipairs(library.all()) do
        names[i] = each.name
    end
    local near = args.nearest(name, names)
    fail("usage", near and ("%s; did you mean %s?"):format(message, near) or message,
        { hint = "`halo scripts` lists what there is" })
end

-- Stands for everything a script requires while only its declaration is read: calling it fails, so
-- that a plain Lua file, which would do its work at once, does not.
local INERT = setmetatable({}, { __call = function() error("only described, not run", 0) end })
getmetatable(INERT).__index = function() return INERT end

local function inert_env()
    local env = { arg = {}, require = function() return INERT end,
        os = { getenv = os.getenv, date = os.date, time = os.time } }
    for _, name in ipairs { "assert", "error", "ipairs", "next", "pairs", "pcall", "select", "setmetatable", "tonumber",
        "tostring", "type", "math", "string", "table", "utf8" } do
        env[name] = _G[name]
    end
    return env
end

---The declaration of a script, read without running anything.
---@param name string
---@return halo.Script? decl nil for a plain Lua file or one whose declaration is wrong
---@return string? message
function M.describe(name)
    local text, chunkname, origin = library.find(name)
    if not text then
        not_found(name, chunkname)
    end
    local env = origin == "bundled" and setmetatable({ arg = {} }, { __index = _G }) or inert_env()
    local ok, decl = pcall(function()
        local ran, value = pcall(compile(text, chunkname, env))
        return ran and is_declaration(value) and M.check(value, shown(chunkname))
    end)
    if ok then
        return decl or nil, not decl and "a plain Lua file" or nil
    end
    return nil, tostring(decl)
end

---The help of one script, from its declaration.
---@param name string as it is called
---@param decl halo.Script
---@return string
function M.help(name, decl)
    local parts = { ("halo %s: %s"):format(name, decl.summary), "",
        ("Usage: halo [global options] %s %s"):format(name, args.usage(decl.args)) }
    if #decl.args > 0 then
        parts[#parts + 1] = "\nArguments and options:\n" .. args.help(decl.args)
    end
    if decl.fleet then
        parts[#parts + 1] = "\n" .. require("selection").HELP
    end
    if decl.details then
        parts[#parts + 1] = "\n" .. decl.details:gsub("^%s*\n", ""):gsub("%s+$", "")
    end
    if decl.examples then
        parts[#parts + 1] = "\nExamples:\n  " .. table.concat(decl.examples, "\n  ")
    end
    parts[#parts + 1] = ("\nEffect: %s (%s)."):format(decl.effect, EFFECTS[decl.effect])
    return table.concat(parts, "\n")
end

local function getenv(name)
    local options = halo.options()
    if options.restricted and name:match("^AURA_CLIENT_") then
        return nil                           -- whatever a script declares: those are the host's own
    end
    return name == "WORK_DIR" and options.work_dir or os.getenv(name)
end

---Takes `--work-dir DIR` off the arguments: where `run.open` of a script of the operator's keeps its run.
---@param argv table words, or named arguments
---@return table argv the rest
---@return string? dir
local function take_work_dir(argv)
    local rest, dir = {}, argv.work_dir
    for key, value in pairs(argv) do
        if key ~= "work_dir" and math.type(key) ~= "integer" then
            rest[key] = value
        end
    end
    local i = 1
    while i <= #argv do
        local word = argv[i]
        local value = type(word) == "string" and word:match("^%-%-work%-dir=(.+)$")
        if word == "--" then
            return table.move(argv, i, #argv, #rest + 1, rest), dir
        elseif value or (word == "--work-dir" and argv[i + 1] ~= nil) then
            dir, i = value or argv[i + 1], value and i or i + 1
        else
            rest[#rest + 1] = word
        end
        i = i + 1
    end
    return rest, dir
end

local function has_work_dir(decl)
    for _, arg in ipairs(decl.args) do
        if arg.name == "work_dir" then
            return true
        end
    end
    return false
end

local function run(decl, name, argv)
    if args.wants_help(argv) then
        local text = M.help(name, decl)
        ui.result(text)
        return text
    end
    halo.effect(decl.effect)
    local read = (#argv > 0 or next(argv) == nil) and args.parse or args.from_table
    local values, origin = read(decl.args, argv, getenv)
    if not values then
        fail("usage", ("%s: %s"):format(name, origin), { hint = ("`halo help %s` lists the options"):format(name) })
    end
    local result = decl.run(values, origin)
    if result ~= nil then
        ui.result(decl.show and decl.show(result) or report.show(result))
    end
    return result
end

---Runs a script to its end. Called by the host for every script, in a task of its own.
---@param target string name or path of a script; for kind "code" the Lua text
---@param argv table|string list of words, or named arguments; as a text: JSON of either
---@param kind "script"|"code"
---@param name string? what messages call the code
---@return any result
function M.start(target, argv, kind, name)
    if type(argv) == "string" then
        argv = json.decode(argv)
    end
    if type(argv) ~= "table" then
        fail("usage", "the arguments must be a list of words or a table of named ones")
    end
    local text, where, own, rest = target, name or "code", false, argv
    if kind == "code" then
        where = where:match("^[@=]") and where or "=" .. where
    else
        name = target
        local origin, folder
        text, where, origin, folder = library.find(target)
        if not text then
            not_found(target, where)
        elseif folder then
            halo.folder(folder)
        end
        own = origin ~= "bundled"
    end
    if own then
        local work_dir
        rest, work_dir = take_work_dir(argv)
        if work_dir then
            halo.work_dir(work_dir)
        end
    end
    -- `arg` belongs to this run; every other global is shared, as a plain Lua file expects, unless restricted.
    local words = { [0] = name }
    for key, value in pairs(rest) do
        words[key] = value
    end
    local globals = halo.globals()
    local value = compile(text, where, setmetatable({ arg = words }, { __index = globals, __newindex = globals }))()
    if is_declaration(value) then
        local decl = M.check(value, shown(where))
        return run(decl, (name or "code"):match("([^/]*)$"):gsub("%.lua$", ""), has_work_dir(decl) and argv or rest)
    end
    if value ~= nil then
        ui.result(report.show(value))
    end
    return value
end

return M
