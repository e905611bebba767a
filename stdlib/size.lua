---Memory and storage sizes: every spelling in, one spelling out.
local M = {}

local UNITS = { [""] = true, G = true, GB = true, GI = true, GIB = true }

---The size as a whole number of gigabytes, or nil when it is not a size.
---@param value string|number `8`, `"8"`, `"8G"`, `"8GB"`, `"8Gi"`
---@return integer? gigabytes
local function parse(value)
    if math.type(value) == "float" then
        value = math.tointeger(value) or ""
    end
    local digits, unit = tostring(value):match("^%s*(%d+)%s*(%a*)%s*$")
    if not digits or #digits > 9 or not UNITS[unit:upper()] then
        return nil
    end
    local n = math.tointeger(tonumber(digits))
    return n and n > 0 and n or nil
end

---Whether a value can be read as a size.
---@param value any
---@return boolean
function M.valid(value)
    return parse(value) ~= nil
end

---A memory or storage size as the API writes it.
---@param value string|number `"8GB"`, `"8G"`, `"8Gi"` or a number of gigabytes
---@return string size such as `"8GB"`
function M.normalise(value)
    local n = parse(value)
    if not n then
        error(("not a size: %q (write 8GB)"):format(tostring(value)), 2)
    end
    return n .. "GB"
end

---The number of gigabytes of a size.
---@param value string|number
---@return integer
function M.gb(value)
    local n = parse(value)
    if not n then
        error(("not a size: %q (write 8GB)"):format(tostring(value)), 2)
    end
    return n
end

return M
