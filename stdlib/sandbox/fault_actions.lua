---What a fault does: one entry for each action. `faults.lua` decides when.
---
---An entry has `help`, perhaps `value` (a function that reads what stands after `=`), and one of
---    instead(service, rule, req)  in place of the request, which then has no effect: returns the answer, or
---                                 nothing to let the request go on
---    mark(service, rule, inst)    changes the instance that an accepted request was about; true if it did
---    body(rule, body)             the body (a table) to answer with, nil to leave it
---    deliver(service, rule, status, headers, text)   what is sent of an answer of 200 to 299
---and perhaps `applies(service, rule, req, id)`: whether the fault has anything to do with a request.
---
---An answer is status, headers, body, transport; transport is nil or what `request:reply` takes as its last
---argument (`reset`, `length`, `pad`, `drip_ms`), or `{ hang = seconds }`.
local json = require "json"
local model = require "sandbox.model"

local M = {}

local HANG = 600                 -- seconds; longer than any client waits
local NAMES = { [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found",
    [408] = "Request Timeout", [429] = "Too Many Requests", [500] = "Internal Server Error",
    [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout" }
local REASONS = { [403] = "forbidden", [404] = "db-not-found", [409] = "ongoing-database-operation",
    [410] = "db-already-deleted", [429] = "rate-limit-exceeded", [500] = "internal-error" }

---A reader of numbers.
local function number(least, most, default)
    return function(text)
        local n = text == "" and default or tonumber(text)
        if not n or n < least or n > most then
            return nil, ("expected a number from %s to %s"):format(least, most)
        end
        return math.tointeger(n) or n
    end
end

local function whole(least, most)
    local read = number(least, most)
    return function(text)
        local n, message = read(text)
        return n and math.ceil(n), message
    end
end

---A whole answer with a status of the operator's choice.
local function answer(service, rule)
    local status, headers = rule.status, {}
    local called = NAMES[status] or "Status " .. status
    local text
    if rule.form == "empty" or status == 204 or status == 304 then
        text = ""
    elseif rule.form == "html" then
        headers["Content-Type"] = "text/html"
        text = ("<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n"
            .. "</body>\r\n</html>\r\n"):format(status, called, status, called)
    elseif rule.form == "gateway" then
        text = json.encode { error = called }
    else
        text = json.encode { errors = { { message = called .. " (a fault on demand)",
            reason = rule.reason or REASONS[status] or "fault-on-demand" } } }
        text = rule.form == "truncated" and text:sub(1, #text // 2) or text
    end
    if text ~= "" then
        headers["Content-Type"] = headers["Content-Type"] or "application/json"
    end
    headers.Location = rule.location
    if rule.retry == "date" then
        headers["Retry-After"] = os.date("!%a, %d %b %Y %H:%M:%S GMT", math.ceil(service.now() + rule.after_seconds))
    elseif rule.retry then
        headers["Retry-After"] = tostring(rule.after_seconds)
    end
    return status, headers, text
end

local FORMS = { errors = true, gateway = true, html = true, empty = true, truncated = true }

---Reads `503:html:seconds=5:acted`.
---@return table? rule
---@return string? message
function M.read_status(text)
    local rule = { form = "errors" }
    text = text:gsub(":location=(%S+)$", function(url)
        rule.location = url
        return ""
    end)
    local status, rest = text:match("^(%d%d%d)(.*)$")
    rule.status = math.tointeger(tonumber(status))
    if not rule.status or rule.status < 200 or rule.status > 599 or rest:match("^[^:]") then
        return nil, ("%q is not a status from 200 to 599"):format(text)
    end
    for part in rest:gmatch(":([^:]*)") do
        local name, value = part:match("^(%l+)=(.+)$")
        if FORMS[part] then
            rule.form = part
        elseif part == "acted" then
            rule.acted = true
        elseif name == "reason" then
            rule.reason = value
        elseif (name == "seconds" or name == "retry" or name == "date") and value:match("^%d+$") and #value < 10 then
            rule.retry, rule.after_seconds = name == "date" and "date" or "seconds", math.tointeger(value)
        else
            return nil, ("%q says nothing about a status"):format(part)
        end
    end
    rule.action = rule.acted and M.status_acted or M.status
    return rule
end

M.status = { instead = answer }
M.status_acted = { deliver = answer }

local function reset()
    return 503, {}, "", { reset = true }
end

local function hang(_, rule)
    return 503, {}, "", { hang = rule.value }
end

local function bearer(service, _, req)
    local text = (req.headers.authorization or ""):match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(%S+)$")
    local token = text and service.tokens[text]
    return token and token.expires > service.now() and token or nil
end

---Whether an instance is being deleted or has been.
local function is_gone(service, _, _, id)
    local inst = id and service.instances[id]
    if inst and model.settle(service, inst, service.now()) then
        return inst.status == "destroying"
    end
    return id and service.deleted[id] or false
end

local seconds = number(0, 1e6)

-- By name. Those that are marks work beside any other fault, of the others one acts on a request.
M.list = {
    { "reset", { help = "the connection is reset, nothing is done", instead = reset } },
    { "lost", { help = "it is done, and then the connection is reset: the answer is lost",
        deliver = reset } },
    { "hang", { usage = "hang[=S]", help = "nothing is done and no answer comes for S s (600)", instead = hang,
        value = number(0, 86400, HANG) } },
    { "hang:acted", { usage = "hang[=S]:acted", help = "it is done, and no answer comes", deliver = hang,
        value = number(0, 86400, HANG) } },
    { "drip", { usage = "drip=MS", help = "the body comes byte by byte, one each MS milliseconds",
        value = whole(1, 60000),
        deliver = function(_, rule, status, headers, text)
            return status, headers, text, { drip_ms = rule.value }
        end } },
    { "huge", { usage = "huge=MB", help = "the body is followed by MB megabytes of spaces", value = number(0.001, 1e5),
        deliver = function(_, rule, status, headers, text)
            return status, headers, text, { pad = math.ceil(rule.value * 2 ^ 20) }
        end } },
    { "deep", { usage = "deep=N", help = "data is N arrays, one in the other", value = whole(1, 1e6),
        deliver = function(_, rule, status, headers)
            return status, headers, '{"data":' .. ("["):rep(rule.value) .. ("]"):rep(rule.value) .. "}"
        end } },
    { "length", { help = "Content-Length promises the whole body, half of it comes",
        deliver = function(_, _, status, headers, text)
            return status, headers, text:sub(1, #text // 2), { length = math.max(#text, 1) }
        end } },
    { "cut", { help = "half of the body, with the Content-Length of that half",
        deliver = function(_, _, status, headers, text)
            return status, headers, text:sub(1, #text // 2)
        end } },
    { "expire", { help = "the token used is expired from now on (switch `expired` says how that is answered)",
        applies = bearer,
        instead = function(service, rule, req)
            bearer(service, rule, req).expires = service.now()
        end } },
    { "gone", { help = "410 where the instance is being or has been deleted", applies = is_gone,
        instead = function(service)
            return answer(service, { status = 410, form = "errors" })
        end } },
    { "notfound", { usage = "notfound=S", help = "the instance it made is not found for S s", value = seconds,
        mark = function(service, rule, inst)
            inst.visible_from = service.now() + rule.value / service.speed
            return true
        end } },
    { "lag", { usage = "lag=S", help = "GET shows the status from before for S s", value = seconds,
        mark = function(service, rule, inst)
            local pending = inst.pending
            if pending and pending.before then
                pending.shown_from = service.now() + rule.value / service.speed
                return true
            end
        end } },
    { "stuck", { help = "the operation it began never ends (POST /_sandbox/state ends it)",
        mark = function(_, _, inst)
            local was = inst.pending
            inst.pending = nil
            return was ~= nil
        end } },
    { "loading failed", { help = "the operation it began ends in that status",
        mark = function(_, _, inst)
            if inst.pending then
                inst.pending.to = "loading failed"
                return true
            end
        end } },
    { "status", { usage = "status=NAME", help = "the instance answered has this status",
        value = function(text)
            return text ~= "" and text or nil, "expected a status"
        end,
        body = function(rule, body)
            local data = type(body.data) == "table" and body.data or {}
            if data.status then
                data.status = rule.value
                return body
            end
        end } },
    { "empty-patch", { help = "the body is {}",
        body = function()
            return {}
        end } },
}

local by_name = {}
for _, entry in ipairs(M.list) do
    by_name[entry[1]] = entry[2]
end
by_name["loading-failed"] = by_name["loading failed"]

---Reads an action.
---@param text string such as "503:html" or "drip=20"
---@return table? rule with `action`, and with what the action needs
---@return string? message
function M.read(text)
    if text:match("^%d") then
        return M.read_status(text)
    end
    local plain = text:match("^(.*):acted$")
    local name, value = (plain or text):match("^([^=]*)=?(.*)$")
    name = plain and name .. ":acted" or name
    local action = by_name[name]
    if not action then
        return nil, ("unknown action %q"):format(text)
    elseif not action.value then
        if value ~= "" then
            return nil, name .. " takes no value"
        end
        return { action = action }
    end
    local read, message = action.value(value)
    if read == nil then
        return nil, ("%s: %s, got %q"):format(name, message, value)
    end
    return { action = action, value = read }
end

return M
