---Checks of what a request says, field by field.
local answers = require "sandbox.answers"

local M = {}

local INVALID = "invalid-field"
local MISSING = "missing-field"

---Ends the request because of one field.
function M.wrong(field, message, reason)
    answers.refuse(400, reason or INVALID, message, field)
end

---Ends the request unless the fields are there; names all that are missing.
function M.required(data, fields)
    local list = {}
    for _, field in ipairs(fields) do
        local value = data[field]
        if value == nil or value == "" then
            list[#list + 1] = { message = field .. " is required", reason = MISSING, field = field }
        end
    end
    if #list > 0 then
        answers.refuse_all(400, list)
    end
end

---A text, or nil when it is not there.
---@return string?
function M.text(data, field)
    local value = data[field]
    if value ~= nil and type(value) ~= "string" then
        M.wrong(field, field .. " must be a string")
    end
    return value
end

---@return boolean?
function M.boolean(data, field)
    local value = data[field]
    if value ~= nil and type(value) ~= "boolean" then
        M.wrong(field, field .. " must be true or false")
    end
    return value
end

---A whole number from `least` to `most`.
---@return integer?
function M.integer(data, field, least, most)
    local value = data[field]
    if value == nil then
        return nil
    end
    local n = type(value) == "number" and math.tointeger(value)
    if not n or n < least or n > most then
        M.wrong(field, ("%s must be a whole number from %d to %s"):format(field, least,
            most == math.maxinteger and "any" or tostring(most)))
    end
    return n
end

---A name of 1 to 30 characters without blanks at its ends.
---@return string?
function M.name(data)
    local name = M.text(data, "name")
    if not name then
        return nil
    end
    local length = utf8.len(name)
    if not length or length < 1 or length > 30 or name:match("^%s") or name:match("%s$") then
        M.wrong("name", "name must have 1 to 30 characters and no blank at its ends")
    end
    return name
end

---A size as the API answers it. `8GB` and `8G` are taken; with --lenient also `8`, `8Gi` and the number 8.
---@return string? size such as "8GB"
function M.size(service, data, field)
    local value = data[field]
    if value == nil then
        return nil
    elseif service.lenient and math.type(value) then
        value = tostring(math.tointeger(value) or value)
    end
    local digits, unit = nil, nil
    if type(value) == "string" then
        digits, unit = value:match("^(%d+)(%a*)$")
    end
    local known = unit == "GB" or unit == "G" or (service.lenient and (unit == "" or unit == "Gi" or unit == "GiB"))
    if not (digits and #digits < 7 and known) then
        M.wrong(field, field .. " must be a size such as 8GB", "invalid-memory-size")
    end
    return math.tointeger(tonumber(digits)) .. "GB"
end

---The number of gigabytes of a size from `M.size`; 0 for none.
---@return integer
function M.gb(size)
    return math.tointeger(tonumber(size and size:match("^%d+"))) or 0
end

return M
