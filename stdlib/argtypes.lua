---The types of arguments: what each accepts and what it makes of it.
local size = require "size"

local M = {}

local function in_range(n, arg)
    if not n or n ~= n or n == math.huge or n == -math.huge then
        return nil
    end
    if arg.min and n < arg.min then
        return nil, ("at least %s"):format(arg.min)
    elseif arg.max and n > arg.max then
        return nil, ("at most %s"):format(arg.max)
    end
    return n
end

---A number, also when it is written as text.
---@param value string|number
---@return number?
function M.decimal(value)
    if type(value) == "number" then
        return value
    end
    return value:match("^[+-]?[%d.]+[eE]?[+-]?%d*$") and tonumber(value) or nil
end

local WORDS = { ["true"] = true, yes = true, on = true, ["1"] = true,
    ["false"] = false, no = false, off = false, ["0"] = false }

-- Each takes a text (or a value from JSON) and gives the checked value; or nil and what was expected;
-- or nil, nil and a message.
local TYPES = {
    string = function(value)
        return type(value) == "string" and value or nil, "a text"
    end,
    number = function(value, arg)
        local n, expected = in_range(M.decimal(value), arg)
        return n, expected or "a number"
    end,
    seconds = function(value)
        local n = M.decimal(value)
        return n and n > 0 and n < 1e7 and n or nil, "a number of seconds above 0"
    end,
    integer = function(value, arg)
        local n = M.decimal(value)
        local whole, expected = in_range(n and math.tointeger(n), arg)
        return whole, expected or "a whole number"
    end,
    boolean = function(value)
        if type(value) == "string" then
            value = WORDS[value:lower()]
        end
        if type(value) ~= "boolean" then
            return nil, "true or false"
        end
        return value
    end,
    size = function(value)
        return size.valid(value) and size.normalise(value) or nil, "a size such as 8GB"
    end,
    id = function(value)
        local good = type(value) == "string" and #value <= 64 and value:match("^[%w_-]+$")
        return good or nil, "an id of up to 64 letters, digits, - and _"
    end,
    instance = function(value)               -- its name has up to 30 characters
        local good = type(value) == "string" and #value <= 120 and value:match("^[^%s%c][^%c]*$")
        return good or nil, "the id or the name of an instance"
    end,
    path = function(value)                   -- of a file or directory that need not be there
        return type(value) == "string" and value ~= "" and not value:find("\0") and value or nil, "a path"
    end,
    file = function(value)
        local possible = type(value) == "string" and value ~= "" and not value:find("\0")
        local info = possible and require("fs").stat(value) or nil
        if not info then
            return nil, nil, "there is no file " .. tostring(value)
        elseif info.type ~= "file" then
            return nil, nil, value .. " is not a file"
        end
        local f, message
        if io then                           -- a restricted host has none
            f, message = io.open(value, "rb")
            if not f then
                return nil, nil, "cannot read " .. tostring(message)
            end
            f:close()
        end
        return value
    end,
}

---@param name any
---@return boolean
function M.known(name)
    return TYPES[name] ~= nil
end

---@return string names of all types, for a message
function M.names()
    local list = {}
    for name in pairs(TYPES) do
        list[#list + 1] = name
    end
    table.sort(list)
    return table.concat(list, " ")
end

---Checks one value against its argument.
---@param arg halo.Arg
---@param value any text from a command line, or a value from JSON
---@param called string how the message calls it
---@return any value nil when it does not fit
---@return string? message
function M.convert(arg, value, called)
    local checked, expected, message = TYPES[arg.type](value, arg)
    if checked == nil then
        return nil, called .. ": " .. (message or ("expected %s, got %q"):format(expected, tostring(value)))
    end
    for _, choice in ipairs(arg.choices or { checked }) do
        if choice == checked then
            return checked
        end
    end
    return nil, ("%s: expected one of %s, got %q"):format(called, table.concat(arg.choices, ", "), tostring(value))
end

return M
