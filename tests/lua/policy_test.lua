-- What a script may say of one call: how often it is sent, what it waits for and how long.
local lu = require "luaunit"
local server = require "server"

local GET, PATH = "GET /v1/instances/3fa29c1e", "/v1/instances/3fa29c1e"
local running = { 200, { data = { id = "3fa29c1e", status = "running" } } }
local s, c

TestPolicy = {}

function TestPolicy.setUp()
    s = server.start()
    c = s.client
end
function TestPolicy.tearDown()
    s:stop()
end

---A policy for one call: how often, what is waited for, and how long.
function TestPolicy.test_of_one_call()
    local POST = "POST " .. PATH .. "/pause"
    local ongoing = { 409, { errors = { { message = "no", reason = "ongoing-database-operation" } } } }
    local accepted = { 202, { data = {} } }
    -- options, the answers in turn, what comes of it, requests sent
    for i, case in ipairs {
        { { retry = { attempts = 2 } }, { { 502, "" }, { 502, "" }, running }, "api", 2 },
        { { retry = { attempts = 3 } }, { { 502, "" }, { 502, "" }, running }, "done", 3 },
        { { retry = { attempts = 1 } }, { { 502, "" }, running }, "api", 1 },
        { { retry = {} }, { { 502, "" }, running }, "done", 2 },
        { { retry = true }, { { 502, "" }, running }, "done", 2 },
        { { retry = false }, { { 401, "" }, running }, "done", 2 },     -- the token is no failure
        { { retry = { conflict = false } }, { ongoing, accepted }, "conflict", 1, POST },
        { { retry = { conflict = false } }, { { 429, "" }, accepted }, "done", 2, POST },
        { { retry = { attempts = 1 } }, { ongoing, accepted }, "done", 2, POST },  -- nor is a conflict
        { { retry = { after_max = 1 } }, { { 503, "", { ["Retry-After"] = "1" } }, running }, "done", 2 },
        { { retry = { after_max = 5 } }, { { 502, "" }, running }, "done", 2 },
    } do
        local name = "case " .. i
        local route = case[5] or GET
        s.routes[route] = case[2]
        local call = case[5] and c.try.pause or c.try.get
        local value, got = call(c, "3fa29c1e", case[1])
        lu.assertEquals(value and "done" or got.kind, case[3], name)
        lu.assertEquals(got.attempts, case[4], name)
        lu.assertEquals(s:count(route:match("^(%u+) (.*)$")), case[4], name)
        s.requests = {}
    end
end

---Retry-After is understood in both forms, whatever the status: what is not to be waited for fails at once.
function TestPolicy.test_retry_after()
    for _, status in ipairs { 429, 500, 502, 503, 504 } do
        for _, after in ipairs { "100", os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 100) } do
            local name = status .. ": " .. after
            s.routes[GET] = { status, "", { ["Retry-After"] = after } }
            local own = s:client_of_its_own()     -- a 429 holds back what its client sends next
            local err = server.failure(own.get, own, "3fa29c1e", { retry = { after_max = 90 } })
            lu.assertEquals({ err.kind, err.attempts }, { status == 429 and "rate_limited" or "api", 1 }, name)
            lu.assertStrContains(err.message, "a longer wait than this call allows")
            own = s:client_of_its_own()
            err = server.failure(own.get, own, "3fa29c1e", { timeout = 90, retry = { after_max = 110 } })
            lu.assertEquals(err.attempts, 1, name)
            lu.assertStrContains(err.message, "no time was left to try again")
        end
    end
end
