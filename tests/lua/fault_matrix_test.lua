-- The fault matrix: every primitive against every fault. What comes of a call, how often it was sent and what it did
-- to the service must be what the table at the head of host/retry.h says; `verdict` is that table, written again.
-- Every cell has an emulator of its own behind real HTTP. Many run at a time, as some wait for a Retry-After.
local lu = require "luaunit"
local clock = require "clock"
local faults = require "sandbox.faults"
local helper = require "aura_box"
local json = require "json"
local task = require "task"

local PLATFORM, LABS, PRO, PAUSED = helper.PLATFORM, helper.LABS, helper.PRO, helper.PAUSED
local CRITICAL = helper.CRITICAL
local ONE = "/v1/instances/" .. PRO
local TOGETHER = 60                       -- cells at a time

-- Cells where the product is known to differ: "fault / METHOD" -> what it does.
local KNOWN = {}
-- libcurl itself sends a GET again, once, when a connection that was used before breaks without a byte of an answer;
-- `attempts` does not count that, and `retry = false` does not prevent it. On a new connection all is as in the table.
for _, fault in ipairs { "lost", "reset" } do
    KNOWN[fault .. " / GET"] = { kind = "transport", attempts = 1, requests = 2, effects = 0 }
    KNOWN[fault .. " x1 / GET"] = { kind = "value", attempts = 1, requests = 2, effects = 0 }
end

local snapshot, key_order, new_key = helper.snapshot, helper.key_order, helper.new_key

-- name, method, path of the fault, effect ("read", "change", "destroy"), arguments before the options; then `id`: the
-- instance it is about; `doing`: its status from then on; `shows`: a status is part of the answer; `matters`: the
-- answer holds what nobody can ask for again; `refuses`: 500 is a documented refusal here; `bare`: the body is given
-- as it is, whatever it holds; `empty`: it has no body; `long`: it is too long to drip.
local ROWS = {
    { "list", "GET", "/v1/instances", "read", {} },
    { "get", "GET", ONE, "read", { PRO }, id = PRO, shows = true },
    { "create", "POST", "/v1/instances", "change", { helper.order() }, doing = "creating", matters = true },
    { "patch", "PATCH", ONE, "change", { PRO, { memory = 16 } }, id = PRO, doing = "updating" },
    { "delete", "DELETE", ONE, "destroy", { PRO }, id = PRO, doing = "destroying" },
    { "pause", "POST", ONE .. "/pause", "change", { PRO }, id = PRO, doing = "pausing" },
    { "resume", "POST", "/v1/instances/" .. PAUSED .. "/resume", "change", { PAUSED }, id = PAUSED,
        doing = "resuming" },
    { "overwrite", "POST", "/v1/instances/" .. CRITICAL .. "/overwrite", "destroy",
        { CRITICAL, { source_instance_id = PRO, source_snapshot_id = snapshot } }, id = CRITICAL,
        doing = "overwriting", refuses = true },
    { "upgrade", "POST", ONE .. "/upgrade", "change", { PRO, { memory = 16, storage = 32 } }, id = PRO,
        doing = "updating" },
    { "sizing", "POST", "/v1/instances/sizing", "read",
        { { node_count = 100, relationship_count = 7, instance_type = "enterprise-ds" } } },
    { "snapshot.list", "GET", ONE .. "/snapshots", "read", { PRO }, id = PRO },
    { "snapshot.get", "GET", ONE .. "/snapshots/*", "read", { PRO, snapshot }, id = PRO, shows = true },
    { "snapshot.create", "POST", ONE .. "/snapshots", "change", { PRO }, id = PRO, matters = true },
    { "snapshot.restore", "POST", ONE .. "/snapshots/*/restore", "destroy", { PRO, snapshot }, id = PRO,
        doing = "restoring" },
    { "tenant.list", "GET", "/v1/tenants", "read", {} },
    { "tenant.get", "GET", "/v1/tenants/*", "read", { LABS }, long = true },
    { "tenant.metrics", "GET", "/v1/tenants/*/metrics-integration", "read", { PLATFORM } },
    { "key.list", "GET", "/v1/customer-managed-keys", "read", {} },
    { "key.get", "GET", "/v1/customer-managed-keys/*", "read", { new_key }, shows = true },
    { "key.create", "POST", "/v1/customer-managed-keys", "change", { key_order() }, matters = true,
        shows = true },
    { "key.delete", "DELETE", "/v1/customer-managed-keys/*", "destroy", { new_key }, empty = true },
    { "request", "GET", ONE, "read", { "GET", ONE }, id = PRO, bare = true, shows = true },
    { "request", "PATCH", ONE, "change", { "PATCH", ONE, { memory = "16GB" } }, id = PRO, doing = "updating",
        bare = true },
    { "request", "POST", ONE .. "/pause", "change", { "POST", ONE .. "/pause" }, id = PRO, doing = "pausing",
        bare = true },
    { "request", "POST", "/v1/instances/sizing", "read", { "POST", "/v1/instances/sizing",
        { node_count = 100, relationship_count = 7, instance_type = "enterprise-ds" } }, bare = true },
    { "request", "DELETE", ONE, "destroy", { "DELETE", ONE }, id = PRO, doing = "destroying", bare = true },
}

-- Where the options stand, where that is not behind the arguments.
local OPTIONS_AT = { list = 2, resume = 2, ["snapshot.list"] = 3, ["tenant.list"] = 1, ["key.list"] = 2, request = 4 }

local KINDS = { [400] = "invalid", [401] = "auth", [402] = "forbidden", [403] = "forbidden", [404] = "not_found",
    [405] = "forbidden", [409] = "conflict", [410] = "not_found", [413] = "invalid", [415] = "invalid",
    [420] = "invalid", [422] = "invalid", [429] = "rate_limited" }         -- any other: "api"
local UNCLEAR = { [408] = true, [500] = true, [502] = true, [503] = true, [504] = true }

---What is to come of one faulty request: "done", "renew", "again" or "fail"; then the kind of error it becomes if it
---may not be sent again.
---@param fault table `is`: "fine", "bodiless", "unreadable", "unusable", "lost" or a status; `of_body`: the body only
local function verdict(row, fault)
    local is, changes = fault.is, row[4] ~= "read"
    local once = changes and row[2] ~= "DELETE"                -- must not be sent twice
    if is == "fine" or fault.of_body and (row.empty or row.long and is == "bodiless") then
        return "done"                                  -- perhaps as there is no body (of a table) to be spoilt
    elseif is == "unreadable" or is == "bodiless" then         -- accepted, but nothing can be read
        if row.bare and is == "bodiless" or changes and not row.matters then
            return "done"
        end
        return "fail", changes and "ambiguous" or "api"
    elseif is == "unusable" then
        return "fail", changes and "ambiguous" or "api"
    elseif is == "lost" then
        return once and "fail" or "again", changes and "ambiguous" or "transport"
    end
    local kind = KINDS[is] or "api"
    if is == 401 or is == 403 then
        return "renew", kind
    elseif is == 429 or is == 503 and fault.after then
        return "again", kind
    elseif is == 409 and fault.ongoing then
        return "again", kind
    elseif is == 500 and row.refuses then
        return "fail", kind
    elseif is >= 500 and (once or changes and not UNCLEAR[is]) then
        return "fail", "ambiguous"
    elseif UNCLEAR[is] then
        return once and "fail" or "again", changes and "ambiguous" or kind
    end
    return "fail", kind
end

---What a whole call comes to.
---@param fault table `acts`: the request is carried out; `x1`: only the first request meets the fault, and the call
---  may be repeated; without, it meets every one, and the call has `retry = false`
local function expected(row, fault)
    local act, kind = verdict(row, fault)
    local attempts = 1
    if act == "renew" or act == "again" and fault.x1 then
        attempts, act = 2, fault.x1 and "done" or "fail"
    end
    local acted = row[4] ~= "read" and (act == "done" or fault.acts)
    return { kind = act == "done" and "value" or kind, attempts = attempts, requests = attempts,
        effects = acted and 1 or 0 }
end

local function sum(counts)
    local n = 0
    for _, count in pairs(counts) do
        n = n + count
    end
    return n
end

local function label(row, fault)
    return ("%s%s / %s"):format(fault[1], fault.x1 and " x1" or "",
        row.bare and ("request %s %s"):format(row[2], row[3]) or row[1])
end

---Makes the call of a row, with the fault in place. The token is there already, so that `timeout` is the call's.
local function run(b, row, fault, c)
    local args = helper.values(b, row[5])
    local n = OPTIONS_AT[row[1]] or #row[5] + 1
    args[n] = { retry = fault.x1 and true or false, timeout = fault.timeout or 30 }
    b.service.faults = {}
    c.tenant:list()
    assert(faults.add(b.service, { ("%s %s %s%s"):format(row[2], row[3], fault[1], fault.x1 and " x1" or "") }))
    local requests, effects = select(2, b:last()), sum(b.service.effects)
    local value, response = helper.primitive(c.try, row[1])(table.unpack(args, 1, n))
    return { kind = value == nil and response.kind or "value", attempts = response.attempts,
        requests = select(2, b:last()) - requests, effects = sum(b.service.effects) - effects }, value, response
end

local cells, differing = 0, {}

local function compare(row, fault, got, want, err)
    local name, said = label(row, fault), json.encode(got)
    local known = not fault.one_each and KNOWN[("%s%s / %s"):format(fault[1], fault.x1 and " x1" or "", row[2])]
    cells = cells + 1
    if said ~= json.encode(known or want) then
        differing[#differing + 1] = ("%s: %s instead of %s: %s"):format(name, said, json.encode(want), tostring(err))
    end
end

---One cell with a service of its own.
local function cell(job)
    local row, fault = job.row, job.fault
    local b = helper.start { apart = true, switches = fault.switches }
    b.real, b.one_each = fault.real, fault.one_each
    if fault.before then
        fault.before(b, row)
    end
    local got, value, response = run(b, row, fault, b.c)
    compare(row, fault, got, (fault.expected or expected)(row, fault), got.kind ~= "value" and response)
    if fault.check then
        b.service.faults = {}
        fault.check(b, row, value, label(row, fault))
    end
    b:close()
end

---Many answers that have no effect, to one service: a client for each, as one remembers what it was told.
local function cells_of_one_service(job)
    local b = helper.start { apart = true }
    for _, fault in ipairs(job.faults) do
        local got, _, response = run(b, job.row, fault, b:client())
        compare(job.row, fault, got, expected(job.row, fault), got.kind ~= "value" and response)
    end
    b:close()
end

local function every(list)
    local jobs = {}
    for _, fault in ipairs(list) do
        for _, row in ipairs(ROWS) do
            jobs[#jobs + 1] = not (fault.not_for and fault.not_for(row)) and { row = row, fault = fault } or nil
        end
    end
    return jobs
end

local function all(jobs, fn)
    local before, begun = cells, clock.monotonic()
    differing = {}
    task.all(jobs, fn, { limit = TOGETHER })
    print(("    %d cells in %.1f s"):format(cells - before, clock.monotonic() - begun))
    lu.assertEquals(table.concat(differing, "\n"), "")
end

TestFaultMatrix = {}

---Every primitive that is there has a row; wait_for_status has tests of its own below.
function TestFaultMatrix.test_0_all_primitives_are_in_it()
    local names = { wait_for_status = true }
    for _, row in ipairs(ROWS) do
        names[row[1]] = true
    end
    lu.assertEquals(names, helper.primitives())
end

function TestFaultMatrix.test_1_statuses_with_every_body()
    local jobs = {}
    for _, row in ipairs(ROWS) do
        local list = {}
        for _, status in ipairs { 302, 400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 418, 420, 422, 429, 500,
            501, 502, 503, 504, 505, 599 } do
            for _, form in ipairs { "errors", "gateway", "html", "empty", "truncated" } do
                list[#list + 1] = { ("%d:%s"):format(status, form), is = status }
            end
        end
        jobs[#jobs + 1] = { row = row, faults = list }
    end
    all(jobs, cells_of_one_service)
end

function TestFaultMatrix.test_2_statuses_once_then_a_good_answer()
    local list = {}
    for _, text in ipairs { "401", "403", "404", "408:html", "410", "418", "429", "500:html", "500:empty", "501",
        "502:html", "503:gateway", "504:truncated", "308:location=http://127.0.0.1:1/" } do
        list[#list + 1] = { text, is = math.tointeger(text:sub(1, 3)), x1 = true }
    end
    for _, text in ipairs { "408:acted", "500:acted", "502:html:acted", "503:gateway:acted", "504:empty:acted" } do
        list[#list + 1] = { text, is = math.tointeger(text:sub(1, 3)), x1 = true, acts = true }
    end
    all(every(list), cell)
end

function TestFaultMatrix.test_3_told_when_to_come_again()
    all(every {
        { "429:seconds=1", is = 429, x1 = true }, { "429:date=2", is = 429, x1 = true, real = true },
        { "503:seconds=1", is = 503, after = true, x1 = true },
        { "503:html:date=3", is = 503, after = true, x1 = true, real = true },
        { "429:seconds=1", is = 429 }, { "503:seconds=1", is = 503, after = true },
        { "409", is = 409, ongoing = true, x1 = true }, { "409:reason=database-exists", is = 409, x1 = true },
    }, cell)
end

function TestFaultMatrix.test_4_answers_that_get_lost()
    local list = {}
    for _, one_each in ipairs { true, false } do
        for _, x1 in ipairs { true, false } do
            list[#list + 1] = { "lost", is = "lost", acts = true, x1 = x1, one_each = one_each }
            list[#list + 1] = { "reset", is = "lost", x1 = x1, one_each = one_each }
            list[#list + 1] = { "length", is = "lost", acts = true, of_body = true, x1 = x1, one_each = one_each }
        end
    end
    list[#list + 1] = { "lost", is = "lost", acts = true, x1 = true, switches = { deleted_twice = "410" },
        not_for = function(row) return row[2] ~= "DELETE" end }
    all(every(list), cell)
end

function TestFaultMatrix.test_5_no_answer_in_time()
    all(every {
        { "hang", is = "lost", timeout = 1.5 }, { "hang:acted", is = "lost", acts = true, timeout = 1.5 },
        { "drip=700", is = "lost", acts = true, of_body = true, timeout = 1.5 },
        { "drip=1", is = "fine", acts = true, not_for = function(row) return row.long end },
    }, cell)
end

function TestFaultMatrix.test_6_bodies()
    local list = {}
    for _, x1 in ipairs { true, false } do
        for _, fault in ipairs {
            { "cut", is = "unreadable", of_body = true }, { "deep=2000", is = "unreadable", of_body = true },
            { "huge=17", is = "unusable", of_body = true }, { "huge=0.1", is = "fine" },
            { "empty-patch", is = "bodiless", of_body = true },
            { "202:gateway:acted", is = "bodiless" }, { "200:errors:acted", is = "bodiless" },
            { "200:html:acted", is = "unreadable" }, { "200:empty:acted", is = "unreadable" },
            { "202:truncated:acted", is = "unreadable" }, { "204:acted", is = "unreadable" },
        } do
            fault.x1, fault.acts = x1, true
            list[#list + 1] = fault
        end
    end
    all(every(list), cell)
end

function TestFaultMatrix.test_7_tokens()
    local function tokens(b, _, _, name)
        lu.assertEquals(b:tokens(), 2, name)
    end
    local list = {}
    for _, status in ipairs { 401, 403 } do
        for _, x1 in ipairs { true, false } do
            list[#list + 1] = { "expire", is = status, x1 = x1, switches = { expired = status }, check = tokens }
        end
    end
    all(every(list), cell)
end

---The status of the instance that a call was about, from the service itself.
local function status_of(b, row, value)
    b:login()                                          -- the time may have ended its token
    return b:status(row.id or value.id)
end

local function about_none(row)
    return not (row.id or row.doing)
end

local function begins_nothing(row)
    return not row.doing
end

function TestFaultMatrix.test_8_what_happens_to_an_instance()
    local list = {
        { "notfound=900", not_for = about_none, check = function(b, row, value, name)
            b:pass(60)
            lu.assertEquals(status_of(b, row, value), 404, name)
            b:pass(900)
            lu.assertEquals(status_of(b, row, value) == 404, row.doing == "destroying", name)
        end },
        { "lag=60", not_for = begins_nothing, check = function(b, row, value, name)
            b:pass(5)
            local old = row.doing == "creating" and "creating" or row.doing == "resuming" and "paused" or "running"
            lu.assertEquals(status_of(b, row, value), old, name)
            b:pass(60)
            lu.assertEquals(status_of(b, row, value), row.doing, name)
        end },
        { "stuck", not_for = begins_nothing, check = function(b, row, value, name)
            b:pass(1e5)
            lu.assertEquals(status_of(b, row, value), row.doing, name)
        end },
        { "loading failed", not_for = begins_nothing, check = function(b, row, value, name)
            b:pass(1e5)
            lu.assertEquals(status_of(b, row, value), "loading failed", name)
        end },
        { "status=hibernating", check = function(_, row, value, name)
            local shows = row.doing and not row.matters or row.shows
            lu.assertEquals(value.status, shows and "hibernating" or nil, name)
        end },
        { "gone", check = function(b, row)
            lu.assertEquals(b:record(row.id or PRO).status, row.id and "destroying" or "running")
        end, before = function(b, row)
            lu.assertEquals(row.id and b:delete("/instances/" .. row.id) or 202, 202)
        end, expected = function(row, fault)
            return expected(row, { fault[1], is = row.id and 410 or "fine" })
        end },
    }
    for _, fault in ipairs(list) do
        fault.is = "fine"
    end
    all(every(list), cell)
end
