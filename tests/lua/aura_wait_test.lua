-- Waits, tokens and limits, over real HTTP against the emulator, in its own time.
local lu = require "luaunit"
local aura = require "aura"
local helper = require "aura_box"
local task = require "task"

local failure = helper.failure
local PRO, PAUSED, CRITICAL, VDC = helper.PRO, helper.PAUSED, helper.CRITICAL, helper.VDC

---Waits; gives what comes of it and the statuses that were told on the way.
local function wait(b, id, want, step)
    local told = {}
    b.step = step or 30
    local value = b.c:wait_for_status(id, want, { interval = 0.01, timeout = 20, on_change = function(status)
        told[#told + 1] = status
    end })
    b.step = 0
    return value, told
end

TestWait = { tearDown = helper.stop }

function TestWait.test_after_create()
    local b = helper.start()
    local made, seen = b.c:create(helper.order()), {}
    b.step = 0.9                                     -- not found for two seconds
    local inst = b.c:wait_for_status(made.id, "running", { interval = 0.01, timeout = 20,
        on_change = function(status, previous)
            b.step = 60
            seen[#seen + 1] = status .. "<" .. tostring(previous)
        end })
    lu.assertEquals({ inst.status, inst.memory, inst.connection_url }, { "running", "8GB", made.connection_url })
    lu.assertNil(inst.password)
    lu.assertEquals(seen, { "creating<nil", "running<creating" })
    lu.assertEquals(b:answers(), { 202, 404, 404, 200, 200, 200, 200, 200 })
end

function TestWait.test_after_each_operation()
    local cases = {
        { "pause", PRO, nil, "paused", { "pausing", "paused" } },
        { "resume", PAUSED, nil, "running", { "resuming", "running" } },
        { "patch", PRO, { memory = 16 }, "running", { "updating", "running" }, { memory = "16GB" } },
        { "patch", VDC, { secondaries_count = 0 }, "running", { "updating", "running" }, { secondaries_count = 0 } },
        { "upgrade", PRO, nil, "running", { "updating", "running" }, { type = "business-critical" } },
        { "overwrite", CRITICAL, { source_instance_id = PRO }, "running", { "overwriting", "loading", "running" } },
    }
    for _, case in ipairs(cases) do
        local op, id, body, want, path, fields = table.unpack(case, 1, 6)
        local b = helper.start()
        lu.assertEquals(b.c[op](b.c, id, body).status, path[1], op)
        local inst, told = wait(b, id, want)
        lu.assertEquals(told, path, op)
        lu.assertEquals({ inst.id, inst.status, #inst.connection_url > 0 }, { id, want, true }, op)
        for name, value in pairs(fields or {}) do
            lu.assertEquals(inst[name], value, op)
        end
    end
end

function TestWait.test_after_restore()
    local b = helper.start()
    b.c.snapshot:restore(PRO, (b:snapshots(PRO)))
    local _, told = wait(b, PRO, "running")
    lu.assertEquals(told, { "restoring", "running" })
end

function TestWait.test_until_deleted()
    local b = helper.start()
    b.c:delete(PRO)
    local value, told = wait(b, PRO, "deleted")
    lu.assertNil(value)
    lu.assertEquals(told, { "destroying", "deleted" })
    lu.assertNil(b:record(PRO))
    value, told = wait(b, PRO, { "running", "deleted" })         -- it is so already
    lu.assertEquals({ value, told }, { nil, {} })
end

function TestWait.test_the_old_status_after_an_accepted_operation_is_not_believed()
    local cases = { { "patch", PRO, { memory = 16 }, "running", { "running", "updating", "running" } },
        { "pause", PRO, nil, "paused", { "running", "pausing", "paused" } },
        { "resume", PAUSED, nil, "running", { "paused", "resuming", "running" } },
        { "delete", PRO, nil, "deleted", { "running", "destroying", "deleted" } } }
    for _, case in ipairs(cases) do
        local op, id, body, want, path = table.unpack(case, 1, 5)
        local b = helper.start { switches = { running_lag = 40 } }
        b.c[op](b.c, id, body)
        local inst, told = wait(b, id, want, 15)
        lu.assertEquals(told, path, op)
        lu.assertEquals(inst and inst.memory, op == "patch" and "16GB" or inst and b:record(id).memory, op)
    end
end

function TestWait.test_several_statuses_in_any_case()
    local b = helper.start()
    b:put(PRO, { status = "Updating" })
    local _, told = wait(b, PRO, { "PAUSED", "UPDATING" })
    lu.assertEquals(told, { "Updating" })
    lu.assertEquals(aura.wait_for_status(PAUSED, { "running", "paused" }).status, "paused")
end

function TestWait.test_what_cannot_lead_there_ends_it()
    local ends = { ["loading failed"] = "loading failed", suspended = "suspended", destroying = "destroying" }
    for status, text in pairs(ends) do
        local b = helper.start()
        local made = b.c:create(helper.order { type = "professional-db", source_instance_id = PRO })
        b.step = 60
        local err = failure(b.c.wait_for_status, b.c, made.id, "running", { interval = 0.01, timeout = 20,
            on_change = function(now)
                if now == "loading" then
                    b:put(made.id, { status = status })
                end
            end })
        lu.assertEquals({ err.kind, err.id, err.op }, { "failed", made.id, "wait_for_status" })
        lu.assertStrContains(err.message, text)
        local value, again = b.c.try:wait_for_status(made.id, "running", { interval = 0.01, timeout = 20 })
        lu.assertEquals({ value, again.kind, again.message }, { nil, "failed", err.message })
    end
end

function TestWait.test_an_operation_that_does_not_end()
    local b = helper.start()
    b:put(PRO, { status = "updating" })
    local value, err = b.c.try:wait_for_status(PRO, "running", { interval = 0.01, timeout = 0.05 })
    lu.assertEquals({ value, err.kind }, { nil, "timeout" })
    lu.assertStrContains(err.message, "last seen updating")
    lu.assertStrContains(err.hint, "--timeout")
end

TestTokens = { tearDown = helper.stop }

function TestTokens.test_how_one_is_asked_for()
    local b = helper.start()
    b.c:get(PRO)
    b.c:get(PRO)
    local asked, first, second = table.unpack(b.log)
    lu.assertEquals({ asked.what, asked.status, #b.log, b:tokens() }, { "POST /oauth/token", 200, 3, 1 })
    lu.assertEquals({ asked.sent.authorization, asked.sent["content-type"], asked.body },
        { helper.BASIC, helper.FORM, "grant_type=client_credentials" })
    lu.assertEquals(second.sent.authorization, first.sent.authorization)
end

---How an expired token shows itself, and what is done about it, in both dialects.
function TestTokens.test_one_that_has_expired_is_renewed()
    for _, dialect in ipairs { 401, 403 } do
        local b = helper.start { token_ttl = 5, switches = { expired = dialect } }
        b.c:get(PRO)
        b:pass(5)
        local value, response = b.c:get(PRO)
        lu.assertEquals({ value.id, response.attempts, b:tokens() }, { PRO, 2, 2 })
        lu.assertEquals(b:answers(), { 200, dialect, 200 })
        b:pass(5)
        lu.assertEquals(b.c:pause(PRO).status, "pausing")          -- refused before anything was done, so sent again
        lu.assertEquals(b:answers(), { 200, dialect, 200, dialect, 202 })
        b:pass(5)
        lu.assertEquals(b.c.try:get(CRITICAL).id, CRITICAL)
        lu.assertEquals(b:tokens(), 4)
    end
end

function TestTokens.test_one_that_is_taken_back_early_is_renewed_once_for_all_calls()
    for _, dialect in ipairs { 401, 403 } do
        local b = helper.start { switches = { expired = dialect } }
        b.c:get(PRO)
        b:change { expire_tokens = true }
        local values = task.all({ PRO, PAUSED, CRITICAL, VDC }, function(id)
            return b.c:get(id)
        end)
        lu.assertEquals({ values[1].id, values[4].id, b:tokens() }, { PRO, VDC, 2 })
    end
end

function TestTokens.test_they_may_end_all_the_time_while_waiting()
    local b = helper.start { token_ttl = 30 }
    b.c:pause(PRO)
    local inst = wait(b, PRO, "paused", 15)
    lu.assertEquals(inst.status, "paused")
    lu.assertTrue(b:tokens() >= 3)
end

function TestTokens.test_a_secret_that_has_been_changed()
    local b = helper.start()
    b.c:get(PRO)
    b:change { clients = { sandbox = "another" }, expire_tokens = true }
    local err = failure(b.c.get, b.c, PRO)
    lu.assertEquals({ err.kind, err.status }, { "auth", 401 })
    lu.assertStrContains(err.message, "access_denied: Unauthorized")
    lu.assertStrContains(err.hint, "AURA_CLIENT_SECRET")
    local value, again = b.c.try:list()
    lu.assertEquals({ value, again.kind }, { nil, "auth" })
    lu.assertEquals(b:answers(), { 200, 401 })                     -- without a token nothing is sent
    lu.assertEquals(b:client("sandbox", "another"):get(PRO).id, PRO)
end

TestLimits = { tearDown = helper.stop }

---A box in which all but `left` of a minute's 125 requests have been used.
local function nearly_full(left)
    local b = helper.start { switches = { rate = 125 } }
    b.at = os.time()                             -- dates in answers are read by the real clock
    b:login()
    for _ = 1, 125 - left do
        lu.assertEquals(b:get("/instances/" .. PRO), 200)
    end
    return b
end

---Nothing more is sent by a client that was told to wait.
local function is_held(b, client)
    local _, before = b:last()
    local err = failure(client.get, client, PRO, { timeout = 0.05 })
    lu.assertEquals(err.kind, "timeout")
    lu.assertEquals(select(2, b:last()), before)
end

function TestLimits.test_125_requests_a_minute()
    local b = nearly_full(1)
    lu.assertEquals(b.c:get(PRO).id, PRO)
    local err = failure(b.c.pause, b.c, PRO, { retry = false })
    lu.assertEquals({ err.kind, err.status, err.reason, err.attempts }, { "rate_limited", 429, nil, 1 })
    lu.assertStrContains(err.message, "Rate limit exceeded")
    lu.assertStrContains(err.hint, "AURA_RATE")
    lu.assertEquals(b:last().headers["Retry-After"], "60")
    lu.assertEquals(b:record(PRO).status, "running")
    is_held(b, b.c)
    b:pass(60)
    lu.assertEquals(b:client():get(PRO).id, PRO)
end

function TestLimits.test_the_other_form_of_429()
    local b = nearly_full(0)
    b:get("/instances")                                            -- every other one says it with a date
    local value, err = b.c.try:pause(PRO, { retry = false })
    lu.assertEquals({ value, err.kind, err.status, err.reason },
        { nil, "rate_limited", 429, "rate-limit-exceeded" })
    lu.assertStrMatches(b:last().headers["Retry-After"], "%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT")
    is_held(b, b.c)
end

function TestLimits.test_every_client_has_its_own()
    local b = nearly_full(0)
    b:change { clients = { other = "secret" } }
    lu.assertEquals(b:client("other", "secret"):get(PRO).id, PRO)
end

function TestLimits.test_15_tokens_an_hour()
    local b = helper.start { switches = { token_rate = 15 } }
    for _ = 2, 15 do                             -- the box itself has one
        lu.assertEquals(b:login(), 200)
    end
    local err = failure(b.c.get, b.c, PRO)
    lu.assertEquals({ err.kind, err.status }, { "rate_limited", 429 })
    lu.assertStrContains(err.message, "cannot get a token: Rate limit exceeded")
    lu.assertStrContains(err.hint, "15 tokens an hour")
    lu.assertEquals({ #b.log, b.log[1].what, b.log[1].headers["Retry-After"] }, { 1, "POST /oauth/token", "3600" })
    b:pass(3600)
    lu.assertEquals(b.c:get(PRO).id, PRO)
end
