-- Faults on demand: the rules, what each does to the service, and (inside halo) what a client sees of it.
-- Also runs under plain Lua: lua5.4 tests/lua/sandbox_faults_test.lua
local lu = require "luaunit"

local here = arg[0]:match("^(.*)/") or "."
package.path = ("%s/?.lua;%s/../../stdlib/?.lua;%s/../../stdlib/?/init.lua;%s"):format(here, here, here, package.path)

local helper = require "sandbox_box"
local faults = require "sandbox.faults"
local json = require "json"
local sandbox = require "sandbox"

local refused, created = helper.refused, helper.created
local PRO, PAUSED, VDC = helper.PRO, helper.PAUSED, helper.VDC

-- A box with these faults in place.
local function box(...)
    local b = helper.new()
    assert(faults.add(b.service, { ... }))
    return b
end

-- The whole answer to a request without a body.
local function raw(b, method, path, body)
    return b.service:handle { method = method, path = "/v1" .. path, query = {}, body = body or "",
        headers = { authorization = "Bearer " .. b.token, ["content-type"] = "application/json" } }
end

local function counts(b)
    local list = {}
    for i, fault in ipairs(faults.list(b.service)) do
        list[i] = { fault.matched, fault.hits, fault.left }
    end
    return list
end

TestRules = {}

function TestRules.test_method_and_path()
    for _, case in ipairs {
        { "GET /v1/instances/* 500",         "GET",    "/instances/" .. PRO, 500 },
        { "get /v1/instances/* 500",         "GET",    "/instances/" .. PRO, 500 },
        { "GET /v1/instances/* 500",         "GET",    "/instances", 200 },
        { "GET /v1/instances/* 500",         "GET",    "/instances/" .. PRO .. "/snapshots", 200 },
        { "GET /v1/instances/** 500",        "GET",    "/instances/" .. PRO .. "/snapshots", 500 },
        { "GET * 500",                       "GET",    "/instances/" .. PRO .. "/snapshots", 500 },
        { "* /v1/*/3f* 500",                 "DELETE", "/instances/" .. PRO, 500 },
        { "POST /v1/instances/* 500",        "GET",    "/instances/" .. PRO, 200 },
        { "* /v1/inst.nces 500",             "GET",    "/instances", 200 },
    } do
        lu.assertEquals((raw(box(case[1]), case[2], case[3])), case[4], case[1] .. ", " .. case[3])
    end
end

function TestRules.test_times_and_after()
    local function answers(text)
        local b, list = box(text), {}
        for i = 1, 5 do
            list[i] = raw(b, "GET", "/instances")
        end
        return list, counts(b)[1]
    end
    lu.assertEquals({ answers("* * 503") }, { { 503, 503, 503, 503, 503 }, { 5, 5 } })
    lu.assertEquals({ answers("* * 503 x2") }, { { 503, 503, 200, 200, 200 }, { 5, 2, 0 } })
    lu.assertEquals({ answers("* * 503 after 3") }, { { 200, 200, 200, 503, 503 }, { 5, 2 } })
    lu.assertEquals({ answers("* * 503 x1 after 1") }, { { 200, 503, 200, 200, 200 }, { 5, 1, 0 } })
    lu.assertEquals({ answers("* * 503 after 1 x3") }, { { 200, 503, 503, 503, 200 }, { 5, 3, 0 } })
end

function TestRules.test_the_first_that_is_due_acts()
    local b = box("* * 502 x1; * * 503 x1", "* * 504 x1 after 2")
    local list = {}
    for i = 1, 5 do
        list[i] = raw(b, "GET", "/instances")
    end
    lu.assertEquals(list, { 502, 503, 504, 200, 200 })
end

function TestRules.test_what_is_not_a_rule()
    for text, message in pairs {
        ["GET"] = "is not METHOD PATH ACTION", ["GET /x"] = "is not METHOD PATH ACTION",
        ["G-T /x 500"] = "is not a method", ["GET x 500"] = "does not begin with /",
        ["GET /x 99"] = "not a status", ["GET /x 600"] = "not a status", ["GET /x 5000"] = "not a status",
        ["GET /x 500:xml"] = '"xml" says nothing', ["GET /x 429:seconds=soon"] = "says nothing",
        ["GET /x explode"] = 'unknown action "explode"', ["GET /x reset=5"] = "takes no value",
        ["GET /x drip=0"] = "from 1 to", ["GET /x drip"] = "expected a number", ["GET /x lag=-1"] = "expected a number",
        ["GET /x huge=nan"] = "expected a number", ["GET /x deep=1e9"] = "expected a number",
        ["GET /x status="] = "expected a status", ["GET /x 500 x2 after"] = "not a status",
        ["GET /x reset:acted"] = "unknown action", ["GET /x 500; GET"] = "METHOD PATH ACTION",
    } do
        local service = { faults = {} }
        local ok, said = faults.add(service, { text })
        lu.assertNil(ok, text)
        lu.assertStrContains(said, message)
        lu.assertEquals(service.faults, {})
    end
    lu.assertNil((sandbox.new { now = os.time, faults = { "nonsense" } }))
    lu.assertNotNil(sandbox.new { now = os.time, faults = { "GET * 500", " ; \n" } })
end

TestAnswers = {}

function TestAnswers.test_every_form_of_a_status()
    local function answer(action)
        local status, headers, text, transport = raw(box("* * " .. action), "GET", "/instances")
        lu.assertNil(transport)
        return status, headers, text
    end
    local status, headers, text = answer("500")
    refused(500, "internal-error", status, json.decode(text))
    lu.assertEquals(headers["Content-Type"], "application/json")
    lu.assertNotNil(headers["X-Request-Id"])
    refused(418, "teapot", 418, json.decode((select(3, answer("418:reason=teapot")))))
    lu.assertEquals(json.decode((select(3, answer("502:gateway")))), { error = "Bad Gateway" })
    status, headers, text = answer("502:html")
    lu.assertEquals({ status, headers["Content-Type"] }, { 502, "text/html" })
    lu.assertStrContains(text, "<h1>502 Bad Gateway</h1>")
    status, headers, text = answer("500:empty")
    lu.assertEquals({ status, headers["Content-Type"], text }, { 500, nil, "" })
    lu.assertFalse((pcall(json.decode, (select(3, answer("500:truncated"))))))
    lu.assertEquals(select(2, answer("429"))["Retry-After"], nil)
    lu.assertEquals(select(2, answer("429:seconds=30"))["Retry-After"], "30")
    lu.assertEquals(select(2, answer("429:gateway:date=30"))["Retry-After"], "Thu, 26 Feb 2026 12:00:30 GMT")
    lu.assertEquals(select(2, answer("503:retry=5"))["Retry-After"], "5")
    lu.assertEquals(select(2, answer("302:location=http://127.0.0.1:1/x:y"))["Location"], "http://127.0.0.1:1/x:y")
end

function TestAnswers.test_before_and_after_the_effect()
    for action, case in pairs {
        ["502"] = { "running" }, ["reset"] = { "running", "reset" }, ["hang=5"] = { "running", "hang" },
        ["502:acted"] = { "pausing" }, ["lost"] = { "pausing", "reset" }, ["hang=5:acted"] = { "pausing", "hang" },
        ["cut"] = { "pausing" }, ["length"] = { "pausing", "length" }, ["drip=9"] = { "pausing", "drip_ms" },
        ["huge=2"] = { "pausing", "pad" }, ["deep=9"] = { "pausing" },
    } do
        local b = box("POST * " .. action .. " x1")
        local status, _, _, transport = raw(b, "POST", "/instances/" .. PRO .. "/pause")
        lu.assertEquals(b:status(PRO), case[1], action)
        lu.assertEquals(next(transport or {}), case[2], action)
        if action:match("^502") then
            lu.assertEquals(status, 502)
        end
        lu.assertEquals(counts(b)[1], { 1, 1, 0 })
        local effects = case[1] == "pausing" and { ["POST /v1/instances/{id}/pause"] = 1 } or {}
        lu.assertEquals(b.service.effects, effects, action)
        lu.assertEquals(b.service.requests["POST /v1/instances/{id}/pause"], 1)
    end
end

function TestAnswers.test_what_is_sent()
    local path = "/instances/" .. PRO
    local whole = select(3, raw(box(), "GET", path))
    local function sent(action)
        local _, _, text, transport = raw(box("GET * " .. action), "GET", path)
        return text, transport
    end
    lu.assertEquals({ sent("cut") }, { whole:sub(1, #whole // 2) })
    lu.assertEquals({ sent("length") }, { whole:sub(1, #whole // 2), { length = #whole } })
    lu.assertEquals({ sent("drip=20") }, { whole, { drip_ms = 20 } })
    lu.assertEquals({ sent("huge=0.5") }, { whole, { pad = 1 << 19 } })
    lu.assertEquals({ sent("hang") }, { "", { hang = 600 } })
    lu.assertEquals(sent("deep=3"), '{"data":[[[]]]}')
end

function TestAnswers.test_a_refused_request_keeps_what_comes_after_the_effect()
    local b = box("POST * lost x1", "POST * stuck x1")
    refused(409, "instance-action-unavailable", b:post("/instances/" .. PRO .. "/resume"))
    lu.assertEquals(counts(b), { { 1, 0, 1 }, { 1, 0, 1 } })
    lu.assertNil(next(b.service.effects))
    lu.assertEquals(select(4, raw(b, "POST", "/instances/" .. PAUSED .. "/resume")), { reset = true })
    lu.assertEquals(counts(b), { { 2, 1, 0 }, { 2, 1, 0 } })
end

TestInstances = {}

function TestInstances.test_not_found_after_create()
    local b = box("POST /v1/instances notfound=100 x1")
    local id = created(b).id
    b:pass(99)
    lu.assertEquals(b:status(id), 404)
    b:pass(1)
    lu.assertEquals(b:status(id), "creating")
    local other = created(b, { name = "other" }).id
    b:pass(2)
    lu.assertEquals(b:status(other), "creating")
end

function TestInstances.test_lost_and_not_found_together()
    local b = box("POST /v1/instances lost x1", "POST /v1/instances notfound=50 x1")
    lu.assertEquals(select(4, raw(b, "POST", "/instances", json.encode(helper.order()))), { reset = true })
    lu.assertEquals(counts(b), { { 1, 1, 0 }, { 1, 1, 0 } })
    lu.assertEquals(b.service.effects["POST /v1/instances"], 1)
end

function TestInstances.test_lag_and_stuck()
    local b = box("POST /v1/instances/*/pause lag=30", "PATCH * stuck")
    lu.assertEquals(select(2, b:post("/instances/" .. PRO .. "/pause")).data.status, "pausing")
    lu.assertEquals(b:status(PRO), "running")
    b:pass(30)
    lu.assertEquals(b:status(PRO), "pausing")
    lu.assertEquals(b:patch("/instances/" .. VDC, { memory = "64GB", storage = "128GB" }), 202)
    b:pass(1e6)
    b:login()
    lu.assertEquals(b:status(VDC), "updating")
    refused(409, "ongoing-database-operation", b:delete("/instances/" .. VDC))
    b:change { instances = { { id = VDC, status = "running" } } }
    lu.assertEquals(b:delete("/instances/" .. VDC), 202)
end

function TestInstances.test_loading_failed_and_unknown_status()
    for _, action in ipairs { "loading failed x1", "loading-failed x1" } do
        local b = box("POST * " .. action, "GET * status=re-balancing slowly x1 after 1")
        local id = created(b).id
        b:pass(1000)
        lu.assertEquals(b:status(id), "loading failed")
        lu.assertEquals(b:status(id), "re-balancing slowly")
        lu.assertEquals(b:status(id), "loading failed")
    end
end

function TestInstances.test_empty_patch()
    local b = box("PATCH * empty-patch x1")
    lu.assertEquals(select(2, b:patch("/instances/" .. PRO, { name = "renamed" })), {})
    lu.assertEquals(select(2, b:get("/instances/" .. PRO)).data.name, "renamed")
    lu.assertEquals(select(2, b:patch("/instances/" .. PRO, { name = "again" })).data.name, "again")
end

function TestInstances.test_gone()
    local b = box("DELETE * gone")
    lu.assertEquals(b:delete("/instances/" .. PRO), 202)
    refused(410, "db-already-deleted", b:delete("/instances/" .. PRO))
    b:pass(1e5)
    b:login()
    refused(410, "db-already-deleted", b:delete("/instances/" .. PRO))
    refused(404, "db-not-found", b:delete("/instances/ffffffff"))
    lu.assertEquals(counts(b), { { 4, 2 } })
end

function TestInstances.test_expire_in_both_dialects()
    for dialect, reason in pairs { ["401"] = "Key not authorized: token has expired", ["403"] = "token-expired" } do
        local b = box("GET * expire x1 after 1")
        b:change { switches = { expired = dialect } }
        lu.assertEquals(b:get("/instances"), 200)
        for _ = 1, 2 do
            local status, body = b:get("/instances")
            lu.assertEquals({ tostring(status), body.error or body.errors[1].reason }, { dialect, reason })
        end
        b:login()
        lu.assertEquals(b:get("/instances"), 200)
    end
end

TestRoute = {}

function TestRoute.test_faults_are_set_and_shown_at_run_time()
    local b = helper.new()
    local function post(body)
        return b:send("POST", "/_sandbox/faults", body, {})
    end
    lu.assertEquals(post('["* * 503 x1", "GET * lost"]'), 200)
    lu.assertEquals(b:get("/instances"), 503)
    local _, state = b:send("GET", "/_sandbox/state", "", {})
    lu.assertEquals(state.faults, { { fault = "* * 503 x1", matched = 1, hits = 1, left = 0 },
        { fault = "GET * lost", matched = 1, hits = 0 } })
    lu.assertEquals(state.requests["GET /v1/instances"], 1)
    lu.assertEquals(select(2, b:send("GET", "/_sandbox/faults", "", {})).faults, state.faults)
    local _, shown = post { clear = true, faults = { "PATCH * stuck" } }
    lu.assertEquals(shown.faults, { { fault = "PATCH * stuck", matched = 0, hits = 0 } })
    refused(400, "invalid-field", post { clear = true, faults = { "PATCH * stuk" } })
    refused(400, "invalid-json", post("nonsense"))
    lu.assertEquals(#select(2, post("[]")).faults, 1)
    lu.assertEquals(select(2, post { clear = true }).faults, {})
    lu.assertEquals(b:get("/instances"), 200)
    lu.assertNotNil(sandbox.new { now = os.time, seed = state })
end

-- What a client sees. Inside halo only: the sandbox that --sandbox has started, asked with curl.
if helper.inside then
    local process = require "process"
    local base = os.getenv("AURA_BASE_URL")

    -- curl's exit code, status and body.
    local function curl(...)
        local result = process.run { timeout = 30, "curl", "-sS", "--noproxy", "*", "-w", "\n%{http_code}", ... }
        local text, status = result.stdout:match("^(.*)\n(%d+)$")
        return result.code, math.tointeger(status), text
    end

    local function set(...)
        local code, status = curl("-d", json.encode { clear = true, faults = { ... } }, base .. "/_sandbox/faults")
        assert(code == 0 and status == 200)
    end

    local function ask(...)
        local words = { base .. "/oauth/token", ... }
        return curl("-d", "grant_type=client_credentials", "-u", "sandbox:sandbox", table.unpack(words))
    end

    local function state()
        return json.decode((select(3, curl(base .. "/_sandbox/state"))))
    end

    TestWire = {}

    function TestWire.setUp()
        curl("-H", "Content-Type: application/json", "-d", '{"switches": {"token_rate": 0}}', base .. "/_sandbox/state")
    end

    function TestWire.tearDown()
        set()
    end

    function TestWire.test_reset_and_lost()
        local issued = state().tokens.issued
        set("POST /oauth/token reset x1", "POST /oauth/token lost x1")
        lu.assertEquals({ ask() }, { 56, 0, "" })              -- connection reset by peer
        lu.assertEquals(state().tokens.issued, issued)
        lu.assertEquals({ ask() }, { 56, 0, "" })
        lu.assertEquals(state().tokens.issued, issued + 1)
        lu.assertEquals(select(2, ask()), 200)
    end

    function TestWire.test_hang()
        set("POST * hang=0.3 x1", "POST * hang x1")
        lu.assertEquals(ask(), 56)
        lu.assertEquals(ask("-m", "0.3"), 28)                  -- the client gives up
        lu.assertEquals(select(2, ask()), 200)
    end

    function TestWire.test_bodies()
        set("POST * length x1", "POST * drip=1 x1", "POST * huge=0.25 x1", "POST * cut x1", "POST * 502:html x1")
        local code, status, text = ask()
        lu.assertEquals({ code, status }, { 18, 200 })         -- less than Content-Length promised
        lu.assertTrue(#text > 0)
        code, status, text = ask()
        lu.assertEquals({ code, status, json.decode(text).token_type }, { 0, 200, "bearer" })
        code, status, text = ask()
        lu.assertEquals({ code, status, json.decode(text:match("^%S+")).token_type }, { 0, 200, "bearer" })
        lu.assertEquals(#text:match(" *$"), 1 << 18)
        code, status, text = ask()
        lu.assertEquals({ code, status, (pcall(json.decode, text)) }, { 0, 200, false })
        lu.assertEquals(select(2, ask()), 502)
    end

    function TestWire.test_a_drip_that_nobody_waits_for()
        set("POST * drip=50 x1")
        lu.assertEquals(ask("-m", "0.3"), 28)
        lu.assertEquals(select(2, ask()), 200)
    end
else
    os.exit(lu.LuaUnit.run())
end
