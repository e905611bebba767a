---Where scripts come from: the bundled ones, the operator's own, and files by their path.
local fs = require "fs"
local halo = require "halo"

local M = {}

---@alias halo.Origin "bundled"|"user"|"file"

---The folder of the operator's own scripts; nil without a home.
---@return string?
function M.folder()
    local config, home = os.getenv("XDG_CONFIG_HOME"), os.getenv("HOME")
    if config and config ~= "" then
        return config .. "/halo/scripts"
    end
    return home and home ~= "" and home .. "/.config/halo/scripts" or nil
end

---Every script that can be run by its name, sorted. An own one hides the bundled one of its name.
---@return { name: string, origin: halo.Origin }[]
function M.all()
    local origins, list, folder = {}, {}, M.folder()
    for _, name in ipairs(halo.scripts()) do
        origins[name] = "bundled"
    end
    local info = folder and fs.stat(folder)
    for _, file in ipairs(info and info.type == "directory" and fs.list(folder) or {}) do
        local name = file:match("^([%w_-]+)%.lua$")
        if name then
            origins[name] = "user"
        end
    end
    for name, origin in pairs(origins) do
        list[#list + 1] = { name = name, origin = origin }
    end
    table.sort(list, function(a, b) return a.name < b.name end)
    return list
end

---Reads a script.
---@param target string a name, or a path (with a `/` or ending in `.lua`)
---@return string? text nil when there is none
---@return string chunkname for the messages of Lua; or why there is none
---@return halo.Origin? origin
---@return string? folder where `require` looks besides the stdlib
function M.find(target)
    local path, origin = target, "file"
    if not target:find("/", 1, true) and not target:find("%.lua$") then
        local folder = M.folder()
        path, origin = folder and target:match("^[%w_-]+$") and folder .. "/" .. target .. ".lua", "user"
        if not path or not fs.stat(path) then
            local text, chunkname = halo.bundled(target)
            if text then
                return text, chunkname, "bundled"
            end
            return nil, "no script named " .. target
        end
    end
    local info = fs.stat(path)
    if not info or info.type ~= "file" then
        return nil, path .. (info and " is not a file" or " does not exist")
    end
    return fs.read(path), "@" .. path, origin, path:match("^(.*)/[^/]*$") or "."
end

return M
