---The shapes of answers: `errors[]` of the API, `error` of the gateway, and the numbers in headers.
local M = {}

local Refusal = {}

---Ends the request with an error of the API.
---@param status integer
---@param reason string code such as "db-not-found"
---@param message string
---@param field string? field of the request that is wrong
function M.refuse(status, reason, message, field)
    error(setmetatable({ status = status,
        body = { errors = { { message = message, reason = reason, field = field } } } }, Refusal), 0)
end

---Ends the request with several errors of the API.
---@param status integer
---@param list table[] each with message, reason and perhaps field
function M.refuse_all(status, list)
    error(setmetatable({ status = status, body = { errors = list } }, Refusal), 0)
end

---Ends the request as the gateway in front of the API does: no reason, no field.
---@param status integer
---@param message string
---@param headers table?
function M.gateway(status, message, headers)
    error(setmetatable({ status = status, body = { error = message }, headers = headers }, Refusal), 0)
end

---Ends a request for a token.
---@param status integer
---@param code string
---@param description string
function M.no_token(status, code, description)
    error(setmetatable({ status = status, body = { error = code, error_description = description } }, Refusal), 0)
end

---Ends a request that came too often. Every other time the answer has the other form: Retry-After as a
---date instead of seconds, and `errors[]` instead of the gateway's body. Clients meet both.
---@param service table
---@param wait number seconds
---@param message string
function M.too_often(service, wait, message)
    local seconds = math.max(1, math.ceil(wait))
    service.refused = service.refused + 1
    if service.refused % 2 == 1 then
        M.gateway(429, message, { ["Retry-After"] = tostring(seconds) })
    end
    local at = math.ceil(service.now() + seconds)
    error(setmetatable({ status = 429, headers = { ["Retry-After"] = os.date("!%a, %d %b %Y %H:%M:%S GMT", at) },
        body = { errors = { { message = message, reason = "rate-limit-exceeded" } } } }, Refusal), 0)
end

---The refusal that an error is, or nil when it is a fault of the emulator.
---@param err any
---@return table? refusal with status, body and perhaps headers
function M.refusal(err)
    return getmetatable(err) == Refusal and err or nil
end

---A time as the API writes it.
---@param at number epoch seconds
---@return string
function M.timestamp(at)
    return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(at)) --[[@as string]]
end

return M
