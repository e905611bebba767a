---Customer managed keys. Their status follows from `ready_at`, as an instance's does from its times.
local answers = require "sandbox.answers"
local check = require "sandbox.check"
local json = require "json"
local model = require "sandbox.model"

local M = {}

local REQUIRED = { "key_id", "name", "cloud_provider", "instance_type", "region", "tenant_id" }

local function status_of(service, key)
    return key.status or (service.now() < key.ready_at and "pending" or "ready")
end

---A key as GET shows it. Some clients read its type as `type`, others as `instance_type`: both are there.
local function view(service, key)
    return { id = key.id, name = key.name, created = key.created, cloud_provider = key.cloud_provider,
        key_id = key.key_id, region = key.region, instance_type = key.instance_type, type = key.instance_type,
        tenant_id = key.tenant_id, status = status_of(service, key) }
end

local function find(service, id)
    local key = service.keys[id]
    if not key then
        answers.refuse(404, "encryption-key-not-found", "Encryption key not found: " .. id)
    end
    return key
end

---Puts a key into the service, or in place of the one with its id.
function M.add(service, key)
    if not service.keys[key.id] then
        service.key_order[#service.key_order + 1] = key.id
    end
    service.keys[key.id] = key
end

---Ends the creation of an instance when the key it names does not fit.
function M.check(service, want, kind)
    local field, id = "customer_managed_key_id", want.customer_managed_key_id
    if not id then
        return
    elseif not kind.own_key then
        check.wrong(field, want.type .. " does not take a customer managed key", "tenant-incapable-of-action")
    end
    local key = service.keys[id]
    if not key then
        check.wrong(field, "Encryption key not found: " .. id, "encryption-key-not-found")
    elseif status_of(service, key) ~= "ready" then
        check.wrong(field, ("Encryption key %s is %s"):format(id, status_of(service, key)))
    end
    for own, of_key in pairs { region = "region", cloud_provider = "cloud_provider", tenant_id = "tenant_id",
        type = "instance_type" } do
        if want[own] ~= key[of_key] then
            check.wrong(field, ("Encryption key %s has another %s: %s"):format(id, of_key, tostring(key[of_key])))
        end
    end
end

---GET /customer-managed-keys?tenantId=
function M.list(service, req)
    local list, tenant = {}, req.query.tenantId
    for _, id in ipairs(service.key_order) do
        local key = service.keys[id]
        if not tenant or key.tenant_id == tenant then
            list[#list + 1] = { id = key.id, name = key.name, tenant_id = key.tenant_id }
        end
    end
    return 200, { data = json.array(list) }
end

---POST /customer-managed-keys
function M.create(service, req)
    local data, now = req.data, service.now()
    check.required(data, REQUIRED)
    local key = { id = service.rng:uuid(), created = answers.timestamp(now),
        ready_at = now + model.lasts(service, service.facts.key_pending) }
    for _, field in ipairs(REQUIRED) do
        key[field] = check.text(data, field)
    end
    check.name(data)
    local kind = service.facts.types[key.instance_type]
    if not (kind and kind.own_key) then
        check.wrong("instance_type", "instance_type must be enterprise-db or enterprise-ds")
    elseif not service.tenants[key.tenant_id] then
        check.wrong("tenant_id", "Tenant not found: " .. key.tenant_id, "tenant-not-found")
    elseif not ({ aws = true, azure = true, gcp = true })[key.cloud_provider] then
        check.wrong("cloud_provider", "cloud_provider must be aws, azure or gcp")
    end
    M.add(service, key)
    return 202, { data = view(service, key) }
end

---GET /customer-managed-keys/{id}
function M.get(service, _, id)
    return 200, { data = view(service, find(service, id)) }
end

---DELETE /customer-managed-keys/{id}
function M.delete(service, _, id)
    find(service, id)
    model.settle_all(service)
    for _, inst in ipairs(service.order) do
        if inst.customer_managed_key_id == id then
            answers.refuse(400, "encryption-key-is-active", ("Encryption key %s is used by %s"):format(id, inst.id))
        end
    end
    service.keys[id] = nil
    for i, each in ipairs(service.key_order) do
        if each == id then
            table.remove(service.key_order, i)
            break
        end
    end
    return 204, nil
end

return M
