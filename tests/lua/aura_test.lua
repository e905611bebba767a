-- Every primitive over real HTTP against the emulator: what is sent, what comes back, what it has done there.
-- aura_wrong_state_test.lua has the refusals, aura_wait_test.lua the waits, tokens and limits.
local lu = require "luaunit"
local aura = require "aura"
local helper = require "aura_box"
local json = require "json"

local PLATFORM, LABS, PRO, PAUSED = helper.PLATFORM, helper.LABS, helper.PRO, helper.PAUSED
local CRITICAL, VDC, FREE = helper.CRITICAL, helper.VDC, helper.FREE
local ONE = "/v1/instances/" .. PRO

local snapshot, key_order, new_key = helper.snapshot, helper.key_order, helper.new_key

local function is_status(status)
    return function(_, value)
        lu.assertEquals(value.status, status)
    end
end

-- name, arguments (functions are called with the box), then what is asked over HTTP, the answer's status,
-- the request's body, and a check of what the caller gets and of what the emulator has become.
local CALLS = {
    { "list", {}, "GET /v1/instances", 200, "", function(_, value)
        lu.assertEquals(#value, 6)
    end },
    { "get", { PRO }, "GET " .. ONE, 200, "", function(_, value)
        lu.assertEquals({ value.id, value.name, value.memory }, { PRO, "orders-prod", "8GB" })
    end },
    { "create", { helper.order() }, "POST /v1/instances", 202, json.encode(helper.order()), function(b, value)
        lu.assertEquals(value.password, b:record(value.id).password)
    end },
    { "patch", { PRO, { memory = 16, storage = "64Gi" } }, "PATCH " .. ONE, 202,
        '{"memory":"16GB","storage":"64GB"}', function(b, value)
            lu.assertEquals({ value.status, value.memory }, { "updating", "8GB" })
            b:pass(136)
            lu.assertEquals({ b:record(PRO).memory, b:record(PRO).storage }, { "16GB", "64GB" })
        end },
    { "delete", { PRO }, "DELETE " .. ONE, 202, "", function(b, value)
        lu.assertEquals(value.status, "destroying")
        b:pass(75)
        lu.assertNil(b:record(PRO))
    end },
    { "pause", { PRO }, "POST " .. ONE .. "/pause", 202, "{}", function(b, value)
        lu.assertEquals(value.status, "pausing")
        b:pass(92)
        lu.assertEquals(b:record(PRO).status, "paused")
    end },
    { "resume", { PAUSED }, "POST /v1/instances/" .. PAUSED .. "/resume", 202, "{}", function(b, value)
        lu.assertEquals(value.status, "resuming")
        lu.assertNil(value.connection_url)
        b:pass(106)
        lu.assertEquals(b:record(PAUSED).status, "running")
    end },
    { "overwrite", { CRITICAL, { source_instance_id = PRO, source_snapshot_id = snapshot } },
        "POST /v1/instances/" .. CRITICAL .. "/overwrite", 202, nil, function(b, value)
            lu.assertEquals(value.status, "overwriting")
            b:pass(276)
            lu.assertEquals({ b:record(CRITICAL).status, b:record(CRITICAL).used }, { "running", 6 })
        end },
    { "upgrade", { PRO, { memory = 16, storage = 32 } }, "POST " .. ONE .. "/upgrade", 202,
        '{"memory":"16GB","storage":"32GB"}', function(b, value)
            lu.assertEquals({ value.type, value.status }, { "business-critical", "updating" })
            b:pass(240)
            lu.assertEquals(b:record(PRO).memory, "16GB")
        end },
    { "sizing", { { node_count = 10 ^ 5 // 1 | 0, relationship_count = 7, instance_type = "enterprise-ds",
        algorithm_categories = { "similarity" } } }, "POST /v1/instances/sizing", 200,
        '{"algorithm_categories":["similarity"],"instance_type":"enterprise-ds","node_count":100000,' ..
        '"relationship_count":7}', function(_, value)
            lu.assertEquals(value, { did_exceed_maximum = false, min_required_memory = "1GB",
                recommended_size = "2GB" })
        end },
    { "snapshot.list", { PRO }, "GET " .. ONE .. "/snapshots", 200, "", function(_, value)
        lu.assertEquals({ #value, value[1].status, value[1].profile }, { 2, "Completed", "Scheduled" })
    end },
    { "snapshot.get", { PRO, snapshot }, "GET " .. ONE .. "/snapshots/*", 200, "", function(b, value)
        lu.assertEquals({ value.snapshot_id, value.instance_id, value.exportable }, { snapshot(b), PRO, true })
    end },
    { "snapshot.create", { PRO }, "POST " .. ONE .. "/snapshots", 202, "{}", function(b, value)
        local list = b:record(PRO).snapshots
        lu.assertEquals(value, { snapshot_id = list[3].snapshot_id })
        lu.assertEquals(list[3].profile, "AdHoc")
    end },
    { "snapshot.restore", { PRO, snapshot }, "POST " .. ONE .. "/snapshots/*/restore", 202, "{}",
        function(b, value)
            lu.assertEquals(value.status, "restoring")
            lu.assertNil(value.connection_url)
            b:pass(152)
            lu.assertEquals(b:record(PRO).status, "running")
        end },
    { "tenant.list", {}, "GET /v1/tenants", 200, "", function(_, value)
        lu.assertEquals(value, { { id = PLATFORM, name = "Platform" }, { id = LABS, name = "Labs" } })
    end },
    { "tenant.get", { LABS }, "GET /v1/tenants/" .. LABS, 200, "", function(_, value)
        lu.assertEquals({ value.id, value.name }, { LABS, "Labs" })
        lu.assertTrue(#value.instance_configurations > 100)
        lu.assertEquals(value.instance_configurations[1].type, "free-db")
        lu.assertNil(value.instance_configurations[1].storage)
    end },
    { "tenant.metrics", { PLATFORM }, "GET /v1/tenants/" .. PLATFORM .. "/metrics-integration", 200, "",
        function(_, value)
            lu.assertStrContains(value.endpoint, PLATFORM)
        end },
    { "key.list", {}, "GET /v1/customer-managed-keys", 200, "", function(_, value)
        lu.assertEquals({ #value, value[1].name, value[1].status }, { 1, "ledger-key" })
    end },
    { "key.get", { new_key }, "GET /v1/customer-managed-keys/*", 200, "", is_status("pending") },
    { "key.create", { key_order() }, "POST /v1/customer-managed-keys", 202, json.encode(key_order()),
        function(b, value)
            lu.assertEquals({ value.status, value.instance_type }, { "pending", "enterprise-db" })
            lu.assertEquals(b.service.keys[value.id].key_id, key_order().key_id)
        end },
    { "key.delete", { new_key }, "DELETE /v1/customer-managed-keys/*", 204, "", function(b, value)
        lu.assertEquals(value, {})
        lu.assertEquals(#b.service.key_order, 1)
    end },
    { "request", { "GET", ONE }, "GET " .. ONE, 200, "", is_status("running") },
    { "wait_for_status", { VDC, "running" }, "GET /v1/instances/" .. VDC, 200, "", is_status("running") },
}

local function check_call(b, where, row)
    local name, args, what, status, body, check = table.unpack(row)
    local value, response = helper.primitive(where, name)(table.unpack(helper.values(b, args)))
    local last = b:last()
    lu.assertNotNil(value, name .. ": " .. tostring(response))
    lu.assertEquals(last.what:gsub("%x+%-%x+%-[%x-]+", function(id)
        return what:find(id, 1, true) and id or "*"
    end), what, name)
    lu.assertEquals(last.status, status, name)
    if body then
        lu.assertEquals(last.body, body, name)
    end
    local writes = what:match("^P%a+") ~= nil
    lu.assertEquals(last.sent["content-type"], writes and "application/json" or nil, name)
    if name ~= "wait_for_status" then
        lu.assertEquals(response, { status = status, attempts = response.attempts, body = last.text,
            request_id = last.headers["X-Request-Id"] }, name)
    end
    check(b, value)
end

TestEveryPrimitive = { tearDown = helper.stop }

function TestEveryPrimitive.test_all_are_in_the_table()
    local names = {}
    for _, row in ipairs(CALLS) do
        names[row[1]] = true
    end
    lu.assertEquals(names, helper.primitives())
end

function TestEveryPrimitive.test_as_a_method_of_a_client()
    for _, row in ipairs(CALLS) do
        local b = helper.start()
        check_call(b, b.c, row)
        lu.assertEquals({ b:tokens(), #b:answers() }, { 1, 1 }, row[1])
    end
end

function TestEveryPrimitive.test_as_a_method_of_its_try()
    for _, row in ipairs(CALLS) do
        local b = helper.start()
        check_call(b, b.c.try, row)
    end
end

-- All through one client and one token: the emulator is put back to its beginning for each.
function TestEveryPrimitive.test_as_a_function_of_the_module()
    local b = helper.start()
    local example = require "sandbox.seed".example()
    example.replace = true
    for i, row in ipairs(CALLS) do
        lu.assertEquals(b:change(example), 200)
        check_call(b, i % 2 == 0 and aura.try or aura, row)
    end
    lu.assertEquals({ b:tokens(), #b:answers() }, { 1, #CALLS })
end

TestInstances = { tearDown = helper.stop }

function TestInstances.test_list_items_have_no_status()
    local b = helper.start()
    for _, item in ipairs(b.c:list()) do
        local names = {}
        for name in pairs(item) do
            names[#names + 1] = name
        end
        lu.assertItemsEquals(names, { "id", "name", "tenant_id", "cloud_provider", "created_at" })
    end
    local labs = b.c:list { tenant_id = LABS }
    lu.assertEquals({ #labs, labs[1].id }, { 1, FREE })
    lu.assertEquals(b:last().query, { tenantId = LABS })
    lu.assertEquals(b.c:list { tenant_id = "nobody" }, {})
end

function TestInstances.test_what_get_shows_of_each_type()
    local b = helper.start()
    local vdc, free, pro = b.c:get(VDC), b.c:get(FREE), b.c:get(PRO)
    lu.assertEquals({ vdc.secondaries_count, vdc.cdc_enrichment_mode, vdc.storage }, { 2, "FULL", "64GB" })
    lu.assertEquals(math.type(vdc.secondaries_count), "integer")
    lu.assertEquals(#vdc.customer_managed_key_id, 36)
    lu.assertStrContains(vdc.metrics_integration_url, VDC)
    lu.assertNil(free.storage)
    lu.assertEquals({ free.graph_nodes, free.graph_relationships }, { "1482", "9077" })
    lu.assertNil(pro.secondaries_count)
    lu.assertNil(pro.version)
    lu.assertIs(pro.vector_optimized, true)
    b:change { switches = { graph_counts = "number" } }
    lu.assertEquals(math.type(b.c:get(FREE).graph_nodes), "integer")
end

function TestInstances.test_a_new_one_from_404_to_running()
    local b = helper.start()
    local made = b.c:create(helper.order())
    lu.assertEquals({ made.username, #made.password, made.type }, { "neo4j", 43, "enterprise-db" })
    lu.assertStrContains(made.connection_url, made.id)
    lu.assertNil(made.status)
    local _, err = b.c.try:get(made.id)
    lu.assertEquals({ err.kind, err.status, err.reason }, { "not_found", 404, "db-not-found" })
    b:pass(2)
    local fresh, response = b.c:get(made.id)
    lu.assertEquals({ fresh.status, fresh.memory, fresh.storage }, { "creating", "", "16GB" })
    lu.assertNil(fresh.connection_url)
    lu.assertStrContains(response.body, '"connection_url":null')
    b:pass(214)
    local ready = b.c:get(made.id)
    lu.assertEquals({ ready.status, ready.memory, ready.connection_url }, { "running", "8GB", made.connection_url })
    local shown = b:last().text .. json.encode(b.c:list()) .. response.body
    lu.assertNotStrContains(shown, made.password)            -- only the answer to create has it
    lu.assertNil(ready.password)
    lu.assertNil(ready.username)
end

function TestInstances.test_a_clone_takes_everything_of_its_source()
    local b = helper.start()
    local made = b.c:create(helper.order { type = "professional-db", source_instance_id = PRO,
        source_snapshot_id = snapshot(b), graph_analytics_plugin = true })
    lu.assertEquals({ made.vector_optimized, made.graph_analytics_plugin }, { true, true })
    b:pass(196)
    lu.assertEquals(b.c:get(made.id).status, "loading")
    b:pass(92)
    lu.assertEquals({ b.c:get(made.id).status, b:record(made.id).used }, { "running", 6 })
end

function TestInstances.test_every_kind_of_change()
    local b = helper.start()
    local changes = { { PRO, { vector_optimized = false } }, { PRO, { graph_analytics_plugin = true } },
        { VDC, { secondaries_count = 3, cdc_enrichment_mode = "DIFF", name = "ledger-2" } } }
    for _, case in ipairs(changes) do
        local id, fields = case[1], case[2]
        local value, response = b.c:patch(id, fields)
        lu.assertEquals({ response.status, value.status }, { 202, "updating" })
        b:pass(184)
        for name, want in pairs(fields) do
            lu.assertEquals(b.c:get(id)[name], want, name)
        end
    end
    local value, response = b.c:patch(PAUSED, { name = "renamed" })       -- at once, and of a paused one too
    lu.assertEquals({ response.status, value.status, value.name }, { 200, "paused", "renamed" })
    b:change { switches = { patch_body = "empty" } }
    value, response = b.c:patch(PRO, { memory = 16 })
    lu.assertEquals({ response.status, response.body, value }, { 202, "{}", {} })
    lu.assertEquals(b:record(PRO).status, "updating")
end

function TestInstances.test_upgrade_without_sizes_keeps_them()
    local b = helper.start { switches = { upgrade_status = 200 } }
    local value, response = b.c:upgrade(PRO)
    lu.assertEquals({ response.status, value.status, b:last().body }, { 200, "updating", "{}" })
    b:pass(240)
    value = b.c:get(PRO)
    lu.assertEquals({ value.type, value.memory, value.storage }, { "business-critical", "8GB", "16GB" })
end

function TestInstances.test_overwrite_without_a_snapshot_takes_one_of_the_source()
    local b = helper.start()
    b.c:overwrite(CRITICAL, { source_instance_id = PRO })
    lu.assertEquals(b:last().body, '{"source_instance_id":"' .. PRO .. '"}')
    lu.assertEquals(#b:record(PRO).snapshots, 3)
    b:pass(276)
    lu.assertEquals(b:record(CRITICAL).used, 6)
end

TestSnapshots = { tearDown = helper.stop }

function TestSnapshots.test_from_pending_to_completed()
    local b = helper.start()
    local id = b.c.snapshot:create(PRO).snapshot_id
    for _, want in ipairs { { "Pending", 0 }, { "InProgress", 10 }, { "Completed", 48 } } do
        b:pass(want[2])
        local value = b.c.snapshot:get(PRO, id)
        lu.assertEquals({ value.status, value.profile, value.exportable }, { want[1], "AdHoc", want[1] == "Completed" })
    end
    lu.assertEquals(b.c.snapshot:list(PRO)[1].snapshot_id, id)         -- the newest first
end

function TestSnapshots.test_the_list_is_of_one_day()
    local b = helper.start()
    lu.assertEquals(#b.c.snapshot:list(PRO, { date = "2026-02-25" }), 0)
    lu.assertEquals(b:last().query, { date = "2026-02-25" })
    b:pass(86400)                                      -- which also ends the token
    lu.assertEquals(#b.c.snapshot:list(PRO), 0)
    lu.assertEquals(#b.c.snapshot:list(PRO, { date = "2026-02-26" }), 2)
end

TestKeys = { tearDown = helper.stop }

function TestKeys.test_from_pending_to_gone()
    local b = helper.start()
    local made = b.c.key:create(key_order())
    lu.assertEquals(b.c.key:list { tenant_id = PLATFORM }[2], { id = made.id, name = "k", tenant_id = PLATFORM })
    lu.assertEquals(b:last().query, { tenantId = PLATFORM })
    lu.assertEquals(b.c.key:list { tenant_id = LABS }, {})
    b:pass(30)
    local ready = b.c.key:get(made.id)
    lu.assertEquals({ ready.status, ready.type, ready.instance_type }, { "ready", "enterprise-db", "enterprise-db" })
    local new = b.c:create(helper.order { customer_managed_key_id = made.id })
    lu.assertEquals(b:record(new.id).customer_managed_key_id, made.id)
end

TestRequest = { tearDown = helper.stop }

function TestRequest.test_sends_what_no_primitive_does()
    local b = helper.start()
    local projects = b.c:request("GET", "/v1/projects")
    lu.assertEquals(projects[2].name, "Labs")
    b.c:request("PATCH", ONE, { name = "other" })
    lu.assertEquals({ b:last().body, b:record(PRO).name }, { '{"name":"other"}', "other" })
    local value, response = aura.request("POST", ONE .. "/pause")
    lu.assertEquals({ value.status, response.status, b:last().body }, { "pausing", 202, "{}" })
    value = b.c:request("GET", "/v1/instances?tenantId=" .. LABS)
    lu.assertEquals({ #value, b:last().query }, { 1, { tenantId = LABS } })
end

function TestRequest.test_takes_options()
    local b = helper.start()
    for _, call in ipairs { aura.request, function(...) return b.c:request(...) end } do
        local err = helper.failure(call, "GET", ONE, nil, { retries = 1 })
        lu.assertEquals(err.kind, "usage")
        lu.assertStrContains(err.message, "retries")
    end
    lu.assertEquals(#b.log, 0)
end
