-- A server of one's own for a test: answers what the test tells it to, remembers what it was asked.
local aura = require "aura"
local httpd = require "httpd"
local json = require "json"
local task = require "task"

local M = {}

local Server = {}
Server.__index = Server

---@class TestServer
---@field requests table[] every request, token requests too
---@field routes table<string, any> "GET /v1/instances/x" -> {status, body, headers}, a list of those (the last
---   one stays), or a function(request) returning status, body, headers
function M.start(options)
    options = options or {}
    local self = setmetatable({ requests = {}, routes = {}, tokens = 0, http = httpd.listen {} }, Server)
    self.url = "http://127.0.0.1:" .. self.http.port
    self.routes["POST /oauth/token"] = function()
        self.tokens = self.tokens + 1
        return 200, json.encode { access_token = "tok-" .. self.tokens, expires_in = options.expires_in or 3600,
            token_type = "bearer" }
    end
    self.task = task.spawn(function()
        while true do
            local req = self.http:next()
            self.requests[#self.requests + 1] = req
            self:answer(req)
        end
    end)
    self.client = self:client_of_its_own()
    return self
end

---Another client, which knows nothing of what the first was told.
function Server:client_of_its_own()
    return aura.auth { base_url = self.url, client_id = "id", client_secret = "s3cr3t-value" }
end

function Server:answer(req)
    local route = self.routes[req.method .. " " .. req.path]
    if type(route) == "table" and type(route[1]) == "table" then
        route = #route > 1 and table.remove(route, 1) or route[1]
    end
    local status, body, headers
    if type(route) == "function" then
        status, body, headers = route(req)
    elseif route then
        status, body, headers = route[1], route[2], route[3]
    else
        status, body = 404, '{"errors":[{"message":"DB not found","reason":"db-not-found"}]}'
    end
    headers = headers or {}
    headers["Content-Type"] = headers["Content-Type"] or "application/json"
    headers["X-Request-Id"] = headers["X-Request-Id"] or "0123456789abcdef0123456789abcdef/42"
    req:reply(status, headers, type(body) == "table" and json.encode(body) or body or "")
end

---How many requests of this kind came.
function Server:count(method, path)
    local n = 0
    for _, req in ipairs(self.requests) do
        n = n + ((req.method == method and req.path == path) and 1 or 0)
    end
    return n
end

function Server:stop()
    self.task:cancel()
    pcall(self.task.wait, self.task)
    self.http:close()
end

---Calls fn and returns the error table it must raise.
function M.failure(fn, ...)
    local ok, err = pcall(fn, ...)
    assert(not ok, "expected an error")
    assert(type(err) == "table", "not an error table: " .. tostring(err))
    return err
end

return M
