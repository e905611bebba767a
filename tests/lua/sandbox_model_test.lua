-- The emulator's instances: create, change, delete.
-- No HTTP and no waiting: the test moves the clock.
-- Also runs under plain Lua: lua5.4 tests/lua/sandbox_model_test.lua
local lu = require "luaunit"

local here = arg[0]:match("^(.*)/") or "."
package.path = ("%s/?.lua;%s/../../stdlib/?.lua;%s/../../stdlib/?/init.lua;%s"):format(here, here, here, package.path)

local helper = require "sandbox_box"

local box, refused, order, created = helper.new, helper.refused, helper.order, helper.created
local PLATFORM, LABS, PRO, PAUSED = helper.PLATFORM, helper.LABS, helper.PRO, helper.PAUSED
local CRITICAL, VDC, SCIENCE, FREE = helper.CRITICAL, helper.VDC, helper.SCIENCE, helper.FREE

TestInstances = {}

function TestInstances.test_list_shows_little()
    local b = box()
    local _, body = b:get("/instances")
    lu.assertEquals(#body.data, 6)
    lu.assertEquals(body.data[1], { id = PRO, name = "orders-prod", tenant_id = PLATFORM, cloud_provider = "aws",
        created_at = "2026-02-26T15:07:13Z" })
    _, body = b:get("/instances?tenantId=" .. LABS)
    lu.assertEquals(#body.data, 1)
    local _, _, _, text = b:get("/instances?tenantId=nobody")
    lu.assertEquals(text, '{"data":[]}')
end

function TestInstances.test_get_shows_what_the_type_has()
    local b = box()
    local _, body = b:get("/instances/" .. PRO)
    lu.assertEquals(body.data, { id = PRO, name = "orders-prod", status = "running", tenant_id = PLATFORM,
        cloud_provider = "aws", region = "us-east-1", type = "professional-db", memory = "8GB", storage = "16GB",
        created_at = "2026-02-26T15:07:13Z", connection_url = "neo4j+s://3fa29c1e.databases.neo4j.io",
        vector_optimized = true, graph_analytics_plugin = false })
    _, body = b:get("/instances/" .. CRITICAL)
    lu.assertEquals(body.data.secondaries_count, 1)
    lu.assertEquals(body.data.cdc_enrichment_mode, "DIFF")
    lu.assertStrContains(body.data.metrics_integration_url, CRITICAL)
    _, body = b:get("/instances/" .. VDC)
    lu.assertEquals(type(body.data.customer_managed_key_id), "string")
    _, body = b:get("/instances/" .. FREE)
    lu.assertNil(body.data.storage)
    lu.assertEquals(body.data.graph_nodes, "1482")
    _, body = b:get("/instances/" .. SCIENCE)
    lu.assertNil(body.data.secondaries_count)
    lu.assertEquals(b:status(PAUSED), "paused")
    refused(404, "db-not-found", b:get("/instances/00000000"))
end

function TestInstances.test_create_from_nothing_to_running()
    local b = box()
    local made = created(b)
    lu.assertStrMatches(made.id, "%x%x%x%x%x%x%x%x")
    lu.assertEquals(made.username, "neo4j")
    lu.assertEquals(#made.password, 43)
    for _, field in ipairs { "status", "memory", "storage" } do
        lu.assertNil(made[field])
    end
    lu.assertEquals(b:status(made.id), 404)
    b:pass(2)
    local _, body, _, text = b:get("/instances/" .. made.id)
    lu.assertEquals(body.data.status, "creating")
    lu.assertEquals(body.data.memory, "")
    lu.assertStrContains(text, '"connection_url":null')
    lu.assertNil(body.data.password)
    refused(409, "ongoing-database-operation", b:post("/instances/" .. made.id .. "/pause"))
    refused(409, "ongoing-database-operation", b:delete("/instances/" .. made.id))
    b:pass(213)
    lu.assertEquals(b:status(made.id), "creating")
    b:pass(1)
    _, body = b:get("/instances/" .. made.id)
    lu.assertEquals(body.data.status, "running")
    lu.assertEquals(body.data.memory, "8GB")
    lu.assertEquals(body.data.connection_url, made.connection_url)
    lu.assertNil(body.data.password)
end

function TestInstances.test_speed_scales_every_duration()
    local b = box { speed = 100 }
    local made = created(b)
    lu.assertEquals(b:status(made.id), 404)
    b:pass(0.021)
    lu.assertEquals(b:status(made.id), "creating")
    b:pass(2.14)
    lu.assertEquals(b:status(made.id), "running")
end

function TestInstances.test_a_snapshot_is_taken_right_after_create()
    local b = box()
    local made = created(b)
    b:pass(216)
    local path = "/instances/" .. made.id .. "/snapshots"
    refused(409, "snapshot-not-allowed", b:post(path))
    local _, body = b:get(path)
    lu.assertEquals(#body.data, 1)
    lu.assertEquals(body.data[1].profile, "Scheduled")
    lu.assertEquals(body.data[1].status, "Pending")
    b:pass(60)
    lu.assertEquals(b:post(path), 202)
end

function TestInstances.test_every_field_of_create_is_checked()
    local b = box()
    for _, case in ipairs {
        { "name", "none", "missing-field" }, { "name", "", "missing-field" }, { "name", " x", "invalid-field" },
        { "name", ("x"):rep(31), "invalid-field" }, { "name", 7, "invalid-field" },
        { "type", "none", "missing-field" }, { "type", "huge-db", "invalid-field" },
        { "cloud_provider", "none", "missing-field" }, { "cloud_provider", "ibm", "invalid-field" },
        { "region", "none", "missing-field" }, { "region", "westus3", "invalid-field" },
        { "memory", "none", "missing-field" }, { "memory", "7GB", "invalid-memory-size" },
        { "memory", "8Gi", "invalid-memory-size" }, { "memory", "8", "invalid-memory-size" },
        { "memory", 8, "invalid-memory-size" }, { "storage", "17GB", "invalid-memory-size" },
        { "tenant_id", "none", "missing-field" }, { "tenant_id", "nobody", "tenant-not-found" },
        { "version", "3", "invalid-field" }, { "version", 5, "invalid-field" },
        { "vector_optimized", "true", "invalid-field" }, { "graph_analytics_plugin", 1, "invalid-field" },
        { "source_snapshot_id", "x", "invalid-field", "source_instance_id" },
        { "customer_managed_key_id", "x", "encryption-key-not-found" },
    } do
        local status, body = b:post("/instances", order { [case[1]] = case[2] })
        refused(400, case[3], status, body, case[4] or case[1])
    end
    local _, body = b:post("/instances", "{}")
    lu.assertEquals(#body.errors, 6)
    lu.assertEquals(#select(2, b:get("/instances")).data, 6)
end

function TestInstances.test_what_create_takes()
    local b = box()
    created(b, { name = ("ü"):rep(30) })
    created(b, { memory = "8G", storage = "16G" })
    created(b, { version = "none" })
    created(b, { version = "4" })
    created(b, { storage = "32GB" })
    local made = created(b, { storage = "none", memory = "16G" })
    b:pass(1000)
    lu.assertEquals(select(2, b:get("/instances/" .. made.id)).data.storage, "32GB")
    b:change { switches = { strict_version = true } }
    local status, body = b:post("/instances", order { version = "none" })
    refused(400, "missing-field", status, body, "version")
    b = box { lenient = true }
    for _, memory in ipairs { "8", "8Gi", "8G", "8GB", 8 } do
        created(b, { memory = memory })
    end
end

function TestInstances.test_what_a_project_or_a_type_does_not_allow()
    local b = box()
    refused(403, "tenant-not-entitled", b:post("/instances", order { tenant_id = LABS }))
    refused(400, "invalid-field", b:post("/instances", order { tenant_id = LABS, type = "business-critical" }))
    local free = { type = "free-db", cloud_provider = "gcp", region = "europe-west1", memory = "1GB", storage = "none" }
    refused(405, "instance-limit-exceeded", b:post("/instances", order(free)))
    b:change { instances = { { id = FREE, deleted = true } } }
    created(b, free)
    refused(400, "database-incapable-of-action",
        b:post("/instances", order { type = "business-critical", graph_analytics_plugin = true }))
    refused(400, "invalid-field",
        b:post("/instances", order { memory = "2GB", storage = "4GB", vector_optimized = true }))
    b:change { switches = { max_instances = 6 } }
    refused(405, "instance-limit-exceeded", b:post("/instances", order()))
    b:change { switches = { max_instances = 0 }, tenants = { { id = PLATFORM, name = "Platform", billing = false } } }
    refused(400, "missing-billing-details", b:post("/instances", order()))
    refused(402, "missing-billing-details", b:post("/instances/" .. PRO .. "/snapshots"))
end

function TestInstances.test_clones()
    local b = box()
    refused(404, "db-not-found", b:post("/instances", order { source_instance_id = "00000000" }))
    refused(404, "snapshot-not-found",
        b:post("/instances", order { source_instance_id = PRO, source_snapshot_id = "x" }))
    refused(400, "invalid-memory-size",
        b:post("/instances", order { source_instance_id = PRO, memory = "4GB", storage = "8GB" }))
    local _, list = b:get("/instances/" .. PRO .. "/snapshots")
    lu.assertEquals({ list.data[1].exportable, list.data[2].exportable }, { false, true })
    refused(400, "snapshot-not-exportable",
        b:post("/instances", order { source_instance_id = PRO, source_snapshot_id = list.data[1].snapshot_id }))
    local made = created(b, { source_instance_id = PRO, source_snapshot_id = list.data[2].snapshot_id })
    lu.assertTrue(made.vector_optimized)
    b:pass(196)
    lu.assertEquals(b:status(made.id), "loading")
    b:pass(92)
    lu.assertEquals(b:status(made.id), "running")
end

function TestInstances.test_a_rename_is_done_at_once()
    local b = box()
    for _, id in ipairs { PRO, PAUSED } do
        local status, body = b:patch("/instances/" .. id, { name = "renamed" })
        lu.assertEquals({ status, body.data.name }, { 200, "renamed" })
    end
    refused(400, "invalid-field", b:patch("/instances/" .. PRO, { name = "" }))
    refused(400, "missing-field", b:patch("/instances/" .. PRO, {}))
end

function TestInstances.test_resize()
    local b = box()
    local path = "/instances/" .. PRO
    local status, body = b:patch(path, { memory = "16G" })
    lu.assertEquals({ status, body.data.status, body.data.memory }, { 202, "updating", "8GB" })
    refused(409, "ongoing-database-operation", b:patch(path, { memory = "16G" }))
    refused(409, "ongoing-database-operation", b:patch(path, { name = "x" }))
    b:pass(136)
    body = select(2, b:get(path))
    lu.assertEquals({ body.data.status, body.data.memory, body.data.storage }, { "running", "16GB", "32GB" })
    lu.assertEquals(b:patch(path, { storage = "64GB" }), 202)
    b:pass(200)
    lu.assertEquals(b:patch(path, { memory = "8GB", storage = "32GB" }), 202)
    b:pass(200)
    body = select(2, b:get(path))
    lu.assertEquals({ body.data.memory, body.data.storage }, { "8GB", "32GB" })
end

function TestInstances.test_resizes_that_are_refused()
    local b = box()
    local path = "/instances/" .. PRO
    for _, case in ipairs { { { memory = "7GB" }, "memory" }, { { storage = "20GB" }, "memory" },
        { { memory = "4GB" }, "memory" }, { { memory = "8GB", storage = "4GB" }, "storage" },
        { { memory = "512GB" }, "memory" }, { { memory = "big" }, "memory" } } do
        local status, body = b:patch(path, case[1])
        refused(400, "invalid-memory-size", status, body, case[2])
    end
    lu.assertStrContains(select(2, b:patch(path, { memory = "4GB" })).errors[1].message, "6GB in use")
    refused(400, "database-incapable-of-action", b:patch("/instances/" .. FREE, { memory = "2GB" }))
    refused(409, "instance-action-unavailable", b:patch("/instances/" .. PAUSED, { memory = "8GB" }))
    lu.assertEquals(b:status(PRO), "running")
end

function TestInstances.test_secondaries_cdc_and_flags()
    local b = box()
    refused(400, "database-incapable-of-action", b:patch("/instances/" .. PRO, { secondaries_count = 1 }))
    refused(400, "database-incapable-of-action", b:patch("/instances/" .. PRO, { cdc_enrichment_mode = "FULL" }))
    refused(400, "invalid-field", b:patch("/instances/" .. VDC, { secondaries_count = 16 }))
    refused(400, "invalid-field", b:patch("/instances/" .. VDC, { cdc_enrichment_mode = "SOME" }))
    lu.assertEquals(b:patch("/instances/" .. VDC, { secondaries_count = 3, cdc_enrichment_mode = "OFF" }), 202)
    b:pass(200)
    local _, body = b:get("/instances/" .. VDC)
    lu.assertEquals({ body.data.secondaries_count, body.data.cdc_enrichment_mode }, { 3, "OFF" })
    b:change { instances = { { id = PRO, used = 0 } } }
    lu.assertEquals(b:patch("/instances/" .. PRO, { memory = "2GB" }), 202)
    b:pass(200)
    _, body = b:get("/instances/" .. PRO)
    lu.assertFalse(body.data.vector_optimized)
end

function TestInstances.test_delete()
    local b = box()
    local path = "/instances/" .. PRO
    local status, body = b:delete(path)
    lu.assertEquals({ status, body.data.status }, { 202, "destroying" })
    lu.assertEquals(b:status(PRO), "destroying")
    refused(404, "db-not-found", b:delete(path))
    b:change { switches = { deleted_twice = "410" } }
    refused(410, "db-already-deleted", b:delete(path))
    b:pass(75)
    refused(404, "db-not-found", b:get(path))
    refused(410, "db-already-deleted", b:delete(path))
    refused(404, "db-not-found", b:delete("/instances/00000000"))
    lu.assertEquals(#select(2, b:get("/instances")).data, 5)
    lu.assertEquals(b:delete("/instances/" .. PAUSED), 202)
end

function TestInstances.test_the_whole_migration_of_the_runbook()
    local b = box { speed = 60 }
    local _, captured = b:get("/instances/" .. PRO)
    b:delete("/instances/" .. PRO)
    b:pass(2)
    lu.assertEquals(b:status(PRO), 404)
    local old = captured.data
    local made = created(b, { name = old.name, type = old.type, region = old.region, tenant_id = old.tenant_id,
        cloud_provider = old.cloud_provider, memory = "8G", storage = "16G", version = "none",
        graph_analytics_plugin = old.graph_analytics_plugin, vector_optimized = old.vector_optimized })
    b:pass(4)
    local _, new = b:get("/instances/" .. made.id)
    for _, field in ipairs { "type", "region", "cloud_provider", "memory", "storage", "status", "name",
        "vector_optimized" } do
        lu.assertEquals(new.data[field], old[field], field)
    end
    created(b, { name = old.name, type = "enterprise-db", vector_optimized = true })
end

-- Inside halo its runner starts the tests; under plain Lua this file does.
if not helper.inside then
    os.exit(lu.LuaUnit.run())
end
