---The arguments of a script: from its declaration to checked values and to help text.
---
---An entry is `{ name, type, help, default=, env=, optional=, positional=, list=, unless=, min=, max=, choices= }`.
---One without a default must be given, unless it is `optional`. Those that must be given may be given in
---order without their names; an optional one only when it says `positional`. A `list` may be given more than
---once, by name, or in order when it says `positional`: then it takes what those behind it can spare, and one
---must be given. Its value is a list, empty when it is not given. `unless` names another argument: one of the
---two is given, and this one is neither asked for nor taken from the environment when that one is.
local types = require "argtypes"

local M = {}

---@class halo.Arg
---@field name string
---@field type string
---@field help string
---@field default any
---@field env string? environment variable used when the option is not given
---@field optional boolean?
---@field positional boolean?
---@field list boolean?
---@field unless string?
---@field min number?
---@field max number?
---@field choices string[]?

local convert, decimal = types.convert, types.decimal

local PLACEHOLDER = { string = "TEXT", number = "NUMBER", seconds = "SECONDS", integer = "NUMBER", size = "SIZE",
    id = "ID", instance = "ID", file = "FILE", path = "FILE" }
local RESERVED = { yes = true, json = true, dry_run = true, quiet = true, help = true }

local function dashed(name)
    return "--" .. name:gsub("_", "-")
end

---How many single-character edits lie between two words.
local function distance(a, b)
    local row = {}
    for j = 0, #b do
        row[j] = j
    end
    for i = 1, #a do
        local corner = row[0]
        row[0] = i
        for j = 1, #b do
            local cost = a:byte(i) == b:byte(j) and 0 or 1
            corner, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, corner + cost)
        end
    end
    return row[#b]
end

---The word of a list that was probably meant, or nil.
---@param word string
---@param list string[]
---@return string?
function M.nearest(word, list)
    local best, least = nil, math.max(1, #word // 3) + 1
    for _, candidate in ipairs(list) do
        local d = distance(word, candidate)
        if candidate:sub(1, #word) == word and #word > 1 then
            d = math.min(d, 1)
        end
        if d < least then
            best, least = candidate, d
        end
    end
    return best
end

---Reads the `args` of a declaration.
---@param list any
---@return halo.Arg[]? args nil when the declaration is wrong
---@return string? message
function M.declare(list)
    if list == nil then
        return {}
    elseif type(list) ~= "table" then
        return nil, "args must be a list"
    end
    local args, seen = {}, {}
    for i, entry in ipairs(list) do
        if type(entry) ~= "table" then
            return nil, ("args[%d] must be a table: { name, type, help }"):format(i)
        end
        local arg = {}
        for key, value in pairs(entry) do
            arg[key] = value
        end
        arg.name, arg.type, arg.help = entry.name or entry[1], entry.type or entry[2], entry.help or entry[3]
        if type(arg.name) ~= "string" or not arg.name:match("^%l[%l%d_]*$") then
            return nil, ("args[%d]: the name must be lower-case letters, digits and _"):format(i)
        elseif RESERVED[arg.name] then
            return nil, ("args[%d]: %s is an option of halo itself"):format(i, dashed(arg.name))
        elseif seen[arg.name] then
            return nil, ("args[%d]: %s is declared twice"):format(i, arg.name)
        elseif not types.known(arg.type) then
            return nil, ("args[%d] (%s): unknown type %s (known are: %s)"):format(i, arg.name, tostring(arg.type),
                types.names())
        elseif type(arg.help) ~= "string" then
            return nil, ("args[%d] (%s): the help text is missing"):format(i, arg.name)
        end
        if arg.list then
            if arg.type == "boolean" or arg.default ~= nil then
                return nil, ("args[%d] (%s): a list has values, and no default"):format(i, arg.name)
            end
            arg.default = not arg.positional and {} or nil
        elseif arg.type == "boolean" and arg.default == nil then
            arg.default = false
        elseif arg.default ~= nil then
            local value, message = convert(arg, arg.default, "default")
            if value == nil then
                return nil, ("args[%d] (%s): %s"):format(i, arg.name, message)
            end
            arg.default = value
        end
        arg.required = arg.default == nil and not arg.optional
        arg.positional = arg.type ~= "boolean" and (arg.required or arg.positional) or false
        seen[arg.name] = true
        args[i] = arg
    end
    return args
end

---Whether a command line asks for help.
---@param argv string[]
---@return boolean
function M.wants_help(argv)
    for _, word in ipairs(argv) do
        if word == "--" then
            return false
        elseif word == "--help" or word == "-h" then
            return true
        end
    end
    return false
end

local function find(args, name)
    for _, arg in ipairs(args) do
        if arg.name == name then
            return arg
        end
    end
end

local function unknown(args, word)
    local names = {}
    for _, arg in ipairs(args) do
        names[#names + 1] = dashed(arg.name)
        if arg.type == "boolean" and not arg.name:match("^no_") then
            names[#names + 1] = "--no-" .. arg.name:gsub("_", "-")
        end
    end
    local near = M.nearest(word, names)
    return "unknown option " .. word .. (near and "; did you mean " .. near .. "?" or "")
end

---The argument an option names, and false for a `--no-` form.
local function option(args, word)
    local name = word:match("^%-%-(.*)$"):gsub("-", "_")
    local arg = find(args, name)
    if arg then
        return arg, true
    end
    arg = name:match("^no_") and find(args, name:sub(4))
    if arg and arg.type == "boolean" then
        return arg, false
    end
end

---Whether the argument is given that stands for this one.
local function replaced(arg, values)
    local other = arg.unless and values[arg.unless]
    return other ~= nil and other ~= false and (type(other) ~= "table" or #other > 0)
end

---Fills in what the environment and the defaults give, and finds what is missing.
local function complete(args, values, origin, getenv)
    for _, arg in ipairs(args) do
        local from_env = values[arg.name] == nil and arg.env and getenv(arg.env)
        if replaced(arg, values) then
            if values[arg.name] ~= nil then
                return nil, ("give %s or %s, not both"):format(arg.name:upper(), dashed(arg.unless))
            end
            values[arg.name] = arg.list and {} or nil
        elseif from_env and from_env ~= "" then
            local value, message = convert(arg, from_env, arg.env .. " (environment)")
            if value == nil then
                return nil, message
            end
            values[arg.name], origin[arg.name] = arg.list and { value } or value, "env"
        elseif values[arg.name] == nil and arg.default ~= nil then
            values[arg.name], origin[arg.name] = arg.list and {} or arg.default, "default"
        elseif values[arg.name] == nil and arg.required then
            return nil, ("missing %s: %s (give it in its place, as %s%s)"):format(arg.name:upper(), arg.help,
                dashed(arg.name), arg.env and ", or in " .. arg.env or "")
        elseif arg.list and values[arg.name] == nil then
            values[arg.name] = {}
        end
    end
    return values, origin
end

---Gives the words without a name to the arguments that may be given so, in order.
---@return string? message when one does not fit, or is too many
local function place(args, loose, values, origin)
    local after, next_word = 0, 1            -- after: words that those behind need
    local function open(arg)
        return arg.positional and values[arg.name] == nil and not replaced(arg, values)
    end
    for _, arg in ipairs(args) do
        after = after + (open(arg) and arg.required and 1 or 0)
    end
    for _, arg in ipairs(args) do
        if open(arg) and next_word <= #loose then
            after = after - (arg.required and 1 or 0)
            local last, all = arg.list and math.max(next_word, #loose - after) or next_word, {}
            for i = next_word, last do
                local value, message = convert(arg, loose[i], arg.name:upper())
                if value == nil then
                    return message
                end
                all[#all + 1] = value
            end
            values[arg.name], origin[arg.name], next_word = arg.list and all or all[1], "option", last + 1
        end
    end
    return loose[next_word] and ("unexpected argument %q"):format(loose[next_word])
end

---Reads a command line.
---@param args halo.Arg[] from `declare`
---@param argv string[]
---@param getenv fun(name: string): string?
---@return table<string, any>? values nil when it is wrong
---@return table<string, string>|string origin where each value came from ("option", "env", "default"), or a message
function M.parse(args, argv, getenv)
    local values, origin, loose, i, only_loose = {}, {}, {}, 1, false
    while i <= #argv do
        local word = argv[i]
        if only_loose or word == "-" or not word:match("^%-") or decimal(word) then
            loose[#loose + 1] = word
        elseif word == "--" then
            only_loose = true
        else
            local flag, text = word:match("^(%-%-[^=]+)=(.*)$")
            flag = flag or word
            local arg, positive
            if flag:match("^%-%-.") then
                arg, positive = option(args, flag)
            end
            if not arg then
                return nil, unknown(args, flag)
            elseif values[arg.name] ~= nil and not arg.list then
                return nil, dashed(arg.name) .. " is given twice"
            elseif arg.type == "boolean" then
                if text and not positive then
                    return nil, flag .. " takes no value"
                end
                text = text or tostring(positive)
            elseif not text then
                i = i + 1
                text = argv[i]
                if not text or (text:match("^%-.") and not decimal(text)) then
                    return nil, ("%s needs a value%s"):format(flag,
                        text and (" (one that begins with a dash is written %s=%s)"):format(flag, text) or "")
                end
            end
            local value, message = convert(arg, text, flag)
            if value == nil then
                return nil, message
            end
            if arg.list then
                local all = values[arg.name] or {}
                all[#all + 1] = value
                value = all
            end
            values[arg.name], origin[arg.name] = value, "option"
        end
        i = i + 1
    end
    local message = place(args, loose, values, origin)
    if message then
        return nil, message
    end
    return complete(args, values, origin, getenv)
end

---The values of a list: a table of them, or just one.
local function convert_all(arg, raw)
    local all = {}
    for i, each in ipairs(type(raw) == "table" and raw or { raw }) do
        local value, message = convert(arg, each, arg.name)
        if value == nil then
            return nil, message
        end
        all[i] = value
    end
    return all
end

---Reads arguments given as a table (from JSON) instead of a command line.
---@return table<string, any>? values
---@return table<string, string>|string origin
function M.from_table(args, given, getenv)
    local values, origin = {}, {}
    for key, raw in pairs(given) do
        local name = tostring(key):gsub("-", "_")
        local arg = find(args, name)
        if not arg then
            local names = {}
            for i, each in ipairs(args) do
                names[i] = each.name
            end
            local near = M.nearest(name, names)
            return nil, ("unknown argument %q%s"):format(tostring(key), near and "; did you mean " .. near .. "?" or "")
        end
        local simple = type(raw) == "string" or type(raw) == "number" or type(raw) == "boolean"
        local value, message
        if arg.list then
            value, message = convert_all(arg, raw)
        elseif simple and (type(raw) ~= "boolean" or arg.type == "boolean") then
            value, message = convert(arg, raw, arg.name)
        else
            message = ("%s: a %s does not fit"):format(arg.name, type(raw))
        end
        if value == nil then
            return nil, message
        end
        values[arg.name], origin[arg.name] = value, "option"
    end
    return complete(args, values, origin, getenv)
end

---`INSTANCE [--timeout NUMBER]`
---@param args halo.Arg[]
---@return string
function M.usage(args)
    local words, options = {}, false
    for _, arg in ipairs(args) do
        if arg.positional then
            local word = arg.name:upper() .. (arg.list and "..." or "")
            words[#words + 1] = arg.required and word or "[" .. word .. "]"
        else
            options = true
        end
    end
    if options then
        words[#words + 1] = "[options]"
    end
    return table.concat(words, " ")
end

---One line for each argument, aligned.
---@param args halo.Arg[]
---@return string
function M.help(args)
    local left, longest, lines = {}, 0, {}
    for i, arg in ipairs(args) do
        left[i] = arg.type == "boolean" and dashed(arg.name)
            or dashed(arg.name) .. " " .. PLACEHOLDER[arg.type]
        longest = math.max(longest, #left[i])
    end
    for i, arg in ipairs(args) do
        local notes = {}
        if arg.choices then
            notes[#notes + 1] = "one of " .. table.concat(arg.choices, ", ")
        end
        if arg.list then
            notes[#notes + 1] = "repeatable"
        elseif arg.default ~= nil and arg.default ~= false then
            notes[#notes + 1] = arg.default == true and "default; --no-" .. arg.name:gsub("_", "-") .. " turns it off"
                or "default " .. tostring(arg.default)
        elseif arg.required then
            notes[#notes + 1] = "required"
        end
        if arg.env then
            notes[#notes + 1] = "or " .. arg.env
        end
        lines[i] = ("  %-" .. longest .. "s  %s%s"):format(left[i], arg.help,
            #notes > 0 and " [" .. table.concat(notes, "; ") .. "]" or "")
    end
    return table.concat(lines, "\n")
end

return M
