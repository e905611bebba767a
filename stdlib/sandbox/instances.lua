---Instances: list, get, change, delete.
local check = require "sandbox.check"
local create = require "sandbox.create"
local json = require "json"
local model = require "sandbox.model"
local tenants = require "sandbox.tenants"

local M = {}

---GET /instances?tenantId=
function M.list(service, req)
    model.settle_all(service)
    local list, tenant = {}, req.query.tenantId
    for _, inst in ipairs(service.order) do
        if not tenant or inst.tenant_id == tenant then
            list[#list + 1] = { id = inst.id, name = inst.name, tenant_id = inst.tenant_id,
                cloud_provider = inst.cloud_provider, created_at = inst.created_at }
        end
    end
    return 200, { data = json.array(list) }
end

---GET /instances/{id}
function M.get(service, _, id)
    return 200, { data = model.view(service, model.find(service, id)) }
end

---What a PATCH asks for, with every field of the right form.
local function read(service, data)
    local want = { name = check.name(data), memory = check.size(service, data, "memory"),
        storage = check.size(service, data, "storage"), vector_optimized = check.boolean(data, "vector_optimized"),
        graph_analytics_plugin = check.boolean(data, "graph_analytics_plugin"),
        secondaries_count = check.integer(data, "secondaries_count", 0, service.facts.most_secondaries),
        cdc_enrichment_mode = check.text(data, "cdc_enrichment_mode") }
    if not next(want) then
        check.wrong(nil, "the body names nothing that can be changed", "missing-field")
    elseif want.cdc_enrichment_mode and not service.facts.cdc_modes[want.cdc_enrichment_mode] then
        check.wrong("cdc_enrichment_mode", "cdc_enrichment_mode must be OFF, DIFF or FULL")
    end
    return want
end

local function check_tier(service, inst, want)
    local kind = service.facts.types[inst.type] or {}
    for field in pairs(want) do
        local capable = not kind.free
        if field == "secondaries_count" then
            capable = kind.secondaries
        elseif field == "cdc_enrichment_mode" then
            capable = kind.cdc
        end
        if not capable then
            check.wrong(field, ("%s cannot be changed on %s"):format(field, inst.type),
                "database-incapable-of-action")
        end
    end
end

local function check_used(inst, field, value)
    if check.gb(value) < check.gb(inst[field]) and check.gb(value) < inst.used then
        check.wrong(field, ("%s %s is smaller than the %dGB in use"):format(field, value, inst.used),
            "invalid-memory-size")
    end
end

---Completes and checks a change of size. Storage follows memory unless it is named as well.
local function resize(service, inst, want)
    if not (want.memory or want.storage) then
        return
    end
    if want.memory and not want.storage then
        want.storage = check.gb(want.memory) * 2 .. "GB"
    end
    local memory = want.memory or inst.memory
    check_used(inst, "memory", memory)
    check_used(inst, "storage", want.storage)
    tenants.offers_size(service, inst, memory, want.storage)
    local small = check.gb(memory) < service.facts.vector_memory
    if small and inst.vector_optimized and want.vector_optimized == nil then
        want.vector_optimized = false
    end
end

---PATCH /instances/{id}: a rename is done at once, everything else takes a while.
function M.patch(service, req, id)
    local inst = model.find(service, id)
    local want = read(service, req.data)
    local name = want.name
    want.name = nil
    if next(want) == nil then
        model.allow(service, inst, "rename")
        inst.name = name
        return 200, { data = model.view(service, inst) }
    end
    model.allow(service, inst, "update")
    check_tier(service, inst, want)
    resize(service, inst, want)
    create.check_flags(service, { type = inst.type, memory = want.memory or inst.memory,
        vector_optimized = want.vector_optimized, graph_analytics_plugin = want.graph_analytics_plugin })
    inst.name = name or inst.name
    model.begin(service, inst, "update", want)
    if service.switches.patch_body == "empty" then
        return 202, {}
    end
    return 202, { data = model.view(service, inst, true) }
end

---DELETE /instances/{id}: taken at most once.
function M.delete(service, _, id)
    local inst = service.instances[id]
    if inst and model.settle(service, inst, service.now()) then
        if inst.status == "destroying" then
            model.refuse_deleted(service, id)
        end
    elseif service.deleted[id] then
        model.refuse_deleted(service, id)
    end
    inst = model.find(service, id)
    model.allow(service, inst, "delete")
    model.begin(service, inst, "delete")
    return 202, { data = model.view(service, inst, true) }
end

return M
