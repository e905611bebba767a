---Where the sources about Aura disagree, or a situation is worth rehearsing, a switch chooses.
---Set with `halo sandbox --switch name=value,name=value` or `POST /_sandbox/state {"switches": {...}}`.
---Times are seconds of the real service, before --speed.
local M = {}

-- name, default (or the list of values, the first being the default), what it does
M.list = {
    { "expired", { "401", "403" }, "an expired token is answered by the gateway (401) or by the API (403)" },
    { "deleted_twice", { "404", "410", "409" }, "answer to deleting an instance that is being or has been deleted" },
    { "patch_body", { "full", "empty" }, "body of an accepted PATCH: the instance, or {}" },
    { "upgrade_status", 202, "status of an accepted upgrade" },
    { "creating_memory", { "empty", "null", "real" }, "memory shown while creating" },
    { "graph_counts", { "string", "number" }, "form of graph_nodes and graph_relationships" },
    { "not_found_after_create", 2, "seconds for which a new instance is not found" },
    { "running_lag", 0, "seconds for which GET shows the old status after an action was accepted" },
    { "busy_after", 0, "seconds for which actions are refused as too early after an operation has ended" },
    { "strict_version", false, "whether create requires a version" },
    { "max_instances", 0, "instances that may exist (405 beyond); 0: no limit" },
    { "rate", 125, "requests a minute for each client; 0: no limit" },
    { "token_rate", 15, "tokens an hour for each client; 0: no limit" },
}

local by_name = {}
for _, entry in ipairs(M.list) do
    by_name[entry[1]] = entry
end

---@return table<string, any> the default of every switch
function M.defaults()
    local values = {}
    for _, entry in ipairs(M.list) do
        local default = entry[2]
        values[entry[1]] = type(default) == "table" and default[1] or default
    end
    return values
end

local FLAGS = { ["true"] = true, yes = true, on = true, ["1"] = true,
    ["false"] = false, no = false, off = false, ["0"] = false }

local function convert(entry, value)
    local text, default = tostring(value), entry[2]
    if type(default) == "boolean" then
        return FLAGS[text:lower()], "true or false"
    elseif type(default) == "number" then
        local n = tonumber(text)
        return n and n >= 0 and (math.tointeger(n) or n) or nil, "a number"
    end
    for _, choice in ipairs(default) do
        if choice == text or choice == tostring(math.tointeger(tonumber(text))) then
            return choice
        end
    end
    return nil, table.concat(default, ", ")
end

---Sets switches from names and values.
---@param values table<string, any> changed
---@param given table<string, any>
---@return boolean? ok
---@return string? message
function M.set(values, given)
    for name, value in pairs(given) do
        local entry = by_name[name]
        if not entry then
            local names = {}
            for i, each in ipairs(M.list) do
                names[i] = each[1]
            end
            return nil, ("unknown switch %q; there are %s"):format(tostring(name), table.concat(names, ", "))
        end
        local converted, expected = convert(entry, value)
        if converted == nil then
            return nil, ("switch %s: expected %s, got %q"):format(name, expected, tostring(value))
        end
        values[name] = converted
    end
    return true
end

---Reads `name=value,name=value`.
---@param text string
---@return table<string, string>? given
---@return string? message
function M.read(text)
    local given = {}
    for item in text:gmatch("[^,]+") do
        local name, value = item:match("^%s*([%w_]+)%s*=%s*(.-)%s*$")
        if not name then
            return nil, ("not name=value: %q"):format(item)
        end
        given[name] = value
    end
    return given
end

---One line for each switch, for people.
---@return string
function M.help()
    local lines = {}
    for i, entry in ipairs(M.list) do
        local default = entry[2]
        local values = type(default) == "table" and table.concat(default, "|") or tostring(default)
        lines[i] = ("  %-40s %s"):format(entry[1] .. "=" .. values, entry[3])
    end
    return table.concat(lines, "\n")
end

return M
