-- What the API refuses, over real HTTP against the emulator: every reason there is for each primitive. Each row is
-- tried as a method of a client and under its try (see check_refused in aura_box.lua).
local lu = require "luaunit"
local helper = require "aura_box"
local json = require "json"

local failure, order = helper.failure, helper.order
local check, check_all = helper.check_refused, helper.check_all_refused
local PLATFORM, LABS, PRO, PAUSED = helper.PLATFORM, helper.LABS, helper.PRO, helper.PAUSED
local CRITICAL, VDC, SCIENCE, FREE = helper.CRITICAL, helper.VDC, helper.SCIENCE, helper.FREE
local NOBODY = "00000000"
local ONE = "/v1/instances/" .. PRO

local function full(b)          -- a snapshot that can be exported
    return (b:snapshots(PRO))
end

local function differential(b)
    return (select(2, b:snapshots(PRO)))
end

local function fresh(b)         -- a snapshot that is being taken
    return select(2, b:post("/instances/" .. PRO .. "/snapshots")).data.snapshot_id
end

local function ledger_key(b)
    return b.service.key_order[1]
end

local function pending_key(b)
    return select(2, b:post("/customer-managed-keys", { key_id = "k", name = "k", cloud_provider = "aws",
        instance_type = "enterprise-db", region = "us-east-1", tenant_id = PLATFORM })).data.id
end

local function new_key(changes)
    local body = { key_id = "arn:aws:kms:us-east-1:1:key/2", name = "k", cloud_provider = "aws",
        instance_type = "enterprise-db", region = "us-east-1", tenant_id = PLATFORM }
    for field, value in pairs(changes) do
        body[field] = value
    end
    return body
end

TestNotFound = { tearDown = helper.stop }

function TestNotFound.test_an_instance_that_there_is_not()
    check_all({ kind = "not_found", status = 404, reason = "db-not-found", text = NOBODY }, {
        { "get", NOBODY },
        { "patch", NOBODY, { memory = 16 } },
        { "delete", NOBODY },
        { "pause", NOBODY },
        { "resume", NOBODY },
        { "overwrite", NOBODY, { source_instance_id = PRO } },
        { "overwrite", CRITICAL, { source_instance_id = NOBODY } },
        { "upgrade", NOBODY },
        { "snapshot.list", NOBODY },
        { "snapshot.get", NOBODY, full },
        { "snapshot.create", NOBODY },
        { "snapshot.restore", NOBODY, full },
        { "create", order { source_instance_id = NOBODY } },
        { "request", "POST", "/v1/instances/" .. NOBODY .. "/pause" },
    })
end

function TestNotFound.test_a_snapshot_a_project_a_key_a_path()
    check_all({ kind = "not_found", status = 404, reason = "snapshot-not-found" }, {
        { "snapshot.get", PRO, "nothing" },
        { "snapshot.restore", PRO, "nothing" },
        { "snapshot.get", CRITICAL, full },                   -- one of another instance
        { "overwrite", CRITICAL, { source_instance_id = PRO, source_snapshot_id = "nothing" } },
    })
    check_all({ kind = "not_found", status = 404, reason = "tenant-not-found" }, {
        { "tenant.get", "nobody" },
        { "tenant.metrics", "nobody" },
    })
    check_all({ kind = "not_found", status = 404, reason = "encryption-key-not-found" }, {
        { "key.get", "nothing" },
        { "key.delete", "nothing" },
    })
    check { "request", "GET", "/v1/nothing", kind = "not_found", status = 404, reason = "not-found" }
end

TestConflict = { tearDown = helper.stop }

local EVERY_CHANGE = {
    { "patch", { memory = 16 } }, { "pause" }, { "resume" }, { "overwrite", { source_instance_id = CRITICAL } },
    { "upgrade" }, { "snapshot.create" }, { "snapshot.restore", full }, { "delete" },
}

function TestConflict.test_no_change_while_an_operation_is_under_way()
    for _, change in ipairs(EVERY_CHANGE) do
        check { change[1], PRO, change[2], put = { [PRO] = { status = "updating" } }, kind = "conflict", status = 409,
            reason = "ongoing-database-operation", text = "undergoing an operation: updating" }
    end
end

function TestConflict.test_whatever_the_operation_is()
    for _, status in ipairs { "creating", "pausing", "suspending", "resuming", "loading", "restoring",
        "overwriting" } do
        check { "patch", PRO, { name = "x" }, put = { [PRO] = { status = status } }, kind = "conflict", status = 409,
            reason = "ongoing-database-operation", text = status }
    end
    check { "overwrite", CRITICAL, { source_instance_id = PRO }, put = { [PRO] = { status = "pausing" } },
        kind = "conflict", status = 409, reason = "ongoing-database-operation", text = "pausing" }
end

function TestConflict.test_an_action_that_the_status_does_not_allow()
    check_all({ kind = "conflict", status = 409, reason = "instance-action-unavailable" }, {
        { "pause", PAUSED },
        { "patch", PAUSED, { memory = 8 } },
        { "overwrite", PAUSED, { source_instance_id = PRO } },
        { "overwrite", CRITICAL, { source_instance_id = PAUSED } },
        { "upgrade", PAUSED },
        { "snapshot.create", PAUSED },
        { "snapshot.restore", PRO, full, put = { [PRO] = { status = "paused" } } },
        { "resume", PRO, text = "running" },
        { "resume", PRO, put = { [PRO] = { status = "suspended" } } },
        { "pause", PRO, put = { [PRO] = { status = "loading failed" } }, text = "loading failed" },
        { "upgrade", VDC, text = "enterprise-db" },
        { "upgrade", CRITICAL },
    })
end

function TestConflict.test_one_snapshot_at_a_time()
    check_all({ kind = "conflict", status = 409, reason = "snapshot-not-allowed" }, {
        { "snapshot.create", PRO, put = { [PRO] = { comment = fresh } } },
        { "snapshot.restore", PRO, fresh, text = "Pending" },
    })
end

function TestConflict.test_no_snapshot_while_the_first_scheduled_one_is_taken()
    local b = helper.start()
    local id = b.c:create(order()).id
    b:pass(216)
    lu.assertEquals(b.c:get(id).status, "running")
    local _, err = b.c.try.snapshot:create(id)
    lu.assertEquals({ err.kind, err.status, err.reason }, { "conflict", 409, "snapshot-not-allowed" })
    lu.assertStrContains(err.hint, "snapshot")
    b:pass(58)
    lu.assertEquals(#b.c.snapshot:create(id).snapshot_id, 36)
end

function TestConflict.test_running_does_not_prove_that_the_next_action_is_taken()
    local b = helper.start { switches = { busy_after = 20 } }
    local id = b.c:create(order()).id
    b:pass(216)
    lu.assertEquals(b.c:get(id).status, "running")
    local err = failure(b.c.pause, b.c, id, { timeout = 1 })      -- less than the shortest pause before another try
    lu.assertEquals({ err.kind, err.reason, err.attempts }, { "conflict", "ongoing-database-operation", 1 })
    lu.assertStrContains(err.message, "creating")
    b:pass(20)
    lu.assertEquals(b.c:pause(id).status, "pausing")
end

TestDeleted = { tearDown = helper.stop }

function TestDeleted.test_a_second_delete_in_each_dialect()
    local dialects = { ["404"] = { "not_found", 404, "db-not-found" },
        ["410"] = { "not_found", 410, "db-already-deleted" },
        ["409"] = { "conflict", 409, "ongoing-database-operation" } }
    for dialect, want in pairs(dialects) do
        local b = helper.start { switches = { deleted_twice = dialect } }
        lu.assertEquals(b.c:delete(PRO).status, "destroying")
        for _, seconds in ipairs { 10, 65 } do             -- while it goes, and when it has gone
            b:pass(seconds)
            local err = failure(b.c.delete, b.c, PRO, { retry = false })
            lu.assertEquals({ err.kind, err.status, err.reason }, want)
            local value, again = b.c.try:delete(PRO, { retry = false })
            lu.assertEquals({ value, again.status }, { nil, want[2] })
        end
        lu.assertEquals(failure(b.c.get, b.c, PRO).status, 404)
        lu.assertNil(b:record(PRO))
    end
end

TestTier = { tearDown = helper.stop }

function TestTier.test_what_a_free_instance_does_not_take()
    check { "overwrite", FREE, { source_instance_id = PRO }, kind = "invalid", status = 420,
        reason = "database-incapable-of-action" }
    check_all({ kind = "invalid", status = 400, reason = "database-incapable-of-action" }, {
        { "pause", FREE },
        { "patch", FREE, { memory = 2 }, field = "memory" },
        { "patch", FREE, { vector_optimized = true }, field = "vector_optimized" },
    })
end

function TestTier.test_what_other_types_do_not_take()
    check_all({ kind = "invalid", status = 400, reason = "database-incapable-of-action" }, {
        { "patch", PRO, { secondaries_count = 1 }, field = "secondaries_count" },
        { "patch", PRO, { cdc_enrichment_mode = "FULL" }, field = "cdc_enrichment_mode" },
        { "patch", CRITICAL, { graph_analytics_plugin = true }, field = "graph_analytics_plugin" },
        { "patch", SCIENCE, { vector_optimized = true }, field = "vector_optimized" },
        { "create", order { type = "business-critical", graph_analytics_plugin = true },
            field = "graph_analytics_plugin" },
    })
    check { "tenant.metrics", LABS, kind = "invalid", status = 400, reason = "tenant-incapable-of-action" }
    check { "key.delete", ledger_key, kind = "invalid", status = 400, reason = "encryption-key-is-active", text = VDC }
end

function TestTier.test_no_more_instances()
    check_all({ kind = "forbidden", status = 405, reason = "instance-limit-exceeded" }, {
        { "create", order(), switches = { max_instances = 6 }, text = "6 instances" },
        { "create", order { type = "free-db", cloud_provider = "gcp", region = "europe-west1", memory = "1GB",
            storage = "none" }, text = "free" },
    })
    check { "request", "DELETE", "/v1/tenants", kind = "forbidden", status = 405, reason = "method-not-allowed" }
end

function TestTier.test_no_contract_and_no_billing()
    check { "create", order { tenant_id = LABS }, kind = "forbidden", status = 403, reason = "tenant-not-entitled",
        attempts = 2 }                       -- a 403 may also mean an old token
    local b = helper.start()
    b:change { tenants = { { id = PLATFORM, name = "Platform", billing = false } } }
    local err = failure(b.c.create, b.c, order())
    lu.assertEquals({ err.kind, err.status, err.reason }, { "invalid", 400, "missing-billing-details" })
    lu.assertStrContains(err.hint, "billing details")
    err = failure(b.c.snapshot.create, b.c.snapshot, PRO)
    lu.assertEquals({ err.kind, err.status, err.reason }, { "forbidden", 402, "missing-billing-details" })
    lu.assertEquals({ #b.service.order, #b:record(PRO).snapshots }, { 6, 2 })
end

function TestTier.test_a_target_that_is_too_small_is_a_refusal_not_a_riddle()
    check { "overwrite", PRO, { source_instance_id = CRITICAL }, kind = "api", status = 500, retry = true,
        reason = "internal-error", text = "cannot clone into smaller database" }
end

TestFields = { tearDown = helper.stop }

function TestFields.test_of_create()
    local function create(field, changes, reason, text)
        check { "create", order(changes), kind = "invalid", status = 400, field = field,
            reason = reason or "invalid-field", text = text }
    end
    create("type", { type = "enterprise" }, nil, "free-db, professional-db")
    create("cloud_provider", { cloud_provider = "ibm" })
    create("region", { region = "europe-west1" }, nil, "europe-west1 is not offered")
    create("memory", { memory = "3GB" }, "invalid-memory-size")
    create("storage", { storage = "8GB" }, "invalid-memory-size", "memory 8GB with storage 8GB is not offered")
    create("version", { version = "3" })
    create("version", { version = "4", region = "eu-central-1" }, nil, "for enterprise-db aws eu-central-1")
    create("tenant_id", { tenant_id = "nobody" }, "tenant-not-found", "nobody")
    create("vector_optimized", { memory = "2GB", storage = "4GB", vector_optimized = true })
    create("source_instance_id", { source_snapshot_id = full })
    create("source_snapshot_id", { source_instance_id = PRO, source_snapshot_id = differential },
        "snapshot-not-exportable", "is not exportable")
    create("memory", { source_instance_id = PRO, memory = "4GB", storage = "8GB" }, "invalid-memory-size",
        "cannot clone into smaller database")
    create("customer_managed_key_id", { source_instance_id = VDC, memory = "32GB", storage = "64GB" })
    create("customer_managed_key_id", { customer_managed_key_id = "nothing" }, "encryption-key-not-found")
    create("customer_managed_key_id", { customer_managed_key_id = pending_key }, nil, "is pending")
    create("customer_managed_key_id", { customer_managed_key_id = ledger_key }, nil, "has another region")
    create("customer_managed_key_id", { customer_managed_key_id = ledger_key, type = "professional-db" },
        "tenant-incapable-of-action")
    check { "create", order { version = "none" }, switches = { strict_version = true }, kind = "invalid", status = 400,
        reason = "missing-field", field = "version" }
end

function TestFields.test_of_patch_and_upgrade()
    check_all({ kind = "invalid", status = 400, reason = "invalid-memory-size" }, {
        { "patch", PRO, { memory = 512 }, field = "memory" },
        { "patch", PRO, { storage = 512 }, field = "memory", text = "memory 8GB with storage 512GB" },
        { "patch", PRO, { memory = 16, storage = 16 }, field = "memory" },
        { "patch", PRO, { memory = 4 }, field = "memory", text = "smaller than the 6GB in use" },
        { "patch", PRO, { storage = 4 }, field = "storage", text = "smaller than the 6GB in use" },
        { "upgrade", PRO, { memory = 16 }, field = "storage" },
        { "upgrade", PRO, { storage = 16 }, field = "memory" },
        { "upgrade", PRO, { memory = 1, storage = 2 }, field = "memory", text = "2GB" },
        { "upgrade", PRO, { memory = 16, storage = 16 }, field = "memory" },
    })
    check_all({ kind = "invalid", status = 400, reason = "invalid-field" }, {
        { "patch", VDC, { cdc_enrichment_mode = "SOME" }, field = "cdc_enrichment_mode", text = "OFF, DIFF or FULL" },
        { "patch", PAUSED, { vector_optimized = true }, field = "vector_optimized",
            put = { [PAUSED] = { status = "running", memory = "2GB", storage = "4GB" } } },
    })
end

function TestFields.test_of_overwrite_sizing_and_keys()
    check_all({ kind = "invalid", status = 400, reason = "invalid-field" }, {
        { "overwrite", PRO, { source_instance_id = PRO }, field = "source_snapshot_id" },
        { "sizing", { node_count = 1, relationship_count = 1, instance_type = "enterprise-db" },
            field = "instance_type" },
        { "key.create", new_key { instance_type = "professional-db" }, field = "instance_type" },
        { "key.create", new_key { cloud_provider = "ibm" }, field = "cloud_provider" },
    })
    check { "key.create", new_key { tenant_id = "nobody" }, kind = "invalid", status = 400, field = "tenant_id",
        reason = "tenant-not-found" }
    check { "overwrite", CRITICAL, { source_instance_id = PRO, source_snapshot_id = differential }, kind = "invalid",
        status = 400, reason = "snapshot-not-exportable", field = "source_snapshot_id" }
end

-- What halo itself refuses to send can be sent with aura.request; several errors come in one answer.
function TestFields.test_of_bodies_that_only_request_sends()
    local b = helper.start()
    local err = failure(b.c.request, b.c, "POST", "/v1/instances", { name = "a" })
    lu.assertEquals({ err.kind, err.status, err.reason, err.field }, { "invalid", 400, "missing-field", "type" })
    lu.assertEquals(#err.errors, 5)
    for _, one in ipairs(err.errors) do
        lu.assertStrContains(err.message, one.field .. " is required")
    end
    check_all({ kind = "invalid", status = 400, reason = "invalid-field" }, {
        { "request", "PATCH", ONE, { name = " a" }, field = "name" },
        { "request", "PATCH", ONE, { secondaries_count = 16 }, field = "secondaries_count" },
        { "request", "PATCH", ONE, { vector_optimized = "true" }, field = "vector_optimized" },
        { "request", "GET", ONE .. "/snapshots?date=yesterday", field = "date" },
    })
    check_all({ kind = "invalid", status = 400 }, {
        { "request", "PATCH", ONE, { memory = "8Gi" }, field = "memory", reason = "invalid-memory-size" },
        { "request", "PATCH", ONE, {}, reason = "missing-field" },
        { "request", "POST", ONE .. "/pause", json.array { 1 }, reason = "invalid-json" },
    })
end
