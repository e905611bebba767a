---POST /instances: everything that is checked before an instance is made, and its making.
local answers = require "sandbox.answers"
local check = require "sandbox.check"
local keys = require "sandbox.keys"
local model = require "sandbox.model"
local snapshots = require "sandbox.snapshots"
local tenants = require "sandbox.tenants"

local M = {}

local REQUIRED = { "name", "type", "cloud_provider", "region", "memory", "tenant_id" }
local REQUIRED_STRICT = { "name", "type", "cloud_provider", "region", "memory", "tenant_id", "version" }

---What is asked for, with every field of the right form.
local function read(service, data)
    check.required(data, service.switches.strict_version and REQUIRED_STRICT or REQUIRED)
    local want = { name = check.name(data), memory = check.size(service, data, "memory"),
        storage = check.size(service, data, "storage"), vector_optimized = check.boolean(data, "vector_optimized"),
        graph_analytics_plugin = check.boolean(data, "graph_analytics_plugin") }
    for _, field in ipairs { "type", "cloud_provider", "region", "tenant_id", "version", "customer_managed_key_id",
        "source_instance_id", "source_snapshot_id" } do
        want[field] = check.text(data, field)
    end
    return want
end

---What is known of a type; ends the request for a type that there is not.
local function kind_of(service, want)
    local kind = service.facts.types[want.type]
    return kind or check.wrong("type", "type must be one of " .. table.concat(service.facts.type_order, ", "))
end

local function check_limits(service, tenant, want, kind)
    model.settle_all(service)
    local most = service.switches.max_instances
    if most > 0 and #service.order >= most then
        answers.refuse(405, "instance-limit-exceeded", ("No more than %d instances may be created"):format(most))
    elseif not kind.free and tenant.billing == false then
        answers.refuse(400, "missing-billing-details", "The tenant has no billing details")
    end
    for _, inst in ipairs(kind.free and service.order or {}) do
        if inst.type == want.type then
            answers.refuse(405, "instance-limit-exceeded", "The account has its one free instance already")
        end
    end
end

---Ends the request when a type does not take a flag.
---@param inst table type, memory, vector_optimized, graph_analytics_plugin
function M.check_flags(service, inst)
    local facts = service.facts
    local kind = facts.types[inst.type] or {}
    if inst.vector_optimized and not kind.vector then
        check.wrong("vector_optimized", inst.type .. " cannot be vector optimized", "database-incapable-of-action")
    elseif inst.vector_optimized and check.gb(inst.memory) < facts.vector_memory then
        check.wrong("vector_optimized", ("vector_optimized needs %dGB of memory"):format(facts.vector_memory))
    end
    local plugin = kind.plugin == true or (kind.plugin == "lenient" and service.lenient)
    if inst.graph_analytics_plugin and not plugin then
        check.wrong("graph_analytics_plugin", inst.type .. " does not take the graph analytics plugin",
            "database-incapable-of-action")
    end
end

---The instance to copy from, if any, after checking that it can be.
local function check_source(service, want)
    if not want.source_instance_id then
        if want.source_snapshot_id then
            check.wrong("source_instance_id", "source_snapshot_id needs source_instance_id")
        end
        return nil
    end
    local source = model.find(service, want.source_instance_id)
    if want.source_snapshot_id then
        M.check_exportable(service, source, want.source_snapshot_id)
    end
    if check.gb(want.storage) < source.used or check.gb(want.memory) < check.gb(source.memory) then
        check.wrong("memory", "cannot clone into smaller database", "invalid-memory-size")
    elseif source.customer_managed_key_id ~= want.customer_managed_key_id then
        check.wrong("customer_managed_key_id", "a clone must use the encryption key of its source")
    end
    return source
end

---A snapshot that others may be made from; ends the request when there is none or it cannot be exported.
function M.check_exportable(service, source, snapshot_id)
    local snapshot = snapshots.find(service, source, snapshot_id)
    if not snapshots.exportable(snapshot, service.now()) then
        check.wrong("source_snapshot_id", ("Source snapshot %s is not exportable"):format(snapshot_id),
            "snapshot-not-exportable")
    end
    return snapshot
end

local function fresh_id(service)
    local id = service.rng:id()
    while service.instances[id] or service.deleted[id] do
        id = service.rng:id()
    end
    return id
end

local function make(service, want, source)
    local now, id = service.now(), fresh_id(service)
    local vector = want.vector_optimized
    if vector == nil then
        vector = source and source.vector_optimized or false
    end
    return {
        id = id, name = want.name, tenant_id = want.tenant_id, type = want.type, region = want.region,
        cloud_provider = want.cloud_provider, memory = want.memory, storage = want.storage, version = want.version,
        customer_managed_key_id = want.customer_managed_key_id, vector_optimized = vector,
        graph_analytics_plugin = want.graph_analytics_plugin or false, created_at = answers.timestamp(now),
        connection_url = ("neo4j+s://%s.databases.neo4j.io"):format(id), password = service.rng:text(43),
        used = source and source.used or 0, snapshots = {},
        visible_from = now + service.switches.not_found_after_create / service.speed,
    }
end

---POST /instances
function M.create(service, req)
    local want = read(service, req.data)
    local kind = kind_of(service, want)
    local tenant = service.tenants[want.tenant_id]
        or check.wrong("tenant_id", "Tenant not found: " .. want.tenant_id, "tenant-not-found")
    if not kind.free then
        want.storage = want.storage or check.gb(want.memory) * 2 .. "GB"
    end
    tenants.offers(service, tenant, want)
    M.check_flags(service, want)
    keys.check(service, want, kind)
    local source = check_source(service, want)
    check_limits(service, tenant, want, kind)

    want.version = want.version or "5"
    local inst = make(service, want, source)
    model.add(service, inst)
    model.begin(service, inst, source and "clone" or "create")
    inst.pending.shown_from = 0              -- no lag: there is nothing it was before
    local phases = inst.pending.phases
    snapshots.take(service, inst, phases[#phases].ends, "Scheduled")
    return 202, { data = { id = inst.id, connection_url = inst.connection_url, username = "neo4j",
        password = inst.password, tenant_id = inst.tenant_id, cloud_provider = inst.cloud_provider,
        region = inst.region, type = inst.type, name = inst.name, created_at = inst.created_at,
        vector_optimized = inst.vector_optimized, graph_analytics_plugin = inst.graph_analytics_plugin } }
end

return M
