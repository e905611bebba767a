---Projects, which API v1 calls tenants, and what may be created in them.
---
---A record: `id`, `name`, and if wanted `types` (the only types offered), `extra` (configurations offered besides),
---`instance_configurations` (in place of the generated ones), `billing = false` (no billing details given).
local answers = require "sandbox.answers"
local json = require "json"

local M = {}

---The project a request is about; ends the request when there is none.
---@return table tenant
function M.find(service, id)
    local tenant = service.tenants[id]
    if not tenant then
        answers.refuse(404, "tenant-not-found", "Tenant not found: " .. id)
    end
    return tenant
end

---All rows that a project offers.
local function configurations(service, tenant)
    local own = tenant.instance_configurations
    local rows = own and table.move(own, 1, #own, 1, {}) or service.facts.configurations(tenant.types)
    for _, row in ipairs(tenant.extra or {}) do
        rows[#rows + 1] = row
    end
    return rows
end

local FIELDS = { "type", "cloud_provider", "region", "memory", "storage", "version" }

---What a project offers as a tree: type, cloud, region, memory, storage, version. Free types have storage "".
local function offered(service, tenant)
    local tree = service.offered[tenant.id]
    if not tree then
        tree = {}
        for _, row in ipairs(configurations(service, tenant)) do
            local node = tree
            for _, field in ipairs(FIELDS) do
                local key = row[field] or ""
                local below = node[key]
                if not below then
                    below = {}
                    node[key] = below
                end
                node = below
            end
        end
        service.offered[tenant.id] = tree
    end
    return tree
end

local function not_offered(field, want, so_far)
    local size = field == "memory" or field == "storage"
    local message = ("%s %s is not offered"):format(field, tostring(want[field]))
    if field == "storage" then
        message = ("memory %s with storage %s is not offered"):format(want.memory, want.storage or "left out")
    end
    if #so_far > 0 then
        message = message .. " for " .. table.concat(so_far, " ")
    end
    answers.refuse(400, size and "invalid-memory-size" or "invalid-field", message, field)
end

---Ends the request unless a project offers a combination.
---@param want table type, cloud_provider, region, memory, storage (none for free types), perhaps version
function M.offers(service, tenant, want)
    local node, so_far = offered(service, tenant), {}
    local kind = service.facts.types[want.type]
    if kind and kind.entitled and not node[want.type] then
        answers.refuse(403, "tenant-not-entitled",
            ("Project %s has no contract for %s"):format(tenant.id, want.type))
    end
    for _, field in ipairs(FIELDS) do
        if field == "version" and not want.version then
            return
        end
        node = node[want[field] or ""]
        if not node then
            not_offered(field, want, so_far)
        elseif field ~= "memory" then
            so_far[#so_far + 1] = want[field]
        end
    end
end

---Ends the request unless an instance may have a memory and a storage, given where and what it is.
function M.offers_size(service, inst, memory, storage)
    local node = offered(service, service.tenants[inst.tenant_id])
    node = (((node[inst.type] or {})[inst.cloud_provider] or {})[inst.region] or {})[memory]
    if not (node and node[storage]) then
        answers.refuse(400, "invalid-memory-size", ("memory %s with storage %s is not offered for %s in %s")
            :format(memory, storage, inst.type, inst.region), "memory")
    end
end

---GET /tenants
function M.list(service)
    local list = {}
    for i, tenant in ipairs(service.tenant_order) do
        list[i] = { id = tenant.id, name = tenant.name }
    end
    return 200, { data = json.array(list) }
end

---GET /tenants/{id}. The answer is long and the same every time: its text is kept.
function M.get(service, _, id)
    local tenant = M.find(service, id)
    local text = service.tenant_text[id]
    if not text then
        text = json.encode { data = { id = id, name = tenant.name,
            instance_configurations = json.array(configurations(service, tenant)) } }
        service.tenant_text[id] = text
    end
    return 200, text
end

---GET /tenants/{id}/metrics-integration
function M.metrics(service, _, id)
    M.find(service, id)
    for _, inst in ipairs(service.order) do
        local kind = service.facts.types[inst.type]
        if inst.tenant_id == id and kind and kind.metrics then
            return 200, { data = { endpoint = ("https://customer-metrics-api.neo4j.io/api/v1/%s/metrics"):format(id) } }
        end
    end
    answers.refuse(400, "tenant-incapable-of-action", "The tenant has no instance with metrics integration")
end

---Puts a project into the service, or in place of the one with its id.
function M.add(service, tenant)
    if not service.tenants[tenant.id] then
        service.tenant_order[#service.tenant_order + 1] = tenant
    else
        for i, each in ipairs(service.tenant_order) do
            if each.id == tenant.id then
                service.tenant_order[i] = tenant
            end
        end
    end
    service.tenants[tenant.id] = tenant
    service.offered[tenant.id], service.tenant_text[tenant.id] = nil, nil
end

---Offers one more combination in a project.
function M.offer(service, tenant, row)
    tenant.extra = tenant.extra or {}
    tenant.extra[#tenant.extra + 1] = row
    service.offered[tenant.id], service.tenant_text[tenant.id] = nil, nil
end

return M
