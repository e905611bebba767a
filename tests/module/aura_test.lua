-- require "aura" in Lua's own interpreter, against a sandbox: the same calls and errors as in halo, but each wait
-- blocks. Run by tests/e2e/module.sh.
local early = coroutine.create(function(id) -- older than the module: its thread must find the host as well
    coroutine.yield(require "aura".get(id).name)
    return require "aura".get(id).status
end)

local lu = require "luaunit"
local aura = require "aura"
local json = require "aura.json"

local PRO, FREE, GONE = "3fa29c1e", "52d7a3e9", "00000000"
local ORDER = { name = "from-lua", type = "professional-db", cloud_provider = "aws", region = "us-east-1",
    memory = 8, version = "5", tenant_id = "6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44" }

local function raised(fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok)
    return err
end

TestCalls = {}

function TestCalls.test_a_value_and_its_response()
    local inst, response = aura.get(PRO)
    lu.assertEquals({ inst.id, inst.name, inst.status }, { PRO, "orders-prod", "running" })
    lu.assertEquals({ response.status, response.attempts, type(response.request_id) }, { 200, 1, "string" })
    lu.assertEquals(json.decode(response.body).data, inst)
    lu.assertTrue(#aura.list() >= 6)
    lu.assertEquals(#aura.snapshot.list(PRO), 2)
    lu.assertEquals(aura.request("GET", "/v1/instances/" .. PRO), inst)
end

-- From its creation to its deletion, with a wait at each step.
function TestCalls.test_the_life_of_an_instance()
    local seen = {}
    local watch = { interval = 0.05, on_change = function(status, previous, seconds)
        lu.assertEquals(previous, seen[#seen])
        lu.assertTrue(seconds >= 0)
        lu.assertEquals(aura.get(PRO).id, PRO) -- a wait within a wait
        seen[#seen + 1] = status
    end }
    local made = aura.create(ORDER)
    lu.assertNotNil(made.password)
    lu.assertEquals(aura.wait_for_status(made.id, "running", watch).name, "from-lua")
    lu.assertEquals(seen, { "creating", "running" })
    seen = {}
    aura.pause(made.id)
    lu.assertEquals(aura.wait_for_status(made.id, { "paused", "deleted" }, watch).status, "paused")
    lu.assertEquals(seen, { "pausing", "paused" })
    seen = {}
    aura.delete(made.id) -- nobody is asked
    lu.assertNil(aura.wait_for_status(made.id, "deleted", watch))
    lu.assertEquals(seen, { "destroying", "deleted" })
end

function TestCalls.test_methods_of_a_client()
    local client = aura.auth {}
    lu.assertEquals(client:get(PRO).id, PRO)
    lu.assertEquals(#client.snapshot:list(PRO), 2)
    lu.assertEquals(client:wait_for_status(PRO, "running").id, PRO)
    local nothing, err = client.try:get(GONE)
    lu.assertNil(nothing)
    lu.assertEquals(err.kind, "not_found")
end

TestErrors = {}

function TestErrors.test_a_table_that_says_it()
    local err = raised(aura.get, GONE)
    lu.assertEquals({ err.kind, err.status, err.op, err.id, err.method }, { "not_found", 404, "get", GONE, "GET" })
    lu.assertStrContains(tostring(err), "get " .. GONE .. ": 404 not_found: ")
    lu.assertStrContains(err.hint, "check the id")
    lu.assertEquals(type(err.request_id), "string")
end

function TestErrors.test_try_returns_them()
    local nothing, err = aura.try.pause(GONE)
    lu.assertNil(nothing)
    lu.assertEquals(err.kind, "not_found")
    lu.assertEquals(aura.try.get(PRO).id, PRO)
    lu.assertEquals(raised(aura.try.wait_for_status, PRO, "gone", { on_change = function() error("a bug", 0) end }),
        "a bug")
end

function TestErrors.test_usage()
    for _, call in ipairs {
        { aura.get }, { aura.get, 17 }, { aura.get, "../tenants" }, { aura.create, { nam = "x" } },
        { aura.wait_for_status, PRO }, { aura.wait_for_status, PRO, "running", { timeot = 1 } },
        { aura.auth, { profile = "x", client_id = "y" } }, { aura.request, "GET", "instances" },
    } do
        lu.assertEquals(raised(table.unpack(call)).kind, "usage")
    end
end

function TestErrors.test_a_wait_that_runs_out_of_time()
    local err = raised(aura.wait_for_status, PRO, "paused", { timeout = 0.2, interval = 0.1 })
    lu.assertEquals({ err.kind, err.id }, { "timeout", PRO })
end

TestWhereItBlocks = {}

function TestWhereItBlocks.test_coroutines()
    lu.assertEquals({ coroutine.resume(early, PRO) }, { true, "orders-prod" })
    lu.assertEquals({ coroutine.resume(early) }, { true, "running" })
    local names = {}
    for name in coroutine.wrap(function()
        for _, id in ipairs { PRO, FREE } do
            coroutine.yield(aura.wait_for_status(id, "running").name)
        end
    end) do
        names[#names + 1] = name
    end
    lu.assertEquals(names, { "orders-prod", "playground" })
    local ok, err = coroutine.resume(coroutine.create(aura.get), GONE)
    lu.assertEquals({ ok, err.kind }, { false, "not_found" })
end

-- Where halo has to refuse, as nothing can yield there.
function TestWhereItBlocks.test_inside_c_functions()
    local ids = { PRO, FREE }
    table.sort(ids, function(a, b) return aura.get(a).name > aura.get(b).name end)
    lu.assertEquals(ids, { FREE, PRO })
    lu.assertEquals((PRO:gsub("^.*$", function(id) return aura.get(id).name end)), "orders-prod")
    local name
    setmetatable({}, { __gc = function() name = aura.get(PRO).name end })
    collectgarbage()
    lu.assertEquals(name, "orders-prod")
    do
        local _ <close> = setmetatable({}, { __close = function() name = aura.get(FREE).name end })
    end
    lu.assertEquals(name, "playground")
end

TestTheModule = {}

function TestTheModule.test_loaded_twice()
    package.loaded.aura = nil
    local again = require "aura"
    package.loaded.aura = aura
    lu.assertNotIs(again, aura)
    lu.assertEquals(again.get(PRO), aura.get(PRO))
    lu.assertEquals(raised(again.get, GONE).kind, "not_found")
end

-- What is collected together with its client finds that it has ended.
function TestTheModule.test_a_client_that_has_been_collected()
    local kinds = {}
    local function leave()
        local client
        local _held = setmetatable({}, { __gc = function()
            kinds[1] = raised(client.get, client, PRO).kind
            kinds[2] = raised(client.wait_for_status, client, PRO, "running").kind
            kinds[3] = raised(function() return client.snapshot end).kind
        end })
        client = aura.auth {}
    end
    leave()
    collectgarbage()
    lu.assertEquals(kinds, { "usage", "usage", "usage" })
end

function TestTheModule.test_json()
    lu.assertEquals(json.encode { list = json.array(), null = json.null, n = 2 ^ 53 // 1 | 0 },
        '{"list":[],"n":9007199254740992,"null":null}')
end

os.exit(lu.LuaUnit.run(), true)
