-- The emulator's actions, snapshots, projects and keys.
-- No HTTP and no waiting: the test moves the clock.
-- Also runs under plain Lua: lua5.4 tests/lua/sandbox_actions_test.lua
local lu = require "luaunit"

local here = arg[0]:match("^(.*)/") or "."
package.path = ("%s/?.lua;%s/../../stdlib/?.lua;%s/../../stdlib/?/init.lua;%s"):format(here, here, here, package.path)

local helper = require "sandbox_box"

local box, refused, order, created = helper.new, helper.refused, helper.order, helper.created
local PLATFORM, LABS, PRO, PAUSED = helper.PLATFORM, helper.LABS, helper.PRO, helper.PAUSED
local CRITICAL, VDC, FREE = helper.CRITICAL, helper.VDC, helper.FREE

TestActions = {}

function TestActions.test_pause_and_resume()
    local b = box()
    local path = "/instances/" .. PRO
    local status, body = b:post(path .. "/pause")
    lu.assertEquals({ status, body.data.status }, { 202, "pausing" })
    local message = select(2, b:post(path .. "/pause")).errors[1].message
    lu.assertEquals(message, "The database is currently undergoing an operation: pausing")
    b:pass(92)
    lu.assertEquals(b:status(PRO), "paused")
    refused(409, "instance-action-unavailable", b:post(path .. "/pause"))
    refused(409, "instance-action-unavailable", b:post(path .. "/snapshots"))
    local resumed_status, resumed, _, text = b:post(path .. "/resume", {})
    lu.assertEquals({ resumed_status, resumed.data.status }, { 202, "resuming" })
    lu.assertStrContains(text, '"connection_url":null')
    b:pass(122)
    lu.assertEquals(b:status(PRO), "running")
    refused(409, "instance-action-unavailable", b:post(path .. "/resume"))
    refused(400, "database-incapable-of-action", b:post("/instances/" .. FREE .. "/pause"))
    refused(404, "db-not-found", b:post("/instances/00000000/pause"))
end

function TestActions.test_overwrite()
    local b = box()
    local function overwrite(id, source, snapshot)
        return b:post("/instances/" .. id .. "/overwrite",
            { source_instance_id = source, source_snapshot_id = snapshot })
    end
    refused(420, "database-incapable-of-action", overwrite(FREE, PRO))
    refused(400, "missing-field", overwrite(PRO))
    refused(404, "db-not-found", overwrite(PRO, "00000000"))
    refused(404, "snapshot-not-found", overwrite(PRO, CRITICAL, "x"))
    refused(400, "invalid-field", overwrite(PRO, PRO))
    refused(409, "instance-action-unavailable", overwrite(PAUSED, PRO))
    local status, body = overwrite(PRO, CRITICAL)
    refused(500, "internal-error", status, body)
    lu.assertStrContains(body.errors[1].message, "cannot clone into smaller database")
    b:pass(100)
    status, body = overwrite(CRITICAL, PRO)
    lu.assertEquals({ status, body.data.status }, { 202, "overwriting" })
    b:pass(184)
    lu.assertEquals(b:status(CRITICAL), "loading")
    b:pass(92)
    lu.assertEquals(b:status(CRITICAL), "running")
end

function TestActions.test_upgrade()
    local b = box()
    local path = "/instances/" .. PRO .. "/upgrade"
    refused(400, "invalid-memory-size", b:post(path, { memory = "16GB" }))
    refused(409, "instance-action-unavailable", b:post("/instances/" .. VDC .. "/upgrade"))
    refused(409, "instance-action-unavailable", b:post("/instances/" .. PAUSED .. "/upgrade"))
    local status, body = b:post(path, { memory = "16GB", storage = "32GB" })
    lu.assertEquals({ status, body.data.type, body.data.status }, { 202, "business-critical", "updating" })
    b:pass(240)
    body = select(2, b:get("/instances/" .. PRO))
    lu.assertEquals({ body.data.type, body.data.memory, body.data.storage }, { "business-critical", "16GB", "32GB" })
    lu.assertStrContains(body.data.metrics_integration_url, PRO)
end

function TestActions.test_sizing()
    local b = box()
    local function sizing(nodes, relationships, algorithms, kind)
        return b:post("/instances/sizing", { node_count = nodes, relationship_count = relationships,
            instance_type = kind or "enterprise-ds", algorithm_categories = algorithms })
    end
    local status, body = sizing(100000, 100000)
    lu.assertEquals(status, 200)
    lu.assertEquals(body.data, { did_exceed_maximum = false, min_required_memory = "1GB", recommended_size = "2GB" })
    body = select(2, sizing(10 ^ 10 // 1 | 0, 0, { "similarity" }))
    lu.assertTrue(body.data.did_exceed_maximum)
    lu.assertEquals(body.data.recommended_size, "384GB")
    refused(400, "missing-field", b:post("/instances/sizing", {}))
    refused(400, "invalid-field", sizing(1, 1, nil, "enterprise-db"))
    refused(400, "invalid-field", sizing(-1, 1))
end

TestSnapshots = {}

function TestSnapshots.test_create_get_restore()
    local b = box()
    local path = "/instances/" .. PRO .. "/snapshots"
    local status, body = b:post(path)
    lu.assertEquals(status, 202)
    local id = body.data.snapshot_id
    lu.assertEquals(body.data, { snapshot_id = id })
    refused(409, "snapshot-not-allowed", b:post(path))
    local function snapshot()
        local data = select(2, b:get(path .. "/" .. id)).data
        return { data.status, data.exportable, data.profile }
    end
    lu.assertEquals(snapshot(), { "Pending", false, "AdHoc" })
    refused(409, "snapshot-not-allowed", b:post(path .. "/" .. id .. "/restore"))
    b:pass(10)
    lu.assertEquals(snapshot(), { "InProgress", false, "AdHoc" })
    b:pass(48)
    lu.assertEquals(snapshot(), { "Completed", true, "AdHoc" })
    status, body = b:post(path .. "/" .. id .. "/restore")
    lu.assertEquals({ status, body.data.status }, { 202, "restoring" })
    refused(409, "ongoing-database-operation", b:post(path .. "/" .. id .. "/restore"))
    b:pass(152)
    lu.assertEquals(b:status(PRO), "running")
    refused(404, "snapshot-not-found", b:get(path .. "/x"))
    refused(404, "snapshot-not-found", b:post(path .. "/x/restore"))
    refused(404, "db-not-found", b:get("/instances/00000000/snapshots"))
end

function TestSnapshots.test_list_is_of_one_day()
    local b = box()
    local path = "/instances/" .. PRO .. "/snapshots"
    lu.assertEquals(#select(2, b:get(path)).data, 2)
    b:pass(86400)
    b:login()
    lu.assertEquals(#select(2, b:get(path)).data, 0)
    lu.assertEquals(#select(2, b:get(path .. "?date=2026-02-26")).data, 2)
    refused(400, "invalid-field", b:get(path .. "?date=yesterday"))
end

TestTenants = {}

function TestTenants.test_what_a_project_offers()
    local b = box()
    local _, body = b:get("/tenants")
    lu.assertEquals(body.data, { { id = PLATFORM, name = "Platform" }, { id = LABS, name = "Labs" } })
    _, body = b:get("/tenants/" .. PLATFORM)
    local found
    for _, row in ipairs(body.data.instance_configurations) do
        if row.type == "enterprise-db" and row.region == "us-east-1" and row.memory == "8GB" and row.storage == "16GB"
            and row.version == "5" then
            found = row
        end
    end
    lu.assertEquals(found, { type = "enterprise-db", region = "us-east-1", memory = "8GB", storage = "16GB",
        region_name = "US East, N. Virginia (us-east-1)", version = "5", cloud_provider = "aws" })
    for _, row in ipairs(select(2, b:get("/projects/" .. LABS)).data.instance_configurations) do
        lu.assertTrue(row.type == "free-db" or row.type == "professional-db")
    end
    refused(404, "tenant-not-found", b:get("/tenants/nobody"))
end

function TestTenants.test_metrics()
    local b = box()
    local status, body = b:get("/tenants/" .. PLATFORM .. "/metrics-integration")
    lu.assertEquals(status, 200)
    lu.assertStrContains(body.data.endpoint, PLATFORM)
    refused(400, "tenant-incapable-of-action", b:get("/tenants/" .. LABS .. "/metrics-integration"))
    refused(404, "tenant-not-found", b:get("/tenants/nobody/metrics-integration"))
end

TestKeys = {}

function TestKeys.test_a_key_from_creation_to_deletion()
    local b = box()
    local order_key = { key_id = "arn:aws:kms:us-east-1:1:key/2", name = "k", cloud_provider = "aws",
        instance_type = "enterprise-db", region = "us-east-1", tenant_id = PLATFORM }
    local status, body = b:post("/customer-managed-keys", order_key)
    lu.assertEquals({ status, body.data.status, body.data.type }, { 202, "pending", "enterprise-db" })
    local id = body.data.id
    local path = "/customer-managed-keys/" .. id
    refused(400, "invalid-field", b:post("/instances", order { customer_managed_key_id = id }))
    b:pass(30)
    body = select(2, b:get(path))
    lu.assertEquals(body.data.status, "ready")
    lu.assertEquals(type(body.data.created), "string")
    refused(400, "invalid-field", b:post("/instances", order { customer_managed_key_id = id, region = "us-west-2" }))
    refused(400, "tenant-incapable-of-action",
        b:post("/instances", order { customer_managed_key_id = id, type = "professional-db" }))
    local made = created(b, { customer_managed_key_id = id })
    refused(400, "encryption-key-is-active", b:delete(path))
    b:change { instances = { { id = made.id, deleted = true } } }
    local _, list = b:get("/customer-managed-keys?tenantId=" .. PLATFORM)
    lu.assertEquals(list.data[2], { id = id, name = "k", tenant_id = PLATFORM })
    status, body = b:delete(path)
    lu.assertEquals({ status, body }, { 204, nil })
    refused(404, "encryption-key-not-found", b:get(path))
    refused(404, "encryption-key-not-found", b:delete(path))
    refused(400, "missing-field", b:post("/customer-managed-keys", {}))
end

-- Inside halo its runner starts the tests; under plain Lua this file does.
if not helper.inside then
    os.exit(lu.LuaUnit.run())
end
