---What the emulator starts with: example data, a state printed by `GET /_sandbox/state`, or the
---`instance-config.json` that somebody captured from the real service.
local answers = require "sandbox.answers"
local check = require "sandbox.check"
local keys = require "sandbox.keys"
local model = require "sandbox.model"
local tenants = require "sandbox.tenants"

local M = {}

local PLATFORM = "6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44"
local LABS = "d94c7a18-52e6-4b3f-8c0d-71a9e2f6b035"
local KEY = "9e3d5b70-14c2-4f8a-b6d1-0c8f27a4e513"

---The example: one instance of each kind and of each settled state.
function M.example()
    return {
        tenants = {
            { id = PLATFORM, name = "Platform" },
            { id = LABS, name = "Labs", types = { "free-db", "professional-db" } },
        },
        keys = {
            { id = KEY, name = "ledger-key", cloud_provider = "aws", region = "eu-central-1", tenant_id = PLATFORM,
              instance_type = "enterprise-db", created = "2025-11-03T08:30:00Z", ready_at = 0,
              key_id = "arn:aws:kms:eu-central-1:111122223333:key/4f6c2b1e-90ab-4d7c-8e21-5a3b7d9c0f12" },
        },
        instances = {
            { id = "3fa29c1e", name = "orders-prod", type = "professional-db", tenant_id = PLATFORM,
              cloud_provider = "aws", region = "us-east-1", memory = "8GB", storage = "16GB", used = 6,
              vector_optimized = true, created_at = "2026-02-26T15:07:13Z" },
            { id = "7c41d09b", name = "billing-archive", type = "professional-db", tenant_id = PLATFORM,
              cloud_provider = "gcp", region = "europe-west1", memory = "4GB", storage = "8GB", used = 2,
              status = "paused", created_at = "2025-09-12T07:41:50Z" },
            { id = "b8e2f5a6", name = "customers-live", type = "business-critical", tenant_id = PLATFORM,
              cloud_provider = "aws", region = "eu-west-1", memory = "16GB", storage = "32GB", used = 11,
              secondaries_count = 1, cdc_enrichment_mode = "DIFF", created_at = "2025-12-01T10:22:08Z" },
            { id = "a4406e1d", name = "ledger", type = "enterprise-db", tenant_id = PLATFORM,
              cloud_provider = "aws", region = "eu-central-1", memory = "32GB", storage = "64GB", used = 20,
              customer_managed_key_id = KEY, secondaries_count = 2, cdc_enrichment_mode = "FULL",
              created_at = "2025-11-03T09:02:31Z" },
            { id = "e91c6f40", name = "fraud-models", type = "enterprise-ds", tenant_id = PLATFORM,
              cloud_provider = "azure", region = "uksouth", memory = "16GB", storage = "32GB", used = 9,
              created_at = "2026-01-19T13:55:27Z" },
            { id = "52d7a3e9", name = "playground", type = "free-db", tenant_id = LABS,
              cloud_provider = "gcp", region = "europe-west1", memory = "1GB", used = 0,
              graph_nodes = 1482, graph_relationships = 9077, created_at = "2026-02-02T18:14:44Z" },
        },
    }
end

---A finished snapshot, taken today.
local function taken(service, inst, share, fields)
    local now = service.now()
    local midnight = now - now % 86400
    local at = midnight + (now - midnight) * share
    local snapshot = { snapshot_id = service.rng:uuid(), profile = "Scheduled", at = at, starts = at, ends = at,
        used = inst.used }
    for field, value in pairs(fields) do
        snapshot[field] = value
    end
    inst.snapshots[#inst.snapshots + 1] = snapshot
end

---Fills in what a record needs and does not say.
local function complete(service, inst)
    local kind = service.facts.types[inst.type or "enterprise-db"]
    local defaults = {
        name = "instance-" .. inst.id, type = "enterprise-db", status = "running", tenant_id = PLATFORM,
        cloud_provider = "aws", region = "us-east-1", memory = "8GB", version = "5", vector_optimized = false,
        graph_analytics_plugin = false, used = 1, created_at = answers.timestamp(service.now()),
        connection_url = ("neo4j+s://%s.databases.neo4j.io"):format(inst.id),
    }
    for field, value in pairs(defaults) do
        if inst[field] == nil then
            inst[field] = value
        end
    end
    if not inst.storage and not (kind and kind.free) then
        inst.storage = check.gb(inst.memory) * 2 .. "GB"
    end
    inst.password = inst.password or service.rng:text(43)
    if not inst.snapshots then
        inst.snapshots = {}
        taken(service, inst, 0.5, {})
        taken(service, inst, 0.9, { differential = true })
    end
end

---A project that offers what an instance is, so that it can be created again.
local function ensure_tenant(service, inst)
    local tenant = service.tenants[inst.tenant_id]
    if not tenant then
        tenant = { id = inst.tenant_id, name = "Project of " .. inst.name }
        tenants.add(service, tenant)
    end
    local want = { type = inst.type, cloud_provider = inst.cloud_provider, region = inst.region, memory = inst.memory,
        storage = inst.storage, version = inst.version }
    if not pcall(tenants.offers, service, tenant, want) then
        tenants.offer(service, tenant, service.facts.configuration(inst.type, inst.cloud_provider, inst.region,
            inst.memory, inst.storage, inst.version))
    end
end

local function merge_instance(service, given)
    if type(given) ~= "table" or type(given.id) ~= "string" then
        answers.refuse(400, "missing-field", "an instance needs an id", "id")
    end
    local inst = service.instances[given.id]
    if given.deleted then
        if inst then
            model.remove(service, inst)
        end
        return
    end
    local is_new = not inst
    inst = inst or { id = given.id }
    if given.status and not given.pending then
        inst.pending, inst.done, inst.visible_from = nil, nil, nil
    end
    for field, value in pairs(given) do
        inst[field] = value
    end
    complete(service, inst)
    if is_new then
        model.add(service, inst)
    end
    -- The examples are offered as they are; the check would generate every configuration at the start.
    if not (given.example and service.tenants[inst.tenant_id]) then
        ensure_tenant(service, inst)
    end
end

---Adds to, or changes, what is there: tenants, keys, instances by their id.
function M.merge(service, data)
    for _, tenant in ipairs(data.tenants or {}) do
        tenants.add(service, tenant)
    end
    for _, key in ipairs(data.keys or {}) do
        local known = service.keys[key.id] or { ready_at = 0, created = answers.timestamp(service.now()) }
        for field, value in pairs(key) do
            known[field] = value
        end
        keys.add(service, known)
    end
    for _, inst in ipairs(data.instances or {}) do
        merge_instance(service, inst)
    end
end

---An instance as the real service showed it. What it was in the middle of has ended.
local function captured(shown)
    local inst = { password = nil }
    for field, value in pairs(shown) do
        inst[field] = value
    end
    inst.tenant_id = inst.tenant_id or inst.project_id
    inst.project_id = nil
    for _, field in ipairs { "memory", "storage" } do
        local gb = check.gb(tostring(inst[field] or ""))
        inst[field] = gb > 0 and gb .. "GB" or nil
    end
    local status = tostring(inst.status or "running"):lower()
    inst.status = (status == "paused" or status == "pausing") and "paused" or "running"
    return inst
end

---Puts a seed into the service.
---@param data table a state (in place of the example when it has tenants, else added to it), or a captured
---  `{ data = instance or list of them }`, which is added
---@return boolean? ok
---@return string? message
function M.load(service, data)
    local shown = type(data.data) == "table" and data.data or (data.id and data) or nil
    if shown then
        local instances = {}
        for i, each in ipairs(shown.id and { shown } or shown) do
            instances[i] = captured(each)
        end
        data = { instances = instances }
    end
    if not (data.instances or data.tenants or data.keys) then
        return nil, "holds neither an instance ({\"data\": {...}}) nor a state of the sandbox"
    end
    if data.tenants then                 -- a whole state, in place of the example
        service:clear()
    end
    M.merge(service, data)
    if shown then
        service.main = data.instances[1].id
    elseif not service.instances[service.main] then
        service.main = service.order[1] and service.order[1].id
    end
    if type(data.switches) == "table" then
        return require "sandbox.switches".set(service.switches, data.switches)
    end
    return true
end

return M
