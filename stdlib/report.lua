---Text for people: aligned fields and tables, durations, byte counts. What comes from a server is
---shown without its control characters, so that it cannot drive the terminal.
local json = require "json"

local M = {}

---A value from outside as one harmless line.
---@param value any
---@return string
function M.clean(value)
    local text = type(value) == "table" and json.encode(value) or tostring(value)
    text = text:gsub("\u{2028}", "?"):gsub("\u{2029}", "?")
    text = text:gsub("\u{202A}", "?"):gsub("\u{202B}", "?"):gsub("\u{202C}", "?")
    text = text:gsub("\u{202D}", "?"):gsub("\u{202E}", "?"):gsub("\u{2066}", "?")
    text = text:gsub("\u{2067}", "?"):gsub("\u{2068}", "?"):gsub("\u{2069}", "?")
    return (text:gsub("\xC2[\x80-\x9F]", "?"):gsub("%c", "?"))
end

---Columns a text takes (one for each character).
local function width(text)
    return utf8.len(text) or #text
end

---@param text string
---@param columns integer
---@return string text followed by blanks
function M.pad(text, columns)
    return text .. (" "):rep(columns - width(text))
end

---A long value with its middle left out.
---@param value any
---@param columns integer
---@return any
function M.shorten(value, columns)
    local length = type(value) == "string" and utf8.len(value) or 0
    if length <= columns then
        return value
    end
    local head = (columns - 3) // 2
    local tail = columns - 3 - head
    return value:sub(1, utf8.offset(value, head + 1) - 1) .. "..." .. value:sub(utf8.offset(value, -tail))
end

---`"0.4 s"`, `"12 s"`, `"3 min 20 s"`, `"1 h 05 min"`
---@param seconds number
---@return string
function M.duration(seconds)
    if seconds < 9.95 then
        return ("%.1f s"):format(math.max(seconds, 0))
    elseif seconds < 119.5 then
        return ("%.0f s"):format(seconds)
    end
    local s = math.floor(seconds + 0.5)
    if s < 3600 then
        return ("%d min %02d s"):format(s // 60, s % 60)
    end
    return ("%d h %02d min"):format(s // 3600, s % 3600 // 60)
end

---`"812 bytes"`, `"1.5 MiB (1572864 bytes)"`
---@param n integer
---@return string
function M.bytes(n)
    local units, value, unit = { "KiB", "MiB", "GiB", "TiB" }, n, nil
    for _, name in ipairs(units) do
        if value < 1024 then
            break
        end
        value, unit = value / 1024, name
    end
    return unit and ("%.1f %s (%d bytes)"):format(value, unit, n) or ("%d bytes"):format(n)
end

---Aligned rows under a head; cells are cleaned, nil is shown as "-".
---@param head string[]
---@param rows any[][]
---@return string text without a newline at its end
function M.columns(head, rows)
    local cells, widths = {}, {}
    for r = 0, #rows do
        cells[r] = {}
        for c = 1, #head do
            local value = (r == 0 and head or rows[r])[c]
            cells[r][c] = value == nil and "-" or M.clean(value)
            widths[c] = math.max(widths[c] or 0, width(cells[r][c]))
        end
    end
    local lines = {}
    for r = 0, #rows do
        for c = 1, #head do
            cells[r][c] = M.pad(cells[r][c], widths[c])
        end
        lines[#lines + 1] = (table.concat(cells[r], "  "):gsub("%s+$", ""))
    end
    return table.concat(lines, "\n")
end

---Name and value pairs, one a line, aligned; pairs without a value are left out.
---@param pairs_list any[][]
---@return string
function M.fields(pairs_list)
    local longest, lines = 0, {}
    for _, p in ipairs(pairs_list) do
        longest = math.max(longest, width(M.clean(p[1])))
    end
    for _, p in ipairs(pairs_list) do
        if p[2] ~= nil then
            lines[#lines + 1] = M.pad(M.clean(p[1]) .. ":", longest + 1) .. "  " .. M.clean(p[2])
        end
    end
    return table.concat(lines, "\n")
end

local ORDER = { "id", "name", "status", "type", "tenant_id", "project_id", "cloud_provider", "region",
    "memory", "storage", "connection_url", "created_at" }

---The keys of a table, those every instance has first, the rest by name.
---@param t table
---@return string[]
function M.keys(t)
    local keys, known = {}, {}
    for _, key in ipairs(ORDER) do
        known[key] = true
        if t[key] ~= nil then
            keys[#keys + 1] = key
        end
    end
    local rest = {}
    for key in pairs(t) do
        if not known[key] then
            rest[#rest + 1] = key
        end
    end
    table.sort(rest, function(a, b) return tostring(a) < tostring(b) end)
    return table.move(rest, 1, #rest, #keys + 1, keys)
end

---Any result for a person to read: text as it is, an object as fields, a list as a table.
---@param value any
---@return string
function M.show(value)
    if type(value) ~= "table" then
        return type(value) == "string" and value or tostring(value)
    elseif value[1] == nil and next(value) ~= nil then
        local list = {}
        for _, key in ipairs(M.keys(value)) do
            list[#list + 1] = { key, value[key] }
        end
        return M.fields(list)
    elseif type(value[1]) ~= "table" then
        local lines = {}
        for i, item in ipairs(value) do
            lines[i] = M.clean(item)
        end
        return #lines > 0 and table.concat(lines, "\n") or "(nothing)"
    end
    local seen = {}
    for _, item in ipairs(value) do
        for key in pairs(type(item) == "table" and item or {}) do
            seen[key] = true
        end
    end
    local head, rows = M.keys(seen), {}
    for i, item in ipairs(value) do
        rows[i] = {}
        for c, key in ipairs(head) do
            rows[i][c] = type(item) == "table" and item[key] or nil
        end
    end
    return M.columns(head, rows)
end

return M
