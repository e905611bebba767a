---An emulator of the Neo4j Aura API v1, without any I/O: a request goes in as a table, an answer comes out.
---Time is what `now` says, so tests can move it; nothing happens between requests.
---
---    local service = require "sandbox".new { speed = 60, now = clock.now }
---    local status, headers, body = service:handle { method = "GET", path = "/v1/instances",
---        query = {}, headers = { authorization = "Bearer ..." }, body = "" }
---
---`facts.lua` holds types, durations and sizes, `routes.lua` every path, `switches.lua` what can be chosen,
---`model.lua` how an instance goes from one status to the next. The other files are one subject each.
local answers = require "sandbox.answers"
local auth = require "sandbox.auth"
local facts = require "sandbox.facts"
local faults = require "sandbox.faults"
local json = require "json"
local random = require "sandbox.random"
local routes = require "sandbox.routes"
local seed = require "sandbox.seed"
local switches = require "sandbox.switches"

local M = {}
local Service = {}
Service.__index = Service

---@class sandbox.Options
---@field now fun(): number seconds since 1970
---@field speed number? times faster than the real service; 1
---@field seed table? a state, or a captured instance: see `seed.load`
---@field token_ttl integer? seconds; 3600
---@field lenient boolean? take also what the sources dispute
---@field random_seed integer? for ids and passwords; 1
---@field switches table? see switches.lua
---@field faults string[]? see faults.lua
---@field warn fun(text: string)? told about faults of the emulator itself

---@param options sandbox.Options
---@return table? service nil when the options are wrong
---@return string? message
function M.new(options)
    local service = setmetatable({
        now = options.now, speed = options.speed or 1, token_ttl = options.token_ttl or 3600,
        lenient = options.lenient or false, warn = options.warn or function() end,
        facts = facts, switches = switches.defaults(), rng = random.new(options.random_seed or 1),
        clients = { sandbox = auth.client("sandbox") }, tokens = {}, refused = 0,
        requests = {}, effects = {}, faults = {},     -- counts by route: all that came, those that changed something
    }, Service)
    service:clear()
    local example = seed.example()
    for _, inst in ipairs(example.instances) do
        inst.example = true
    end
    seed.merge(service, example)
    service.main = example.instances[1].id        -- what INSTANCE_ID is set to
    if options.seed then
        local ok, message = service:guard(seed.load, service, options.seed)
        if not ok then
            return nil, message
        end
    end
    local ok, message = switches.set(service.switches, options.switches or {})
    if ok then
        ok, message = faults.add(service, options.faults or {})
    end
    return ok and service or nil, message
end

---Calls a function; a refusal it ends with becomes nil and a message.
function Service:guard(fn, ...)
    local ok, value, message = pcall(fn, ...)
    if ok then
        return value, message
    end
    local refusal = answers.refusal(value)
    return nil, refusal and refusal.body.errors[1].message or tostring(value)
end

---Forgets every instance, tenant and key.
function Service:clear()
    self.instances, self.order, self.deleted = {}, {}, {}         -- order: as they were created
    self.tenants, self.tenant_order, self.offered, self.tenant_text = {}, {}, {}, {}
    self.keys, self.key_order = {}, {}
end

---@return integer tokens issued to all clients
function Service:issued()
    local sum = 0
    for _, client in pairs(self.clients) do
        sum = sum + client.tokens
    end
    return sum
end

local EMPTY = {}

---The body of a request as a table.
local function read(service, req, route)
    local kind = req.headers["content-type"]
    local known = not kind and service.lenient or kind and kind:lower():match("^%s*application/json%s*%f[;%z]")
    if not known and not route.open then
        answers.gateway(415, "Content-Type must be application/json")
    end
    local body = req.body
    if not body or body == "" then
        return EMPTY
    end
    local data = json.read(body)
    if type(data) ~= "table" or #data > 0 then
        answers.refuse(400, "invalid-json", "The body is not a JSON object")
    end
    return data
end

local function count(counters, key)
    counters[key] = (counters[key] or 0) + 1
end

---Everything a request goes through: token and rate, body, handler. A refusal leaves by error.
---@return integer status
---@return string text
local function answer(service, req, methods, first, second, fault)
    if not methods then
        answers.refuse(404, "not-found", "No such path: " .. req.path)
    end
    local route = methods[req.method]
    if not route then
        answers.refuse(405, "method-not-allowed", ("%s is not allowed on %s"):format(req.method, req.path))
    end
    if not route.open then
        auth.check(service, req)
    end
    if route.changes and not route.raw then
        req.data = read(service, req, route)
    end
    local status, body = route.handler(service, req, first, second)
    if route.effect then
        count(service.effects, route.key)
    end
    if fault then
        body = faults.acted(service, fault, first, body)
    end
    if type(body) == "table" then
        body = json.encode(body)
    end
    return status, body or ""
end

---The answer as it is without faults of the transport.
local function respond(service, req, ...)
    local ok, status, text = pcall(answer, service, req, ...)
    local headers = { ["Content-Type"] = text ~= "" and "application/json" or nil }
    if not ok then
        local refusal = answers.refusal(status)
        if not refusal then
            service.warn(("sandbox: %s %s: %s"):format(req.method, req.path, tostring(status)))
            refusal = { status = 500, body = { errors = { { message = "The sandbox failed; its log says how",
                reason = "internal-error" } } } }
        end
        status, text = refusal.status, json.encode(refusal.body)
        for name, value in pairs(refusal.headers or EMPTY) do
            headers[name] = value
        end
    end
    return status, headers, text
end

---Answers a request.
---@param req table method, path, query (by name), headers (by lower-case name), body
---@return integer status
---@return table<string, string> headers
---@return string body
---@return table? transport how it is to be sent, when a fault says so: see fault_actions.lua
function Service:handle(req)
    local methods, first, second = routes.find(req.path)
    local route = methods and methods[req.method]
    if route then
        count(self.requests, route.key)
    end
    local fault = self.faults[1] and faults.find(self, req, first)
    local status, headers, text, transport
    if fault then
        status, headers, text, transport = faults.instead(self, fault, req)
    end
    if not status then
        status, headers, text = respond(self, req, methods, first, second, fault)
        if fault then
            status, headers, text, transport = faults.deliver(self, fault, status, headers, text)
        end
    end
    if req.path:sub(1, 4) == "/v1/" then
        headers["X-Request-Id"] = self.rng:request_id()
    end
    return status, headers, text, transport
end

return M
