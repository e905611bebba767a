-- For the tests of the emulator's behaviour: a service without HTTP, whose clock the test moves.
-- Works inside halo and under plain Lua.
local lu = require "luaunit"

local M = {}

-- Under plain Lua: cjson, with the marks for null and empty arrays that the native module has.
M.inside = pcall(require, "json")       -- inside halo
if not M.inside then
    package.preload.json = function()
        local cjson = require "cjson"
        local ARRAY = {}
        local null = setmetatable({}, { __tostring = function() return "null" end })
        local function encode(value)
            if value == null then
                return "null"
            elseif type(value) ~= "table" then
                return math.type(value) == "integer" and tostring(value) or cjson.encode(value)
            end
            local parts = {}
            if getmetatable(value) == ARRAY or #value > 0 then
                for i, each in ipairs(value) do
                    parts[i] = encode(each)
                end
                return "[" .. table.concat(parts, ",") .. "]"
            end
            for key, each in pairs(value) do
                parts[#parts + 1] = cjson.encode(tostring(key)) .. ":" .. encode(each)
            end
            table.sort(parts)
            return "{" .. table.concat(parts, ",") .. "}"
        end
        local function tidy(value)
            if type(value) ~= "table" then
                if value == cjson.null then
                    return nil
                end
                return type(value) == "number" and math.tointeger(value) or value
            end
            local copy = {}
            for key, each in pairs(value) do
                copy[key] = tidy(each)
            end
            return copy
        end
        return { encode = encode, null = null, array = function(t) return setmetatable(t or {}, ARRAY) end,
            decode = function(text) return tidy(cjson.decode(text)) end }
    end
end

local json = require "json"
local sandbox = require "sandbox"

M.PLATFORM, M.LABS = "6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44", "d94c7a18-52e6-4b3f-8c0d-71a9e2f6b035"
M.PRO, M.PAUSED, M.CRITICAL, M.VDC = "3fa29c1e", "7c41d09b", "b8e2f5a6", "a4406e1d"
M.SCIENCE, M.FREE = "e91c6f40", "52d7a3e9"
M.BASIC, M.FORM = "Basic c2FuZGJveDpzYW5kYm94", "application/x-www-form-urlencoded"

local NOON = 1772107200         -- 2026-02-26T12:00:00Z

-- One service with its clock and a token; `get`, `post`, ... send a request and give status, decoded body, headers.
local Box = {}
Box.__index = Box

function M.new(options)
    local self = setmetatable({ at = NOON }, Box)
    options = options or {}
    options.now = function() return self.at end
    options.warn = options.warn or function(text) error(text, 0) end
    options.switches = options.switches or {}
    options.switches.rate = options.switches.rate or 0
    local message
    self.service, message = sandbox.new(options)
    assert(self.service, message)
    self:login()
    return self
end

function Box:send(method, path, body, headers)
    local query = {}
    path = path:gsub("%?(.*)$", function(text)
        for name, value in text:gmatch("([^&=]+)=([^&]*)") do
            query[name] = value
        end
        return ""
    end)
    if not headers then
        headers = { authorization = "Bearer " .. (self.token or ""), ["content-type"] = "application/json" }
    end
    local status, answered, text = self.service:handle { method = method, path = path, query = query,
        headers = headers, body = type(body) == "table" and json.encode(body) or body or "" }
    return status, text ~= "" and json.decode(text) or nil, answered, text
end

function Box:login(headers, body)
    local status, data, answered = self:send("POST", "/oauth/token", body or "grant_type=client_credentials",
        headers or { authorization = M.BASIC, ["content-type"] = M.FORM })
    self.token = data.access_token or self.token
    return status, data, answered
end

function Box:get(path) return self:send("GET", "/v1" .. path) end
function Box:post(path, body) return self:send("POST", "/v1" .. path, body) end
function Box:patch(path, body) return self:send("PATCH", "/v1" .. path, body) end
function Box:delete(path) return self:send("DELETE", "/v1" .. path) end
function Box:change(state) return self:send("POST", "/_sandbox/state", state) end

function Box:pass(seconds)
    self.at = self.at + seconds
end

function Box:status(id)
    local status, body = self:get("/instances/" .. id)
    return status == 200 and body.data.status or status
end

---Checks status, reason and field of a refusal.
function M.refused(want, reason, status, body, field)
    lu.assertEquals(status, want, json.encode(body or {}))
    lu.assertEquals(body.errors and body.errors[1].reason, reason)
    lu.assertEquals(type(body.errors and body.errors[1].message), "string")
    if type(field) == "string" then
        lu.assertEquals(body.errors[1].field, field)
    end
end

function M.order(changes)
    local body = { name = "new-one", type = "enterprise-db", cloud_provider = "aws", region = "us-east-1",
        memory = "8GB", storage = "16GB", tenant_id = M.PLATFORM, version = "5" }
    for field, value in pairs(changes or {}) do
        body[field] = value ~= "none" and value or nil
    end
    return body
end

function M.created(b, changes)
    local status, body = b:post("/instances", M.order(changes))
    lu.assertEquals(status, 202, json.encode(body))
    return body.data
end

return M
