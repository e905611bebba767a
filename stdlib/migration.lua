---What a migration decides, without any request: what is to be created, whether the project offers
---it, what cannot be carried over, and whether the new instance is what the old one was.
local json = require "json"
local clean = require "report".clean
local keys = require "report".keys
local nearest = require "args".nearest
local size = require "size"

local M = {}

local ALIASES = { vdc = "enterprise-db", pro = "professional-db", bc = "business-critical", free = "free-db" }
-- What each type takes, as far as it is known (aura-api notes 2.1 and 5).
local SECONDARIES = { ["enterprise-db"] = true, ["business-critical"] = true }
local CDC = { ["enterprise-db"] = true, ["business-critical"] = true, ["enterprise-ds"] = true }
local OWN_KEY = { ["enterprise-db"] = true, ["enterprise-ds"] = true }
local PLUGIN = { ["enterprise-db"] = true, ["professional-db"] = true }
local VECTOR = { ["enterprise-db"] = true, ["professional-db"] = true, ["business-critical"] = true }
local OPTION = { type = "--target-type", cloud_provider = "--cloud-provider", tenant_id = "--tenant-id" }
local KNOWN = {}
for name in ([[id name status tenant_id project_id cloud_provider connection_url metrics_integration_url region type
    memory storage created_at secondaries_count cdc_enrichment_mode vector_optimized graph_analytics_plugin
    customer_managed_key_id graph_nodes graph_relationships]]):gmatch("%S+") do
    KNOWN[name] = true
end

local function option(field)
    return OPTION[field] or "--" .. field:gsub("_", "-")
end

local function present(value)
    return value ~= nil and value ~= "" and value ~= json.null
end

-- A value that says "nothing special": its absence in the new instance is no difference.
local function is_default(value)
    return not present(value) or value == false or value == 0 or value == "OFF"
        or (type(value) == "table" and next(value) == nil)
end

---@param config table an instance as the API shows it
---@return string? id of its project, which some versions of the API call tenant and some project
function M.project(config)
    return present(config.tenant_id) and config.tenant_id or present(config.project_id) and config.project_id or nil
end

---Builds what is to be sent to create the instance again.
---@param config table the captured instance
---@param asked table overrides: name, type, region, cloud_provider, memory, storage, version
---@return table payload
---@return table<string, any> later what can only be set once it runs
---@return string[] lost what cannot be carried over, for people
---@return table<string, boolean> lost_fields
function M.payload(config, asked)
    local kind = asked.type and (ALIASES[asked.type:lower()] or asked.type) or config.type
    local payload, later, lost, lost_fields = {}, {}, {}, {}
    local function lose(field, text, ...)
        lost[#lost + 1], lost_fields[field] = text:format(...), true
    end
    for _, field in ipairs { "name", "region", "cloud_provider", "memory", "storage", "version" } do
        local value = asked[field]
        if value == nil and field ~= "version" then
            value = config[field]
        end
        payload[field] = present(value) and value or nil
    end
    payload.type = present(kind) and kind or nil
    payload.tenant_id = M.project(config)
    for _, field in ipairs { "memory", "storage" } do
        if payload[field] and size.valid(payload[field]) then
            payload[field] = size.normalise(payload[field])
        end
    end
    local target = tostring(kind):lower()
    local same_type = target == tostring(config.type):lower()
    if target == "free-db" and payload.storage then
        payload.storage = nil
        lose("storage", "storage %s: free-db has no storage of its own", tostring(config.storage))
    end
    for field, fits in pairs { graph_analytics_plugin = PLUGIN, vector_optimized = VECTOR } do
        local value = config[field]
        if value == true and not (same_type or fits[target]) then
            lose(field, "%s: %s does not take it", field, target)
        elseif type(value) == "boolean" and target ~= "free-db" then
            payload[field] = value
        elseif value == true then
            payload[field] = value
        end
    end
    if present(config.customer_managed_key_id) then
        if OWN_KEY[target] then
            payload.customer_managed_key_id = config.customer_managed_key_id
        else
            lose("customer_managed_key_id", "encryption with your own key %s: %s does not take one",
                tostring(config.customer_managed_key_id), target)
        end
    end
    for field, fits in pairs { secondaries_count = SECONDARIES, cdc_enrichment_mode = CDC } do
        if not is_default(config[field]) then
            if same_type or fits[target] then
                later[field] = config[field]
            else
                lose(field, "%s %s: %s does not take it", field, tostring(config[field]), target)
            end
        end
    end
    local unknown = {}
    for field, value in pairs(config) do
        if not KNOWN[field] and not is_default(value) then
            unknown[#unknown + 1] = field
        end
    end
    table.sort(unknown)
    for _, field in ipairs(unknown) do
        local value = config[field]
        lost[#lost + 1] = ("%s = %s: a field halo does not know; it is compared, not carried over"):format(field,
            type(value) == "table" and json.encode(value) or tostring(value))
    end
    table.sort(lost)
    return payload, later, lost, lost_fields
end

---What is missing or malformed in a create payload.
---@param payload table
---@return string[] problems empty when it is complete
function M.problems(payload)
    local list = {}
    local function add(text, ...)
        list[#list + 1] = text:format(...)
    end
    local needed = { "name", "type", "cloud_provider", "region", "memory" }
    if tostring(payload.type):lower() ~= "free-db" then
        needed[#needed + 1] = "storage"
    end
    for _, field in ipairs(needed) do
        if not present(payload[field]) then
            add("%s is not in the captured configuration: supply it with %s", field, option(field))
        elseif type(payload[field]) ~= "string" then
            add("%s is not a text in the captured configuration: supply it with %s", field, option(field))
        end
    end
    if not present(payload.tenant_id) then
        add("neither tenant_id nor project_id is in the captured configuration")
    end
    for _, field in ipairs { "memory", "storage" } do
        if present(payload[field]) and not size.valid(payload[field]) then
            add('%s "%s" is not a size: supply it with %s', field, clean(payload[field]), option(field))
        end
    end
    local name = payload.name
    if type(name) == "string" and present(name) then
        local length = utf8.len(name)
        if not length or length > 30 or name:match("^%s") or name:match("%s$") or name:match("%c") then
            add('name "%s" is not 1 to 30 characters without blanks at its ends: supply one with --name',
                clean(name))
        end
    end
    if payload.vector_optimized and size.valid(payload.memory) and size.gb(payload.memory) < 4 then
        add("vector_optimized needs 4GB of memory or more, not %s: choose with --memory", payload.memory)
    end
    return list
end

local function same(field, a, b)
    if (field == "memory" or field == "storage") and size.valid(a) and size.valid(b) then
        return size.gb(a) == size.gb(b)
    end
    return tostring(a):lower() == tostring(b):lower()
end

---The values to offer in place of one that is not there: up to eight, the nearest ones.
local function offers(field, wanted, rows)
    local list, seen = {}, {}
    for _, row in ipairs(rows) do
        local value = tostring(row[field])
        if not seen[value] then
            seen[value] = true
            list[#list + 1] = value
        end
    end
    local sizes = size.valid(wanted) and (field == "memory" or field == "storage")
    local close = not sizes and nearest(tostring(wanted), list)
    table.sort(list, function(a, b)
        if sizes and size.valid(a) and size.valid(b) then
            local da, db = math.abs(size.gb(a) - size.gb(wanted)), math.abs(size.gb(b) - size.gb(wanted))
            return da < db or (da == db and size.gb(a) < size.gb(b))
        elseif (a == close) ~= (b == close) then
            return a == close
        end
        return a < b
    end)
    local more = #list > 8 and ", ..." or ""
    return table.concat(list, ", ", 1, math.min(#list, 8)) .. more
end

local function newest(versions)
    table.sort(versions, function(a, b)
        local na, nb = tonumber(a:match("^%d+%.?%d*")) or 0, tonumber(b:match("^%d+%.?%d*")) or 0
        return na > nb or (na == nb and a > b)
    end)
    return versions[1]
end

---Chooses the version among those offered; a .dump comes from Neo4j 4, a .backup from 5.
local function choose_version(rows, extension)
    local versions, has = {}, {}
    for _, row in ipairs(rows) do
        local version = row.version ~= nil and tostring(row.version) or nil
        if version and not has[version] then
            has[version] = true
            versions[#versions + 1] = version
        end
    end
    local from_dump = ({ dump = "4", backup = "5" })[extension]
    if #versions == 0 then
        return nil, "left to the API: the project's configurations name none"
    elseif #versions == 1 then
        return versions[1], "the only one offered"
    elseif from_dump and has[from_dump] then
        return from_dump, "as the dump ends in ." .. extension
    end
    return newest(versions), "the newest offered"
end

---Checks a complete payload against what the project offers, and spells it the same way.
---@param payload table changed: spelling, and the version where it was left open
---@param configurations table[] `instance_configurations` of the project
---@param extension string? "dump" or "backup"
---@return string? why the version was chosen; nil when the project does not offer this
---@return string? problem
function M.match(payload, configurations, extension)
    local rows, so_far = configurations or {}, {}
    if #rows == 0 then
        return nil, "the API names no instance_configurations for project " .. tostring(payload.tenant_id)
            .. ": whether the instance could be created again cannot be shown"
    end
    for _, field in ipairs { "type", "cloud_provider", "region", "memory", "storage", "version" } do
        local wanted, left = payload[field], {}
        for _, row in ipairs(rows) do
            if wanted == nil or not present(row[field]) or same(field, row[field], wanted) then
                left[#left + 1] = row
            end
        end
        if #left == 0 then
            return nil, ("%s %s is not offered to this project%s; offered: %s. Choose with %s"):format(field,
                tostring(wanted), #so_far > 0 and " for " .. table.concat(so_far, " ") or "",
                offers(field, wanted, rows), option(field))
        end
        rows = left
        if wanted ~= nil then
            so_far[#so_far + 1] = tostring(wanted)
            if field == "type" or field == "cloud_provider" or field == "region" then
                payload[field] = rows[1][field] or wanted
            end
        end
    end
    if payload.version then
        return "as asked for"
    end
    local why
    payload.version, why = choose_version(rows, extension)
    return why
end

---The whole plan of a recreation, or why there can be none.
---@param config table the captured instance
---@param asked table overrides
---@param configurations fun(tenant_id: string): table[] fetches what the project offers
---@param extension string? of the dump
---@return { payload: table, later: table, lost: string[], lost_fields: table, why: string }? plan
---@return string? problem
function M.plan(config, asked, configurations, extension)
    local plan = {}
    plan.payload, plan.later, plan.lost, plan.lost_fields = M.payload(config, asked)
    local problems = M.problems(plan.payload)
    if #problems > 0 then
        return nil, table.concat(problems, "; ")
    end
    local why, problem = M.match(plan.payload, configurations(plan.payload.tenant_id), extension)
    if not why then
        return nil, problem
    end
    plan.why = why
    local id = tostring(config.id)
    for _, text in ipairs {
        ("id, connection URL and password of %s: the new instance has its own"):format(id),
        ("snapshots of %s: they are deleted with it"):format(id),
        extension and "data: the new instance is empty until the dump is loaded" or "ALL DATA: there is no dump",
    } do
        plan.lost[#plan.lost + 1] = text
    end
    return plan
end

-- Fields that a new instance has its own of.
local OWN = { id = true, created_at = true, connection_url = true, metrics_integration_url = true,
    graph_nodes = true, graph_relationships = true }

---Compares every captured field with the new instance's.
---@param before table
---@param after table
---@param asked table<string, any> values asked for in place of the captured ones
---@param lost_fields table<string, boolean> announced as not carried over
---@return any[][] rows field, captured, new, remark
---@return string[] mismatches names of the fields
function M.compare(before, after, asked, lost_fields)
    local all, rows, mismatches = {}, {}, {}
    for _, t in ipairs { before, after } do
        for field in pairs(t) do
            all[field] = true
        end
    end
    for _, field in ipairs(keys(all)) do
        local old, new, remark = before[field], after[field], ""
        if field == "tenant_id" or field == "project_id" then    -- two names for the same thing
            old = old and M.project(before)
            new = (old or new) and M.project(after)
        end
        if OWN[field] then
            remark = "its own, as expected"
            if field == "id" or field == "connection_url" then
                remark = present(new) and remark or "MISMATCH"
            end
        elseif asked[field] ~= nil and old ~= nil and not same(field, old, asked[field]) then
            remark = new ~= nil and same(field, new, asked[field]) and "changed, as asked for" or "MISMATCH"
        elseif asked[field] ~= nil and old == nil then
            remark = (new == nil or same(field, new, asked[field])) and "as asked for" or "MISMATCH"
        elseif lost_fields[field] then
            remark = "not carried over, as announced"
        elseif old == nil then
            remark = "only in the new one"
        elseif is_default(old) and is_default(new) then
            remark = ""
        elseif field == "status" and old ~= new then
            remark = new == "running" and "was not running when captured" or "MISMATCH"
        elseif type(old) == "table" or type(new) == "table" then
            local equal = type(old) == type(new) and json.encode(old) == json.encode(new)
            remark = equal and "" or "MISMATCH"
        elseif not (new ~= nil and same(field, old, new)) or (field == "name" and old ~= new) then
            remark = "MISMATCH"
        end
        if remark == "MISMATCH" then
            mismatches[#mismatches + 1] = field
        end
        rows[#rows + 1] = { field, old, new, remark }
    end
    return rows, mismatches
end

return M
