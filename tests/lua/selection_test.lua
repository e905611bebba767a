-- Which instances a selection means: patterns, criteria, names; and how many requests it takes.
local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. here .. "/../../stdlib/?.lua;" .. (package.path or "")

local lu = require "luaunit"
require "standins"

local LIST = {                               -- as the API lists them
    { id = "0000000a", name = "dev-b", tenant_id = "t-1", cloud_provider = "aws" },
    { id = "0000000b", name = "dev-a", tenant_id = "t-1", cloud_provider = "gcp" },
    { id = "0000000c", name = "prod, main", tenant_id = "t-2", cloud_provider = "aws" },
    { id = "0000000d", name = "twin", tenant_id = "t-1", cloud_provider = "aws" },
    { id = "0000000e", name = "twin", tenant_id = "t-2", cloud_provider = "aws" },
    { id = "0000000f", name = "0000000a", tenant_id = "t-2", cloud_provider = "azure" },
}
local MORE = {                               -- what a GET shows besides; f has gone since
    ["0000000a"] = { status = "running", type = "enterprise-db", region = "eu-west-1", memory = "8GB" },
    ["0000000b"] = { status = "Paused", type = "enterprise-db", region = "us-east-1", memory = "16GB" },
    ["0000000c"] = { status = "running", type = "business-critical", region = "eu-west-1", memory = "8GB" },
    ["0000000d"] = { status = "loading failed", type = "free-db", region = "eu-west-1" },
    ["0000000e"] = { status = "running", type = "enterprise-ds", region = "eu-west-3", memory = "8GB" },
}
local gets, refusal = 0, nil

local aura = { try = {}, list = function() return table.move(LIST, 1, #LIST, 1, {}) end }
function aura.try.get(id)
    gets = gets + 1
    if refusal then
        return nil, { kind = refusal }
    elseif not MORE[id] then
        return nil, { kind = "not_found" }
    end
    local inst = { id = id }
    for _, each in ipairs(LIST) do
        for key, value in pairs(each.id == id and each or {}) do
            inst[key] = value
        end
    end
    for key, value in pairs(MORE[id]) do
        inst[key] = value
    end
    return inst
end
package.loaded.aura = aura
package.loaded.selection = nil
local selection = require "selection"

---The last characters of the ids.
local function ids(list)
    local text = ""
    for _, inst in ipairs(list) do
        text = text .. inst.id:sub(-1)
    end
    return text
end

local function refused(kind, text, fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok, text)
    lu.assertEquals(err.kind, kind, err.message)
    lu.assertStrContains(err.message, text)
    return err
end

local function args(t)
    return { instance = t.instance or {}, select = t.select or {}, exclude = t.exclude or {}, limit = t.limit }
end

TestSelection = {}

function TestSelection.setUp()
    gets, refusal = 0, nil
end

function TestSelection.test_patterns()
    for _, case in ipairs {
        { true,  "dev-*", "dev-a" }, { true, "dev-*", "dev-" }, { false, "dev-*", "Dev-a" },
        { true,  "*", "" }, { true, "*-a", "dev-a" }, { true, "*v*a*", "dev-a" }, { false, "*-a", "dev-ab" },
        { true,  "d?v", "dev" }, { false, "d?v", "dv" }, { true, "gr?n", "grün" }, { false, "gr??n", "grün" },
        { true,  "a.c", "a.c" }, { false, "a.c", "abc" }, { true, "[x]%d", "[x]%d" }, { false, "", "a" },
        { true,  "a*b*c", "aXbYbZc" }, { false, "a*b*c", "acb" }, { true, "?\xFF*", "x\xFFy" },
        { false, ("*a"):rep(40) .. "b", ("a"):rep(4000) },       -- in no time
    } do
        lu.assertEquals(selection.fits(case[2], case[3]), case[1], case[2] .. " " .. case[3]:sub(1, 9))
    end
end

function TestSelection.test_what_is_selected_and_what_it_costs()
    for _, case in ipairs {                  -- ids, in the order of their names; looks; select; exclude
        { "fbacde", 0, {} },
        { "ba",     0, { "name=dev-*" } },
        { "ba",     0, { "tenant=t-1,name=dev-*" } },
        { "a",      0, { "name=dev-*,cloud=aws" } },
        { "",       0, { "name=DEV-*" } },
        { "bac",    0, { "name=dev-*", "name=prod? main" } },    -- the ? stands for a comma
        { "b",      0, { "id=*b" } },
        { "bac",    0, { "name=*" }, { "name=twin", "cloud=azure" } },
        { "b",      0, { "name=dev-*" }, { "cloud=aws,tenant=t-1" } },
        { "a",      2, { "name=dev-*,status=running" } },        -- only where the rest fits
        { "b",      2, { "name=dev-*,status=PAUSED" } },
        { "d",      6, { "status=loading failed" } },
        { "ace",    6, { "memory=8" } },
        { "bace",   6, { "memory=*GB" } },
        { "acd",    6, { "region=eu-west-1" } },
        { "ba",     6, { "type=enterprise-db" } },
        { "bac",    4, { "name=dev-*", "type=business-*" } },
        { "b",      2, { "name=dev-*" }, { "status=running" } },
        { "ba",     0, { "name=dev-*" }, { "name=prod*,status=running" } },
        { "",       2, { "name=twin,status=running", "name=x*" }, { "id=*e" }, 1 },
    } do
        gets = 0
        local list = selection.list(case[3], case[4] or {})
        local what = table.concat(case[3], " or ")
        lu.assertEquals(ids(list), case[1], what)
        lu.assertEquals(gets, case[5] or case[2], what .. ": requests")
    end
end

function TestSelection.test_failed_looks()
    refusal = "forbidden"
    local ok, err = pcall(selection.list, { "status=running" }, {})
    lu.assertEquals({ ok, err.kind }, { false, "forbidden" })
    gets, refusal = 0, nil
    local looked = selection.look(selection.list({ "id=*f", "id=*a,status=running" }, {}))
    lu.assertEquals({ ids(looked), selection.looked(looked[1]), selection.looked(looked[2]) }, { "fa", false, true })
    lu.assertEquals(gets, 2)                 -- nothing is looked at twice
end

function TestSelection.test_wrong_criteria()
    for _, case in ipairs {
        { "did you mean name?",     "nam=x" },
        { "did you mean status?",   "statsu=x" },
        { "known are: name id",     "colour=blue" },
        { "expected KEY=PATTERN",   "dev-*" },
        { "expected KEY=PATTERN",   "" },
        { "expected KEY=PATTERN",   "name=" },
        { "expected KEY=PATTERN",   "name=a,,id=b" },
        { "expected KEY=PATTERN",   "name=prod, main" },
    } do
        refused("usage", case[1], selection.list, { case[2] }, {})
        lu.assertStrContains(refused("usage", case[1], selection.list, {}, { case[2] }).message, "--exclude")
    end
end

function TestSelection.test_names()
    for _, case in ipairs {
        { "a",  "0000000a" },                -- an id, though also a name
        { "ba", "dev-a", "dev-b" }, { "a", "dev-b", "0000000a", "dev-b" }, { "c", "prod, main" },
    } do
        lu.assertEquals(ids(selection.of(args { instance = { table.unpack(case, 2) } })), case[1])
    end
    local err = refused("usage", "2 instances are named twin", selection.of, args { instance = { "dev-a", "twin" } })
    lu.assertStrContains(err.message, "0000000d (project t-1), 0000000e (project t-2)")
    refused("not_found", "dev, 12345678", selection.of, args { instance = { "dev", "dev-a", "12345678" } })
    refused("not_found", "Dev-a", selection.of, args { instance = { "Dev-a" } })
    lu.assertEquals(ids(selection.of(args { instance = { "12345678", "dev-a" } }, true)), "8b")
    refused("not_found", "gone", selection.of, args { instance = { "gone" } }, true)
    lu.assertEquals({ selection.id "dev-a", selection.id "12345678", selection.id "no-name" },
        { "0000000b", "12345678", "no-name" })
    refused("usage", "2 instances", selection.id, "twin")
    refused("not_found", "no name", selection.id, "no name")
end

function TestSelection.test_limits()
    lu.assertEquals(ids(selection.of(args { select = { "name=dev-*" }, limit = 2 })), "ba")
    refused("usage", "2 instances fit name=dev-*, more than --limit 1", selection.of,
        args { select = { "name=dev-*" }, limit = 1 })
    refused("usage", "no instance fits name=x or id=y", selection.of, args { select = { "name=x", "id=y" } })
    refused("usage", "--exclude goes with --select", selection.of, args { instance = { "a" }, exclude = { "id=x" } })
    refused("usage", "--limit goes with --select", selection.of, args { instance = { "dev-a" }, limit = 3 })
end

if arg[-1] then                              -- under plain Lua; inside halo, run.lua does it
    os.exit(lu.LuaUnit.run())
end
