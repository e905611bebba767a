---Faults on demand: rules of the form `METHOD PATH ACTION [xN] [after K]`. The one place where they are read,
---chosen, counted and shown; what each does is in `fault_actions.lua`.
local actions = require "sandbox.fault_actions"
local answers = require "sandbox.answers"
local json = require "json"

local M = {}

---@class sandbox.Fault
---@field text string
---@field method string "*" for any
---@field pattern string of the path
---@field times integer? hits there are to be; nil: no limit
---@field after integer matching requests let through first
---@field matched integer requests it was for
---@field hits integer requests it acted on
---@field action table see fault_actions.lua

---A pattern of a glob: `**` stands for anything, `*` for anything without a slash. A lone `*` is any path.
local function pattern(glob)
    if glob == "*" then
        return "^.*$"
    end
    return "^" .. glob:gsub("[^%w*]", "%%%0"):gsub("%*+", function(stars)
        return #stars > 1 and ".*" or "[^/]*"
    end) .. "$"
end

---Reads one rule.
---@param text string
---@return sandbox.Fault? rule
---@return string? message
function M.read(text)
    local words, times, after = {}, nil, 0
    for word in text:gmatch("%S+") do
        words[#words + 1] = word
    end
    local method, path = table.remove(words, 1), table.remove(words, 1)
    while #words > 1 do
        local n = words[#words]:match("^x(%d+)$")
        local k = words[#words - 1] == "after" and words[#words]:match("^%d+$")
        if n then
            times = math.tointeger(tonumber(n))
        elseif k then
            after = math.tointeger(tonumber(k))
            table.remove(words)
        else
            break
        end
        table.remove(words)
    end
    if #words == 0 then
        return nil, ("%q is not METHOD PATH ACTION [xN] [after K]"):format(text)
    elseif not (method:match("^%a+$") or method == "*") then
        return nil, ("%q is not a method"):format(method)
    elseif not path:match("^[/*]") then
        return nil, ("the path %q does not begin with / or *"):format(path)
    end
    local rule, message = actions.read(table.concat(words, " "))
    if not rule then
        return nil, message
    end
    rule.text, rule.method, rule.pattern = text:match("^%s*(.-)%s*$"), method:upper(), pattern(path)
    rule.times, rule.after, rule.matched, rule.hits = times, after, 0, 0
    return rule
end

---Adds rules; adds none when one is wrong.
---@param service table
---@param texts string[] each may hold several, between semicolons
---@return boolean? ok
---@return string? message
function M.add(service, texts)
    local rules = {}
    for _, text in ipairs(texts) do
        for each in tostring(text):gmatch("[^;\n]*[^;%s][^;\n]*") do
            local rule, message = M.read(each)
            if not rule then
                return nil, message
            end
            rules[#rules + 1] = rule
        end
    end
    table.move(rules, 1, #rules, #service.faults + 1, service.faults)
    return true
end

---The faults for a request: at most one that makes the answer, any number that mark the instance.
---@param id string? what stands in the place of the first {} of the path
---@return table? fault { rule=, marks={} }
function M.find(service, req, id)
    if req.path:sub(1, 10) == "/_sandbox/" then
        return nil
    end
    local found
    for _, rule in ipairs(service.faults) do
        if (rule.method == "*" or rule.method == req.method) and req.path:match(rule.pattern) then
            rule.matched = rule.matched + 1
            local action = rule.action
            local due = rule.matched > rule.after and not (rule.times and rule.hits >= rule.times)
            if due and (not action.applies or action.applies(service, rule, req, id)) then
                found = found or { marks = {} }
                if action.mark then
                    table.insert(found.marks, rule)
                else
                    found.rule = found.rule or rule
                end
            end
        end
    end
    return found
end

local function hit(rule)
    rule.hits = rule.hits + 1
end

---What is answered instead of handling a request. Nothing when it is to be handled.
---@return integer? status
---@return table headers
---@return string text
---@return table? transport
function M.instead(service, fault, req)
    local rule = fault.rule
    if rule and rule.action.instead then
        hit(rule)
        return rule.action.instead(service, rule, req)
    end
end

---After an accepted request: marks the instance it was about, and changes the body.
---@param id string? from the path
---@param body any a table, or nothing
---@return any body
function M.acted(service, fault, id, body)
    local data = type(body) == "table" and type(body.data) == "table" and body.data or {}
    local inst = service.instances[data.id or id or ""]
    for _, rule in ipairs(inst and fault.marks or {}) do
        if rule.action.mark(service, rule, inst) then
            hit(rule)
        end
    end
    local rule = fault.rule
    local changed = rule and rule.action.body and type(body) == "table" and rule.action.body(rule, body)
    if changed then
        hit(rule)
    end
    return changed or body
end

---What is sent in place of an answer: only of one that says the request was accepted.
---@return integer status
---@return table headers
---@return string text
---@return table? transport
function M.deliver(service, fault, status, headers, text)
    local rule = fault.rule
    if rule and rule.action.deliver and status < 300 then
        hit(rule)
        return rule.action.deliver(service, rule, status, headers, text)
    end
    return status, headers, text
end

---@return table[] the rules and their counts, to be encoded
function M.list(service)
    local list = {}
    for i, rule in ipairs(service.faults) do
        list[i] = { fault = rule.text, matched = rule.matched, hits = rule.hits,
            left = rule.times and math.max(rule.times - rule.hits, 0) or nil }
    end
    return json.array(list)
end

---GET /_sandbox/faults
function M.show(service)
    return 200, { faults = M.list(service) }
end

---POST /_sandbox/faults: a list of rules, or `{ "faults": [...], "clear": true }`; `clear` comes first.
function M.change(service, req)
    local data = json.read(req.body or "")
    if type(data) ~= "table" then
        answers.refuse(400, "invalid-json", 'The body is neither a list of faults nor {"faults": [...], "clear": true}')
    end
    local given = data.faults or data
    local kept = service.faults
    service.faults = data.clear == true and {} or kept
    local added, message = M.add(service, type(given) == "table" and given or { given })
    if not added then
        service.faults = kept
        answers.refuse(400, "invalid-field", message, "faults")
    end
    return M.show(service)
end

---For people: the form of a rule, and a line for each action.
---@return string
function M.help()
    local lines = {}
    for i, entry in ipairs(actions.list) do
        lines[i] = ("  %-15s %s"):format(entry[2].usage or entry[1], entry[2].help)
    end
    return [[
A fault is METHOD PATH ACTION [xN] [after K], for instance 'POST /v1/instances lost x1'.
METHOD may be *. In PATH, * stands for anything within a segment and ** for anything; a lone * is any path.
Without xN it acts every time, with it N times. `after K` lets the first K matching requests through.
The first fault in the list that is due acts; notfound, lag, stuck and loading failed work beside it.
Times of hang, drip and Retry-After are real ones, those of notfound and lag are divided by --speed.
ACTION is a status, or one of
]] .. table.concat(lines, "\n") .. [[


A status is answered in place of the request: 503, 502:html, 500:empty, 404:gateway, 500:truncated.
After it, each with a colon: errors (the default), gateway, html, empty or truncated: the body;
reason=CODE in errors[]; seconds=N or date=N: Retry-After in that form; acted: after the request has had its
effect; location=URL (last). Those that come after the effect leave a refused request alone and do not count it.
]]
end

return M
