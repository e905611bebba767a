---An instance's life. Nothing runs in the background: what an instance has become since it was last
---looked at is worked out from the times in its `pending` operation whenever it is looked at again.
---
---A record holds the fields of the API and, beside them: `password`, `used` (GB its data take), `snapshots`,
---`hide` (fields left out of every answer), `visible_from` (time from which a GET finds it), `done` (its last
---operation: `{ status=, at= }`) and `pending`: `{ before=, shown_from=, phases={ { status=, ends= }, ... },
---to=, set={ fields that change at the end } }`.
local answers = require "sandbox.answers"
local check = require "sandbox.check"
local json = require "json"

local M = {}

local METRICS = "https://customer-metrics-api.neo4j.io/api/v1/"

---Takes an instance out of the service, for good.
function M.remove(service, inst)
    service.instances[inst.id] = nil
    service.deleted[inst.id] = true
    for i, each in ipairs(service.order) do
        if each == inst then
            table.remove(service.order, i)
            break
        end
    end
end

---Puts an instance into the service.
function M.add(service, inst)
    service.instances[inst.id] = inst
    service.order[#service.order + 1] = inst
    service.deleted[inst.id] = nil
end

---Brings an instance up to now; removes it when its deletion has ended.
---@return boolean there
function M.settle(service, inst, now)
    local pending = inst.pending
    if not pending then
        return true
    end
    local phases = pending.phases
    for i = 1, #phases do
        if now < phases[i].ends then
            inst.status = phases[i].status
            return true
        end
    end
    local last = phases[#phases]
    inst.pending = nil
    if pending.to == "deleted" then
        M.remove(service, inst)
        return false
    end
    for field, value in pairs(pending.set) do
        inst[field] = value
    end
    inst.done, inst.status = { status = last.status, at = last.ends }, pending.to
    return true
end

---Brings all instances up to now.
function M.settle_all(service)
    local now = service.now()
    for i = #service.order, 1, -1 do
        M.settle(service, service.order[i], now)
    end
end

local function unknown(id)
    answers.refuse(404, "db-not-found", "DB not found: " .. id)
end

---The instance a request is about; ends the request when there is none.
---@return table inst
function M.find(service, id)
    local inst, now = service.instances[id], service.now()
    if not inst or not M.settle(service, inst, now) or (inst.visible_from and now < inst.visible_from) then
        unknown(id)
    end
    return inst
end

---Answers for an instance that is being deleted or is gone, in the dialect chosen.
function M.refuse_deleted(service, id)
    local how = service.switches.deleted_twice
    if how == "410" then
        answers.refuse(410, "db-already-deleted", "DB already deleted: " .. id)
    elseif how == "409" then
        answers.refuse(409, "ongoing-database-operation",
            "The database is currently undergoing an operation: destroying")
    end
    unknown(id)
end

---Ends the request unless an operation may start.
---@param operation string name in `facts.transitions`
function M.allow(service, inst, operation)
    local status, switches = inst.status, service.switches
    local busy = service.facts.busy[status] and status
    if not busy and inst.done and service.now() < inst.done.at + switches.busy_after / service.speed then
        busy = inst.done.status
    end
    if busy then
        answers.refuse(409, "ongoing-database-operation",
            "The database is currently undergoing an operation: " .. busy)
    end
    for _, from in ipairs(service.facts.transitions[operation].from) do
        if from == status then
            return
        end
    end
    answers.refuse(409, "instance-action-unavailable",
        ("The action %s is not available while the instance is %s"):format(operation, status))
end

---How long something takes here: seconds of the real service through the speed.
---@param duration table `{ seconds=, per_gb= }`
---@param memory string?
function M.lasts(service, duration, memory)
    return (duration.seconds + (duration.per_gb or 0) * check.gb(memory)) / service.speed
end

---Starts an operation.
---@param operation string name in `facts.transitions`
---@param set table? fields that change when it ends
function M.begin(service, inst, operation, set)
    local rule, now = service.facts.transitions[operation], service.now()
    local phases, at = {}, now
    for i, phase in ipairs(rule.phases) do
        at = at + M.lasts(service, phase, inst.memory)
        phases[i] = { status = phase.status, ends = at }
    end
    inst.pending = { before = inst.status, phases = phases, to = rule.to, set = set or {},
        shown_from = now + service.switches.running_lag / service.speed }
    inst.status = phases[1].status
end

---What is shown of the fields that a type may lack.
local function add_optional(service, inst, shown, kind)
    if kind.metrics then
        shown.metrics_integration_url = METRICS .. inst.tenant_id .. "/" .. inst.id .. "/metrics"
    end
    if kind.secondaries or inst.secondaries_count then
        shown.secondaries_count = inst.secondaries_count or 0
    end
    if kind.cdc and not kind.science or inst.cdc_enrichment_mode then
        shown.cdc_enrichment_mode = inst.cdc_enrichment_mode or "OFF"
    end
    if kind.free then
        shown.storage = nil
        local nodes, relationships = inst.graph_nodes or 0, inst.graph_relationships or 0
        if service.switches.graph_counts == "string" then
            nodes, relationships = tostring(nodes), tostring(relationships)
        end
        shown.graph_nodes, shown.graph_relationships = nodes, relationships
    end
end

local NO_KIND = {}

---An instance as GET shows it.
---@param accepted boolean? whether this answers the action itself, which no lag delays
function M.view(service, inst, accepted)
    local status, pending = inst.status, inst.pending
    if pending and not accepted and service.now() < pending.shown_from then
        status = pending.before
    end
    local shown = {
        id = inst.id, name = inst.name, status = status, tenant_id = inst.tenant_id, type = inst.type,
        cloud_provider = inst.cloud_provider, region = inst.region, memory = inst.memory, storage = inst.storage,
        created_at = inst.created_at, customer_managed_key_id = inst.customer_managed_key_id,
        vector_optimized = inst.vector_optimized, graph_analytics_plugin = inst.graph_analytics_plugin,
    }
    if status == "creating" then
        shown.connection_url = json.null
        local memory = service.switches.creating_memory
        if memory ~= "real" then
            shown.memory = memory == "null" and json.null or ""
        end
    elseif status == "resuming" then
        shown.connection_url = json.null
    elseif status ~= "restoring" then
        shown.connection_url = inst.connection_url
    end
    add_optional(service, inst, shown, service.facts.types[inst.type] or NO_KIND)
    for _, field in ipairs(inst.hide or NO_KIND) do
        shown[field] = nil
    end
    return shown
end

return M
