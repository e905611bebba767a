---The one table of routes, and finding the route of a request.
local actions = require "sandbox.actions"
local auth = require "sandbox.auth"
local create = require "sandbox.create"
local faults = require "sandbox.faults"
local instances = require "sandbox.instances"
local keys = require "sandbox.keys"
local snapshots = require "sandbox.snapshots"
local state = require "sandbox.state"
local tenants = require "sandbox.tenants"

local M = {}

-- Handlers get (service, req, first {}, second {}) and return status, body. `open`: no token is needed;
-- `raw`: the body is not JSON, or any JSON; `reads`: a POST that changes nothing.
M.list = {
    { "POST",   "/oauth/token", auth.token, open = true, raw = true },
    { "GET",    "/_sandbox/state", state.show, open = true },
    { "POST",   "/_sandbox/state", state.change, open = true },
    { "GET",    "/_sandbox/faults", faults.show, open = true },
    { "POST",   "/_sandbox/faults", faults.change, open = true, raw = true },

    { "GET",    "/v1/instances", instances.list },
    { "POST",   "/v1/instances", create.create },
    { "POST",   "/v1/instances/sizing", actions.sizing, reads = true },
    { "GET",    "/v1/instances/{id}", instances.get },
    { "PATCH",  "/v1/instances/{id}", instances.patch },
    { "DELETE", "/v1/instances/{id}", instances.delete },
    { "POST",   "/v1/instances/{id}/pause", actions.pause },
    { "POST",   "/v1/instances/{id}/resume", actions.resume },
    { "POST",   "/v1/instances/{id}/overwrite", actions.overwrite },
    { "POST",   "/v1/instances/{id}/upgrade", actions.upgrade },
    { "GET",    "/v1/instances/{id}/snapshots", snapshots.list },
    { "POST",   "/v1/instances/{id}/snapshots", snapshots.create },
    { "GET",    "/v1/instances/{id}/snapshots/{sid}", snapshots.get },
    { "POST",   "/v1/instances/{id}/snapshots/{sid}/restore", snapshots.restore },

    { "GET",    "/v1/tenants", tenants.list },
    { "GET",    "/v1/tenants/{id}", tenants.get },
    { "GET",    "/v1/tenants/{id}/metrics-integration", tenants.metrics },
    { "GET",    "/v1/projects", tenants.list },               -- as a tutorial of the classic docs calls them
    { "GET",    "/v1/projects/{id}", tenants.get },
    { "GET",    "/v1/projects/{id}/metrics-integration", tenants.metrics },

    { "GET",    "/v1/customer-managed-keys", keys.list },
    { "POST",   "/v1/customer-managed-keys", keys.create },
    { "GET",    "/v1/customer-managed-keys/{id}", keys.get },
    { "DELETE", "/v1/customer-managed-keys/{id}", keys.delete },
}

-- A tree by path segment: children by literal text, `any` for a {}, `methods` where a route ends.
local function node()
    return { children = {}, methods = nil, any = nil }
end

local root = node()
for _, entry in ipairs(M.list) do
    local at = root
    for segment in entry[2]:gmatch("[^/]+") do
        if segment:match("^{") then
            at.any = at.any or node()
            at = at.any
        else
            at.children[segment] = at.children[segment] or node()
            at = at.children[segment]
        end
    end
    at.methods = at.methods or {}
    at.methods[entry[1]] = { method = entry[1], handler = entry[3], key = entry[1] .. " " .. entry[2],
        open = entry.open, raw = entry.raw, changes = entry[1] == "POST" or entry[1] == "PATCH",
        effect = entry[1] ~= "GET" and not entry.reads and not entry.open }
end

local find = string.find

---The routes of a path, by method, and what stood in the place of each {}.
---@return table<string, table>? methods nil for an unknown path
---@return string? first
---@return string? second
function M.find(path)
    local at, from, first, second = root, 2, nil, nil
    while true do
        local slash = find(path, "/", from, true)
        local segment = path:sub(from, slash and slash - 1)
        local below = at.children[segment]
        if not below then
            below = segment ~= "" and at.any
            if not below then
                return nil
            elseif first then
                second = segment
            else
                first = segment
            end
        end
        at = below
        if not slash then
            return at.methods, first, second
        end
        from = slash + 1
    end
end

return M
