---What must not be written down or shown, told by its name.
local M = {}

local NAMES = { password = true, client_secret = true, access_token = true, secret = true, token = true }

local function named(key)
    return type(key) == "string" and NAMES[key:lower()]
end

---Whether a value holds a secret somewhere.
---@param value any
---@return boolean
function M.inside(value)
    if type(value) == "table" then
        for key, each in pairs(value) do
            if (named(key) and each ~= "") or M.inside(each) then
                return true
            end
        end
    end
    return false
end

---The same value with every secret in it hidden.
---@param value any
---@return any
function M.mask(value)
    if type(value) ~= "table" then
        return value
    end
    local copy = {}
    for key, each in pairs(value) do
        copy[key] = named(key) and "***" or M.mask(each)
    end
    return copy
end

return M
