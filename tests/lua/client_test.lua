-- The client against a server that answers anything: token, headers, retries, errors, waits.
local lu = require "luaunit"
local aura = require "aura"
local server = require "server"
local task = require "task"

local failure = server.failure
local GET = "GET /v1/instances/3fa29c1e"
local PATH = "/v1/instances/3fa29c1e"
local s, c

local function instance(status, more)
    local t = { id = "3fa29c1e", name = "orders", status = status }
    for k, v in pairs(more or {}) do
        t[k] = v
    end
    return { 200, { data = t } }
end

local function errors(status, reason, message, headers)
    return { status, { errors = { { message = message or "no", reason = reason } } }, headers }
end

local Case = {}
function Case:setUp()
    s = server.start()
    c = s.client
end
function Case:tearDown()
    s:stop()
end

TestToken = setmetatable({ setUp = Case.setUp, tearDown = Case.tearDown }, nil)

function TestToken:test_is_fetched_once_for_many_waiting_calls()
    s.routes[GET] = instance("running")
    task.all({ 1, 2, 3, 4, 5 }, function() return c:get("3fa29c1e") end)
    c:get("3fa29c1e")
    lu.assertEquals(s.tokens, 1)
    lu.assertEquals(s.requests[1].headers["authorization"], "Basic aWQ6czNjcjN0LXZhbHVl")
    lu.assertEquals(s.requests[1].body, "grant_type=client_credentials")
    lu.assertEquals(s.requests[2].headers["authorization"], "Bearer tok-1")
end

function TestToken:test_is_renewed_once_on_401_and_403_and_the_call_replayed()
    for _, refused in ipairs { { 401, '{"error":"Key not authorized: token has expired"}' },
        errors(403, "forbidden") } do
        local before = s.tokens
        s.routes[GET] = { refused, instance("running") }
        lu.assertEquals(c:get("3fa29c1e").status, "running")
        lu.assertEquals(s.tokens, math.max(before, 1) + 1)
    end
end

function TestToken:test_a_post_is_replayed_after_401_too()
    s.routes["POST " .. PATH .. "/pause"] = { { 401, "" }, { 202, { data = { status = "pausing" } } } }
    lu.assertEquals(c:pause("3fa29c1e").status, "pausing")
    lu.assertEquals(s:count("POST", PATH .. "/pause"), 2)
end

function TestToken:test_a_second_403_is_a_missing_permission()
    s.routes[GET] = errors(403, "forbidden", "not yours")
    local err = failure(c.get, c, "3fa29c1e")
    lu.assertEquals({ err.kind, err.status, err.reason, err.message }, { "forbidden", 403, "forbidden", "not yours" })
    lu.assertEquals(s:count("GET", PATH), 2)
end

function TestToken:test_a_wrong_secret_is_said_and_never_shown()
    s.routes["POST /oauth/token"] = { 401, '{"error":"access_denied","error_description":"Unauthorized"}' }
    local err = failure(c.get, c, "3fa29c1e")
    lu.assertEquals(err.kind, "auth")
    lu.assertStrContains(tostring(err), "access_denied: Unauthorized")
    lu.assertStrContains(err.hint, "AURA_CLIENT_SECRET")
    lu.assertNotStrContains(tostring(err), "s3cr3t")
    lu.assertEquals(#s.requests, 1)
end

function TestToken:test_an_answer_without_a_token()
    for _, body in ipairs { "{}", "<html>", '{"access_token":"a b"}', '{"access_token":7}', "" } do
        s.routes["POST /oauth/token"] = { 200, body }
        local err = failure(c.get, c, "3fa29c1e", { timeout = 3 })
        lu.assertEquals(err.kind, "api", body)
        lu.assertStrContains(err.message, "without an access_token")
    end
end

TestConnections = { setUp = Case.setUp, tearDown = Case.tearDown }

local function get_at_once(n)
    local all = {}
    for i = 1, n do
        all[i] = i
    end
    task.all(all, function() return c:get("3fa29c1e") end)
end

function TestConnections:test_are_8_and_stay_open_between_calls()
    s.routes[GET] = instance("running")
    for _ = 1, 3 do
        for _ = 1, 40 do           -- one at a time: curl by itself would close all but four
            c:get("3fa29c1e")
        end
        get_at_once(20)
    end
    lu.assertEquals(s.http.connections, 8)
end

function TestConnections:test_are_more_where_answers_take_their_time()
    s.routes[GET] = function()     -- one after the other: with eight at once each takes 200 ms
        task.sleep(0.025)
        return 200, { data = { id = "3fa29c1e", status = "running" } }
    end
    get_at_once(50)
    lu.assertEquals(s.http.connections, 24)
end

TestRequests = { setUp = Case.setUp, tearDown = Case.tearDown }

function TestRequests:test_headers_and_bodies()
    s.routes[GET] = instance("running")
    s.routes["POST " .. PATH .. "/pause"] = { 202, { data = {} } }
    s.routes["PATCH " .. PATH] = { 202, "" }
    c:get("3fa29c1e")
    c:pause("3fa29c1e")
    lu.assertEquals(c:patch("3fa29c1e", { memory = "16Gi", storage = 32 }), {})
    local get, pause, patch = s.requests[2], s.requests[3], s.requests[4]
    lu.assertStrMatches(get.headers["user-agent"], "halo/%d+%.%d+%.%d+")
    lu.assertNil(get.headers["content-type"])
    lu.assertEquals(pause.headers["content-type"], "application/json")
    lu.assertEquals(pause.body, "{}")
    lu.assertEquals(patch.headers["content-type"], "application/json")
    lu.assertEquals(patch.body, '{"memory":"16GB","storage":"32GB"}')
end

function TestRequests:test_every_spelling_of_a_size_is_sent_in_one_form()
    s.routes["PATCH " .. PATH] = { 202, "" }
    for _, size in ipairs { 8, "8", "8G", "8GB", "8Gi" } do
        c:patch("3fa29c1e", { memory = size })
        lu.assertEquals(s.requests[#s.requests].body, '{"memory":"8GB"}', tostring(size))
    end
end

function TestRequests:test_bad_input_is_refused_before_any_request()
    local good = { name = "a", type = "enterprise-db", region = "r", cloud_provider = "aws", memory = "8GB",
        tenant_id = "t" }
    local function with(field, value)
        local t = {}
        for k, v in pairs(good) do t[k] = v end
        t[field] = value
        return t
    end
    local NIL = {}
    local cases = {
        { c.get }, { c.get, NIL }, { c.get, 7 }, { c.get, "" }, { c.get, "../x" }, { c.get, "a/b" }, { c.get, "a b" },
        { c.get, ("a"):rep(100) }, { c.get, "abc", { timeout = -1 } }, { c.get, "abc", { tmeout = 1 } },
        { c.get, "abc", { retry = 1 } }, { c.get, "abc", { retry = "no" } }, { c.get, "abc", { retry = { 3 } } },
        { c.get, "abc", { retry = { attempts = 0 } } }, { c.get, "abc", { retry = { attempts = 101 } } },
        { c.get, "abc", { retry = { attempts = 2.5 } } }, { c.get, "abc", { retry = { attempts = "2" } } },
        { c.get, "abc", { retry = { conflict = 0 } } }, { c.get, "abc", { retry = { after_max = 0 } } },
        { c.get, "abc", { retry = { after_max = "1" } } }, { c.get, "abc", { retry = { atempts = 1 } } },
        { c.patch, "abc" }, { c.patch, "abc", {} }, { c.patch, "abc", { memory = "8TB" } },
        { c.patch, "abc", { memory = 0 } }, { c.patch, "abc", { memory = 1.5 } }, { c.patch, "abc", { memroy = 8 } },
        { c.patch, "abc", { name = "" } }, { c.patch, "abc", { name = " a" } },
        { c.patch, "abc", { name = ("x"):rep(31) } },
        { c.patch, "abc", { vector_optimized = "true" } }, { c.patch, "abc", { secondaries_count = 16 } },
        { c.patch, "abc", { "memory" } },
        { c.create }, { c.create, with("name", nil) }, { c.create, with("region", "") },
        { c.create, with("status", "x") },
        { c.snapshot.get, "abc" }, { c.snapshot.list, "abc", { date = "yesterday" } },
        { c.list, { tenant = "x" } },
        { c.wait_for_status, "abc" }, { c.wait_for_status, "abc", {} },
        { c.wait_for_status, "abc", "running", { intervall = 1 } },
        { c.request, "GET", "no-slash" }, { c.request, "GET", "/a/../b" }, { c.request, "GET", "/a b" },
        { c.request, "POST", "/v1/instances/abc/overwrite/" }, { c.request, "POST", "/v1//instances" },
        { c.request, "POST", "/v1/instances/abc/%6Fverwrite" }, { c.request, "GET", "/v1", nil, { tmeout = 1 } },
    }
    for i, case in ipairs(cases) do
        local args = table.pack(table.unpack(case, 2))
        if args[1] == NIL then args[1] = nil end
        local err = failure(case[1], c, table.unpack(args, 1, args.n))
        lu.assertEquals(err.kind, "usage", "case " .. i .. ": " .. tostring(err))
    end
    lu.assertEquals(#s.requests, 0)
    local err = failure(c.patch, c, "abc", { memroy = 8 })
    lu.assertStrContains(err.message, "memroy")
    lu.assertStrContains(err.message, "memory")
end

function TestRequests:test_results_are_plain()
    s.routes[GET] = { 200, '{"data":{"id":"3fa29c1e","secondaries_count":2,"big":9007199254740991,"half":0.5,' ..
        '"gone":null,"new_field":{"a":[1,2]},"empty":[]}}' }
    local t, response = c:get("3fa29c1e")
    lu.assertEquals(math.type(t.secondaries_count), "integer")
    lu.assertEquals(math.type(t.big), "integer")
    lu.assertEquals(t.half, 0.5)
    lu.assertNil(t.gone)
    lu.assertEquals(t.new_field.a, { 1, 2 })
    lu.assertEquals(#t.empty, 0)
    lu.assertEquals({ response.status, response.attempts }, { 200, 1 })
    lu.assertEquals(response.request_id, "0123456789abcdef0123456789abcdef/42")
    lu.assertStrContains(response.body, '"gone":null')
end

function TestRequests:test_query_and_nested_names()
    s.routes["GET /v1/instances"] = { 200, { data = {} } }
    s.routes["GET " .. PATH .. "/snapshots"] = { 200, { data = {} } }
    c:list { tenant_id = "6b1f-x" }
    lu.assertEquals(s.requests[2].query, { tenantId = "6b1f-x" })
    c.snapshot:list("3fa29c1e", { date = "2026-02-26" })
    lu.assertEquals(s.requests[3].query, { date = "2026-02-26" })
    lu.assertEquals(#c.try.snapshot:list("3fa29c1e"), 0)
end

function TestRequests:test_try_returns_what_would_be_raised()
    local value, err = c.try:get("ffffffff")
    lu.assertNil(value)
    lu.assertEquals(err.kind, "not_found")
    value, err = c.try:get("no/id")
    lu.assertNil(value)
    lu.assertEquals(err.kind, "usage")
    local t = task.spawn(function() return c.try:wait_for_status("3fa29c1e", "paused") end)
    s.routes[GET] = instance("running")
    task.sleep(0.05)
    t:cancel()
    lu.assertEquals(failure(t.wait, t).kind, "cancelled") -- an interrupt is never only returned
end

TestErrors = { setUp = Case.setUp, tearDown = Case.tearDown }

function TestErrors:test_every_status_has_its_kind()
    local kinds = {
        [400] = "invalid", [402] = "forbidden", [404] = "not_found", [405] = "forbidden", [409] = "conflict",
        [410] = "not_found", [415] = "invalid", [420] = "invalid", [422] = "invalid", [429] = "rate_limited",
        [500] = "api", [501] = "api", [502] = "api", [503] = "api", [504] = "api", [418] = "api" }
    for status, kind in pairs(kinds) do
        for _, body in ipairs { '{"errors":[{"message":"the text","reason":"the-reason","field":"memory"}]}',
            '{"error":"the text"}', "the text", "", "<html><body>the text</body></html>", '{"errors":[{"mess' } do
            s.routes[GET] = { status, body }
            -- a client of its own: a 429 holds back what its client sends next
            local own = aura.auth { base_url = s.url, client_id = "id", client_secret = "secret" }
            local err = failure(own.get, own, "3fa29c1e", { retry = false })
            lu.assertEquals({ err.kind, err.status }, { kind, status }, status .. " " .. body)
            lu.assertEquals(err.op, "get")
            lu.assertEquals(err.id, "3fa29c1e")
            lu.assertStrContains(tostring(err), "0123456789abcdef")
            if body:find("errors", 1, true) == 3 and body:sub(-1) == "}" then
                lu.assertEquals({ err.message, err.reason, err.field }, { "the text", "the-reason", "memory" })
                lu.assertEquals(err.errors[1].reason, "the-reason")
            elseif body:find("^<") then
                lu.assertStrContains(err.message, "HTML page")
            end
        end
    end
end

function TestErrors:test_a_success_that_is_no_json()
    for _, body in ipairs { "<html>", '{"data":{"id":"3fa', "", "null", "[1]" } do
        s.routes[GET] = { 200, body }
        if body ~= "[1]" then
            lu.assertEquals(failure(c.get, c, "3fa29c1e").kind, "api", body)
        end
    end
    s.routes["POST /v1/instances"] = { 202, '{"data":{"id":"new00001","password":"pw' }
    local err = failure(c.create, c, { name = "a", type = "t", region = "r", cloud_provider = "aws", memory = 8,
        tenant_id = "t" })
    lu.assertEquals(err.kind, "ambiguous")
    lu.assertEquals(err.body, '{"data":{"id":"new00001","password":"pw') -- kept for the one who must not lose it
    lu.assertNotStrContains(tostring(err), "pw")
    lu.assertEquals(s:count("POST", "/v1/instances"), 1)
end

function TestErrors:test_control_characters_of_a_server_do_not_reach_the_terminal()
    s.routes[GET] = { 409, '{"errors":[{"message":"a\\u001b[31mb\\u0007","reason":"x\\ny"}]}' }
    local text = tostring(failure(c.get, c, "3fa29c1e", { retry = false }))
    lu.assertNil(text:find("%c"))
end

function TestErrors:test_a_body_without_end_is_cut_off()
    local chunk = ("x"):rep(1024 * 1024)
    s.routes[GET] = function() return 200, chunk:rep(50) end
    local err = failure(c.get, c, "3fa29c1e", { retry = false })
    lu.assertEquals(err.kind, "api")
    lu.assertStrContains(err.message, "larger than 16 MB")
end

function TestErrors:test_the_network_fails()
    local nobody = aura.auth { base_url = "http://127.0.0.1:1", client_id = "a", client_secret = "b" }
    local err = failure(nobody.get, nobody, "3fa29c1e")
    lu.assertEquals(err.kind, "transport")
    lu.assertStrContains(err.message, "127.0.0.1")
    s.routes[GET] = function() task.sleep(30) return 200, "{}" end
    err = failure(c.get, c, "3fa29c1e", { timeout = 0.2, retry = false })
    lu.assertTrue(err.kind == "transport" or err.kind == "timeout", err.kind)
end

function TestErrors:test_get_is_sent_again_post_is_not()
    s.routes[GET] = { { 503, "" }, instance("running") }
    local _, response = c:get("3fa29c1e")
    lu.assertEquals(response.attempts, 2)
    s.routes["POST " .. PATH .. "/pause"] = { 502, "<html>" }
    lu.assertEquals(failure(c.pause, c, "3fa29c1e").kind, "ambiguous")
    lu.assertEquals(s:count("POST", PATH .. "/pause"), 1)
end

function TestErrors:test_429_holds_and_repeats_any_method()
    s.routes["POST " .. PATH .. "/pause"] = { { 429, '{"error":"Rate limit exceeded"}', { ["Retry-After"] = "1" } },
        { 202, { data = {} } } }
    local _, response = c:pause("3fa29c1e")
    lu.assertEquals(response.attempts, 2)
end

TestWait = { setUp = Case.setUp, tearDown = Case.tearDown }

local function wait(want, options)
    options = options or {}
    options.interval = options.interval or 0.01
    options.timeout = options.timeout or 30
    return c:wait_for_status("3fa29c1e", want, options)
end

function TestWait:test_until_one_of_several_and_case_does_not_matter()
    s.routes[GET] = { instance("Pausing"), instance("PAUSED") }
    lu.assertEquals(wait({ "running", "paused" }).status, "PAUSED")
end

function TestWait:test_deleted_means_404_and_410()
    for _, status in ipairs { 404, 410 } do
        s.routes[GET] = { instance("destroying"), errors(status, "db-not-found") }
        lu.assertNil(wait("deleted"))
    end
end

function TestWait:test_a_404_right_after_create_is_survived()
    s.routes["POST /v1/instances"] = { 202, { data = { id = "3fa29c1e", password = "p" } } }
    c:create { name = "a", type = "t", region = "r", cloud_provider = "aws", memory = 8, tenant_id = "t" }
    s.routes[GET] = { errors(404, "db-not-found"), instance("creating"), instance("running") }
    lu.assertEquals(wait("running").status, "running")
end

function TestWait:test_a_running_that_lags_is_not_believed()
    s.routes["PATCH " .. PATH] = { 202, "" }
    c:patch("3fa29c1e", { memory = 16 })
    s.routes[GET] = { instance("running", { memory = "8GB" }), instance("updating"),
        instance("running", { memory = "16GB" }) }
    lu.assertEquals(wait("running").memory, "16GB")
end

function TestWait:test_a_status_that_cannot_lead_there_fails_at_once()
    for _, status in ipairs { "loading failed", "suspended", "destroying" } do
        s.routes[GET] = instance(status)
        local err = failure(wait, "running")
        lu.assertEquals(err.kind, "failed", status)
        lu.assertStrContains(err.message, status)
    end
end

function TestWait:test_an_unknown_status_is_waited_through()
    s.routes[GET] = { instance("frobnicating"), instance("frobnicating"), instance("running") }
    lu.assertEquals(wait("running").status, "running")
end

function TestWait:test_changes_are_told_and_the_callback_may_wait()
    s.routes[GET] = { instance("creating"), instance("creating"), instance("running") }
    local told = {}
    wait("running", { on_change = function(status, previous, seconds)
        task.sleep(0.001)
        told[#told + 1] = status .. "<" .. tostring(previous)
        lu.assertTrue(seconds >= 0)
    end })
    lu.assertEquals(told, { "creating<nil", "running<creating" })
end

function TestWait:test_it_times_out_with_what_it_last_saw()
    s.routes[GET] = instance("updating")
    local err = failure(wait, "running", { timeout = 0.1 })
    lu.assertEquals(err.kind, "timeout")
    lu.assertStrContains(err.message, "updating")
end

function TestWait:test_a_failing_look_does_not_end_it()
    s.routes[GET] = { instance("creating"), { 400, "{}" } }
    lu.assertEquals(failure(wait, "running").kind, "invalid")
    s.routes[GET] = { instance("creating"), { 502, "<html>" }, instance("running") }
    lu.assertEquals(wait("running").status, "running")
end

function TestWait:test_an_unknown_id_is_not_waited_for_long()
    s.routes[GET] = errors(404, "db-not-found", "DB not found: 3fa29c1e")
    local err = failure(wait, "running")
    lu.assertEquals(err.kind, "not_found")
    lu.assertStrContains(err.message, "DB not found")
end
