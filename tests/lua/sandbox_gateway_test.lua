-- The emulator's tokens, limits, gateway, switches and state.
-- No HTTP and no waiting: the test moves the clock.
-- Also runs under plain Lua: lua5.4 tests/lua/sandbox_gateway_test.lua
local lu = require "luaunit"

local here = arg[0]:match("^(.*)/") or "."
package.path = ("%s/?.lua;%s/../../stdlib/?.lua;%s/../../stdlib/?/init.lua;%s"):format(here, here, here, package.path)

local helper = require "sandbox_box"
local sandbox = require "sandbox"

local box, refused, created = helper.new, helper.refused, helper.created
local PRO, PAUSED, VDC, FREE = helper.PRO, helper.PAUSED, helper.VDC, helper.FREE
local BASIC, FORM = helper.BASIC, helper.FORM

TestTokens = {}

function TestTokens.test_a_token_is_given_for_good_credentials()
    local b = box()
    local status, body = b:login()
    lu.assertEquals(status, 200)
    lu.assertEquals(body.expires_in, 3600)
    lu.assertEquals(body.token_type, "bearer")
    lu.assertStrMatches(body.access_token, "eyJ[%w_-]+%.[%w_-]+%.[%w_-]+")
end

function TestTokens.test_every_wrong_request_for_a_token()
    local b = box()
    for _, case in ipairs {
        { 401, { ["content-type"] = FORM } },
        { 401, { authorization = "Basic c2FuZGJveDp3cm9uZw==", ["content-type"] = FORM } },
        { 400, { authorization = "Basic !", ["content-type"] = FORM } },
        { 400, { authorization = "Bearer x", ["content-type"] = FORM } },
        { 400, { authorization = BASIC, ["content-type"] = "application/json" } },
        { 403, { authorization = BASIC, ["content-type"] = FORM }, "grant_type=password" },
    } do
        local status, body = b:login(case[2], case[3])
        lu.assertEquals(status, case[1])
        lu.assertEquals(type(body.error), "string")
        lu.assertEquals(type(body.error_description), "string")
    end
    local status = b:send("POST", "/oauth/token", "", { authorization = BASIC, ["content-type"] = FORM })
    lu.assertEquals(status, 404)
end

function TestTokens.test_fifteen_tokens_an_hour()
    local b = box()                                         -- it took one
    for _ = 1, 14 do
        b:pass(60)
        lu.assertEquals(b:login(), 200)
    end
    local status, _, headers = b:login()
    lu.assertEquals(status, 429)
    lu.assertEquals(headers["Retry-After"], tostring(3600 - 14 * 60))
    b:pass(3600 - 14 * 60 - 1)
    lu.assertEquals(b:login(), 429)
    b:pass(1)
    lu.assertEquals(b:login(), 200)
    lu.assertEquals(b:login(), 429)
end

function TestTokens.test_missing_wrong_and_expired_tokens()
    local b = box { token_ttl = 100 }
    local path = "/v1/instances"
    local function try(header)
        local status, body = b:send("GET", path, "", { authorization = header })
        return status, body.error or body.errors[1].reason
    end
    lu.assertEquals({ try(nil) }, { 401, "Authorization field missing" })
    lu.assertEquals({ try("Token x") }, { 400, "Authorization field is not a bearer token" })
    lu.assertEquals({ try("Bearer nonsense") }, { 401, "Key not authorized" })
    lu.assertEquals(b:send("GET", path, "", { authorization = "bearer " .. b.token }), 200)
    b:pass(100)
    lu.assertEquals({ try("Bearer " .. b.token) }, { 401, "Key not authorized: token has expired" })
    b:change { switches = { expired = "403" } }
    lu.assertEquals({ try("Bearer " .. b.token) }, { 403, "token-expired" })
    b:login()
    lu.assertEquals(b:get("/instances"), 200)
    b:change { expire_tokens = true }
    lu.assertEquals(b:get("/instances"), 403)
end

function TestTokens.test_125_requests_a_minute_and_both_forms_of_retry_after()
    local b = box { switches = { rate = 125 } }
    for _ = 1, 125 do
        lu.assertEquals(b:get("/instances/" .. PRO), 200)
        b:pass(0.1)
    end
    local status, body, headers = b:get("/instances/" .. PRO)
    lu.assertEquals(status, 429)
    lu.assertEquals(body, { error = "Rate limit exceeded" })
    lu.assertEquals(headers["Retry-After"], "48")           -- 60 - 12.5, rounded up
    status, body, headers = b:get("/instances/" .. PRO)
    refused(429, "rate-limit-exceeded", status, body)
    lu.assertEquals(headers["Retry-After"], "Thu, 26 Feb 2026 12:01:01 GMT")
    b:pass(47.55)
    lu.assertEquals(b:get("/instances/" .. PRO), 200)
    lu.assertEquals(b:get("/instances/" .. PRO), 429)
end

TestGateway = {}

function TestGateway.test_paths_methods_bodies()
    local b = box()
    refused(404, "not-found", b:get("/nothing"))
    refused(404, "not-found", b:send("GET", "/"))
    refused(404, "not-found", b:get("/instances/" .. PRO .. "/pause/x"))
    refused(404, "not-found", b:get("/instances/"))
    refused(405, "method-not-allowed", b:send("PUT", "/v1/instances"))
    refused(400, "invalid-json", b:post("/instances", "{"))
    refused(400, "invalid-json", b:post("/instances", "[1]"))
    refused(400, "invalid-json", b:post("/instances", "7"))
end

function TestGateway.test_every_post_and_patch_needs_a_content_type()
    local b = box()
    local headers = { authorization = "Bearer " .. b.token }
    for _, case in ipairs { { "POST", "" }, { "POST", "/sizing" }, { "POST", "/" .. PRO .. "/pause" },
        { "PATCH", "/" .. PRO }, { "POST", "/" .. PRO .. "/snapshots" }, { "POST", "/" .. PRO .. "/upgrade" } } do
        lu.assertEquals(b:send(case[1], "/v1/instances" .. case[2], "", headers), 415)
    end
    for _, kind in ipairs { FORM, "application/jsonp", "text/plain" } do
        headers["content-type"] = kind
        lu.assertEquals(b:send("POST", "/v1/instances/" .. PRO .. "/pause", "", headers), 415)
    end
    headers["content-type"] = "Application/JSON; charset=utf-8"
    lu.assertEquals(b:send("POST", "/v1/instances/" .. VDC .. "/pause", "", headers), 202)
    lu.assertEquals(b:send("POST", "/_sandbox/state", "{}", {}), 200)
    lu.assertEquals(b:send("DELETE", "/v1/instances/" .. PRO, "", { authorization = "Bearer " .. b.token }), 202)
end

function TestGateway.test_lenient_takes_a_missing_content_type()
    local b = box { lenient = true }
    local headers = { authorization = "Bearer " .. b.token }
    lu.assertEquals(b:send("POST", "/v1/instances/" .. PRO .. "/pause", "", headers), 202)
    headers["content-type"] = FORM
    lu.assertEquals(b:send("POST", "/v1/instances/" .. PRO .. "/pause", "", headers), 415)
end

function TestGateway.test_request_ids()
    local b = box()
    local _, _, first = b:get("/instances")
    local _, _, second = b:get("/instances")
    local hex, number = first["X-Request-Id"]:match("^(%x+)/(%d+)$")
    lu.assertEquals(#hex, 32)
    lu.assertTrue(#number > 0)
    lu.assertNotEquals(first["X-Request-Id"], second["X-Request-Id"])
end

function TestGateway.test_a_fault_in_a_handler_is_a_500_and_is_told()
    local told
    local b = box { warn = function(text) told = text end }
    b.service.instances[PRO].snapshots = nil
    local status, body = b:get("/instances/" .. PRO .. "/snapshots")
    refused(500, "internal-error", status, body)
    lu.assertStrContains(told, "GET /v1/instances/3fa29c1e/snapshots")
    lu.assertEquals(b:get("/instances"), 200)
end

TestState = {}

function TestState.test_lag_and_busy_after()
    local b = box { switches = { running_lag = 20, busy_after = 5 } }
    local path = "/instances/" .. PRO
    lu.assertEquals(select(2, b:post(path .. "/pause")).data.status, "pausing")
    lu.assertEquals(b:status(PRO), "running")
    refused(409, "ongoing-database-operation", b:post(path .. "/pause"))
    b:pass(20)
    lu.assertEquals(b:status(PRO), "pausing")
    b:pass(72)
    lu.assertEquals(b:status(PRO), "paused")
    refused(409, "ongoing-database-operation", b:post(path .. "/resume"))
    b:pass(5)
    lu.assertEquals(b:post(path .. "/resume"), 202)
end

function TestState.test_the_other_switches()
    local b = box { switches = { patch_body = "empty", upgrade_status = 200, graph_counts = "number",
        creating_memory = "real", not_found_after_create = 0, expired = 403 } }
    lu.assertEquals((select(2, b:patch("/instances/" .. VDC, { storage = "128GB" }))), {})
    lu.assertEquals(b:post("/instances/" .. PRO .. "/upgrade"), 200)
    lu.assertEquals(select(2, b:get("/instances/" .. FREE)).data.graph_nodes, 1482)
    lu.assertEquals(select(2, b:get("/instances/" .. created(b).id)).data.memory, "8GB")
    local switches = require "sandbox.switches"
    lu.assertEquals(switches.read("expired=403, rate = 0"), { expired = "403", rate = "0" })
    lu.assertNil(switches.read("expired"))
    lu.assertStrContains(select(2, switches.set({}, { nonsense = 1 })), "unknown switch")
    lu.assertStrContains(select(2, switches.set({}, { expired = "500" })), "expected 401, 403")
    lu.assertNil((sandbox.new { now = os.time, switches = { rate = "many" } }))
    refused(400, "invalid-field", b:change { switches = { rate = "many" } })
end

function TestState.test_an_instance_is_put_into_any_state()
    local b = box()
    b:change { instances = { { id = PRO, status = "loading failed", hide = { "storage" } },
        { id = PAUSED, status = "updating" } } }
    local _, body = b:get("/instances/" .. PRO)
    lu.assertEquals({ body.data.status, body.data.storage, body.data.memory }, { "loading failed", nil, "8GB" })
    refused(409, "instance-action-unavailable", b:post("/instances/" .. PRO .. "/pause"))
    lu.assertEquals(b:delete("/instances/" .. PRO), 202)
    b:pass(100000)
    b:login()
    lu.assertEquals(b:status(PAUSED), "updating")
    refused(409, "ongoing-database-operation", b:delete("/instances/" .. PAUSED))
    refused(400, "missing-field", b:change { instances = { { name = "x" } } })
end

function TestState.test_state_shows_all_and_can_be_the_seed()
    local b = box()
    local made = created(b)
    b:pass(10)
    b:get("/instances/" .. made.id)
    local status, state = b:send("GET", "/_sandbox/state", "", {})
    lu.assertEquals(status, 200)
    lu.assertEquals(#state.instances, 7)
    lu.assertEquals(state.instances[7].password, made.password)
    lu.assertEquals(state.requests["GET /v1/instances/{id}"], 1)
    lu.assertEquals(state.requests["POST /oauth/token"], 1)
    lu.assertEquals(state.tokens, { valid = 1, issued = 1 })
    local again = box { seed = state }
    b:change { instances = { { id = PRO, deleted = true } } }
    lu.assertEquals(box { seed = select(2, b:send("GET", "/_sandbox/state")) }:status(PRO), 404)
    again:pass(10)
    lu.assertEquals(again:status(made.id), "creating")
    again:pass(206)
    lu.assertEquals(again:status(made.id), "running")
    b:change { reset_counters = true, replace = true, tenants = { { id = "t", name = "T" } } }
    lu.assertEquals(select(2, b:get("/instances")).data, {})
    lu.assertEquals(select(2, b:send("GET", "/_sandbox/state")).requests["GET /v1/instances/{id}"], nil)
end

function TestState.test_a_captured_configuration_is_a_seed()
    local b = box { seed = { data = { id = "abcd1234", name = "mine", status = "Running", type = "enterprise-db",
        tenant_id = "0f0f0f0f-0000-4000-8000-000000000000", cloud_provider = "aws", region = "mars-north-1",
        memory = "8G", storage = "24GB" } } }
    lu.assertEquals(b.service.main, "abcd1234")
    local _, body = b:get("/instances/abcd1234")
    lu.assertEquals({ body.data.status, body.data.memory, body.data.storage }, { "running", "8GB", "24GB" })
    lu.assertEquals(b:delete("/instances/abcd1234"), 202)
    created(b, { tenant_id = body.data.tenant_id, region = "mars-north-1", storage = "24GB" })
    lu.assertEquals(#select(2, b:get("/tenants")).data, 3)
    lu.assertNil((sandbox.new { now = os.time, seed = { foo = 1 } }))
end

function TestState.test_requests_are_answered_fast_enough()
    local b = box()
    local started, n = os.clock(), 2000
    local req = { method = "GET", path = "/v1/instances/" .. PRO, query = {}, body = "",
        headers = { authorization = "Bearer " .. b.token } }
    for _ = 1, n do
        b.service:handle(req)
    end
    lu.assertTrue((os.clock() - started) / n < 0.0005, "more than 0.5 ms a request")
end

-- Inside halo its runner starts the tests; under plain Lua this file does.
if not helper.inside then
    os.exit(lu.LuaUnit.run())
end
