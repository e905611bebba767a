---What can be done to an instance besides changing it: pause, resume, overwrite, upgrade. And sizing.
local answers = require "sandbox.answers"
local check = require "sandbox.check"
local create = require "sandbox.create"
local model = require "sandbox.model"
local snapshots = require "sandbox.snapshots"
local tenants = require "sandbox.tenants"

local M = {}

local function is_free(service, inst)
    local kind = service.facts.types[inst.type]
    return kind and kind.free
end

local function start(service, inst, operation, set, status)
    model.begin(service, inst, operation, set)
    return status or 202, { data = model.view(service, inst, true) }
end

---POST /instances/{id}/pause
function M.pause(service, _, id)
    local inst = model.find(service, id)
    if is_free(service, inst) then
        answers.refuse(400, "database-incapable-of-action", "A free-db instance cannot be paused")
    end
    model.allow(service, inst, "pause")
    return start(service, inst, "pause")
end

---POST /instances/{id}/resume
function M.resume(service, _, id)
    local inst = model.find(service, id)
    model.allow(service, inst, "resume")
    return start(service, inst, "resume")
end

---POST /instances/{id}/overwrite
function M.overwrite(service, req, id)
    local inst = model.find(service, id)
    if is_free(service, inst) then
        answers.refuse(420, "database-incapable-of-action", "A free-db instance cannot be overwritten")
    end
    check.required(req.data, { "source_instance_id" })
    local source = model.find(service, check.text(req.data, "source_instance_id"))
    local snapshot_id = check.text(req.data, "source_snapshot_id")
    local snapshot = snapshot_id and create.check_exportable(service, source, snapshot_id)
    model.allow(service, inst, "overwrite")
    if check.gb(inst.storage) < check.gb(source.storage) then
        answers.refuse(500, "internal-error", "cannot clone into smaller database")
    end
    if not snapshot then
        if source == inst then
            check.wrong("source_snapshot_id", "an instance is overwritten with itself only from a snapshot")
        end
        model.allow(service, source, "snapshot")
        snapshots.take(service, source, service.now(), "AdHoc")
    end
    return start(service, inst, "overwrite", { used = source.used })
end

---POST /instances/{id}/upgrade: professional-db to business-critical, in place
function M.upgrade(service, req, id)
    local inst = model.find(service, id)
    local memory, storage = check.size(service, req.data, "memory"), check.size(service, req.data, "storage")
    if inst.type ~= "professional-db" then
        answers.refuse(409, "instance-action-unavailable", ("A %s instance cannot be upgraded"):format(inst.type))
    elseif (memory == nil) ~= (storage == nil) then
        check.wrong(memory and "storage" or "memory", "memory and storage are given both or neither",
            "invalid-memory-size")
    end
    model.allow(service, inst, "upgrade")
    memory, storage = memory or inst.memory, storage or inst.storage
    if check.gb(memory) < service.facts.upgrade_memory then
        check.wrong("memory", ("business-critical needs %dGB of memory"):format(service.facts.upgrade_memory),
            "invalid-memory-size")
    end
    local target = { type = "business-critical", region = inst.region, cloud_provider = inst.cloud_provider,
        tenant_id = inst.tenant_id }
    tenants.offers_size(service, target, memory, storage)
    inst.type, inst.graph_analytics_plugin = "business-critical", false
    return start(service, inst, "upgrade", { memory = memory, storage = storage },
        service.switches.upgrade_status)
end

local SIZED = { ["enterprise-ds"] = true, ["professional-ds"] = true }
-- Bytes a node and a relationship take in memory, and what each kind of algorithm adds: rough figures.
local NODE_BYTES, RELATIONSHIP_BYTES, ALGORITHM_SHARE = 220, 90, 0.15

---POST /instances/sizing
function M.sizing(service, req)
    local data = req.data
    check.required(data, { "node_count", "relationship_count", "instance_type" })
    local nodes = check.integer(data, "node_count", 0, math.maxinteger)
    local relationships = check.integer(data, "relationship_count", 0, math.maxinteger)
    local kind = check.text(data, "instance_type")
    local algorithms = data.algorithm_categories or {}
    if not SIZED[kind] then
        check.wrong("instance_type", "instance_type must be enterprise-ds or professional-ds")
    elseif type(algorithms) ~= "table" then
        check.wrong("algorithm_categories", "algorithm_categories must be a list")
    end
    local bytes = 1.0 * nodes * NODE_BYTES + 1.0 * relationships * RELATIONSHIP_BYTES
    bytes = bytes * (1 + ALGORITHM_SHARE * #algorithms)
    local needed = math.max(1, math.ceil(math.min(bytes / 2 ^ 30, 1e9)))
    local sizes = service.facts.types[kind].memory
    local best = sizes[#sizes]
    for i = #sizes, 1, -1 do
        best = sizes[i] >= needed and sizes[i] or best
    end
    return 200, { data = { did_exceed_maximum = needed > sizes[#sizes], min_required_memory = needed .. "GB",
        recommended_size = best .. "GB" } }
end

return M
